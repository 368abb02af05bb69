"""What people do to messages in the queue, some messages at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from ...mail.queue_list import Alteration, Selection
from ..queueing import origin_of
from .change import QUEUE, Change
from .queue_listing import SELECTED, conditions
from .queue_rows import pack_parameters, unpack_parameters
from .queue_settling import remove
from .queue_tables import LATER, LENT, READY
from .queue_turns import make_ready, note_ready

#: Octets that the alteration of a recipient adds to the log, roughly.
_PER_RECIPIENT = 1024

_CHOSEN = "recipient_id in (select value from json_each(?))"


def alter(
    change: Change, message_ids: Sequence[int], selection: Selection,
    alteration: Alteration, now: float,
) -> int:
    """Alter what is selected of some messages.  -> the number of recipients"""
    connection = change.connection
    rows = connection.execute(
        f"select r.recipient_id, r.message_id, r.destination, r.state {SELECTED}",
        conditions(message_ids, selection),
    ).fetchall()
    if not rows:
        return 0
    change.octets += len(rows) * _PER_RECIPIENT
    chosen = [row[0] for row in rows]
    messages = {row[1] for row in rows}
    if alteration.delete:
        remove(change, chosen, messages)
        note_ready(change, {row[2] for row in rows if row[3] == READY})
        return len(rows)
    _alter_recipients(connection, chosen, alteration, now)
    whole = _alter_messages(connection, messages, alteration)
    _queue_again(change, whole or chosen, {row[2] for row in rows}, now)
    return len(rows)


def _alter_recipients(
    connection: sqlite3.Connection, chosen: Sequence[int], alteration: Alteration,
    now: float,
) -> None:
    numbers = json.dumps(chosen)
    connection.execute(
        "update queue_recipient set destination = coalesce(?1, destination),"
        " recipient = coalesce(?2, recipient), hold = coalesce(?3, hold),"
        f" faults = iif(?3 = '', 0, faults) where {_CHOSEN}",
        (alteration.destination, alteration.recipient, alteration.hold, numbers),
    )
    if alteration.retry:
        connection.execute(
            "update queue_recipient set due = ?, attempts = 0, status = '', reply = ''"
            f" where {_CHOSEN} and state <> {LENT}",
            (now, numbers),
        )


def _alter_messages(
    connection: sqlite3.Connection, message_ids: set[int], alteration: Alteration
) -> list[int]:
    """-> all their recipients, if the order in which these leave may be another"""
    if (alteration.sender, alteration.priority, alteration.expires) == (None,) * 3:
        return []
    every: list[int] = []
    for message_id, span, sender, user, packed in connection.execute(
        "select message_id, span, sender, user, parameters from queue_message"
        " where message_id in (select value from json_each(?))",
        (json.dumps(list(message_ids)),),
    ).fetchall():
        if alteration.sender is not None:
            sender = alteration.sender
        parameters = unpack_parameters(packed)
        if alteration.priority is not None:
            parameters = replace(parameters, priority=alteration.priority)
        connection.execute(
            "update queue_message set sender = ?, parameters = ?,"
            " expires = coalesce(?, expires) where message_id = ?",
            (sender, pack_parameters(parameters), alteration.expires, message_id),
        )
        connection.execute(
            "update queue_recipient set rank = ?, origin = ?"
            " where recipient_id between ? and ?",
            (
                -parameters.priority, origin_of(user, sender),
                message_id, message_id + span - 1,
            ),
        )
        every += range(message_id, message_id + span)
    return every


def _queue_again(
    change: Change, recipient_ids: Sequence[int], destinations: set[str], now: float
) -> None:
    """Put recipients in line as new ones, but those that are lent.

    :param destinations: where they were in line.
    """
    numbers = json.dumps(recipient_ids)
    change.connection.execute(
        "update queue_recipient set state = iif(hold = '', 1, 3),"
        f" wake = iif(hold = '', due, null) where {_CHOSEN} and state <> {LENT}",
        (numbers,),
    )
    due = change.connection.execute(
        f"select recipient_id from queue_recipient where {_CHOSEN}"
        f" and state = {LATER} and due <= ?",
        (numbers, now),
    ).fetchall()
    note_ready(change, destinations)
    make_ready(change, [recipient_id for (recipient_id,) in due])
    change.touched.add(QUEUE)
