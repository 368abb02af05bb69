"""Lending what is due, to one sender at a time."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

from ...mail.queued import Backlog, Lease, QueuedMessage, Waiting
from ..queueing import in_parts
from .change import Change
from .queue_adding import next_numbers
from .queue_rows import MESSAGE, MESSAGE_COLUMNS, WAITING, message_of, waiting_of
from .queue_tables import LENT
from .queue_turns import let_go, note_ready, wake

#: Recipients that a free-for-all looks at in one transaction.
_STEP = 1000

READY_DESTINATIONS = (
    "select destination, since from queue_destination order by since limit ?"
)
NEXT_DUE = "select min(wake) from queue_recipient where wake > ?"
IN_TURN = (
    "select recipient_id, message_id, rank, origin, turn from queue_recipient"
    " where state = 0 and destination = ? order by rank, turn limit ?"
)
#: Recipients of a message became ready together and have turns one after the other,
#: however far apart their numbers are.
MATES = (
    "select recipient_id, message_id from queue_recipient where state = 0"
    " and destination = ? and rank = ? and origin = ? and turn between ? and ?"
    " order by turn"
)
_ROWS = (
    f"select {MESSAGE}, {WAITING} from queue_recipient r"
    " join queue_message m on m.message_id = r.message_id"
    " where r.recipient_id in (select value from json_each(?))"
)


def ready(connection: sqlite3.Connection, limit: int) -> list[Backlog]:
    """Destinations that somebody ready is for, the longest waiting first."""
    rows = connection.execute(READY_DESTINATIONS, (limit,)).fetchall()
    return [Backlog(*row) for row in rows]


def next_due(connection: sqlite3.Connection, now: float) -> float | None:
    """See :meth:`mailhub.interfaces.IQueue.next_due`."""
    [[due]] = connection.execute(NEXT_DUE, (now,)).fetchall()
    return None if due is None else float(due)


def lease(
    change: Change, destination: str, limit: int, keeper: str, now: float, until: float
) -> tuple[list[Lease], bool]:
    """See :meth:`mailhub.interfaces.IQueue.lease`.

    -> leases, and whether there may be more when called again, though there are none
    """
    is_more = wake(change, now)
    connection = change.connection
    chosen = _choose(connection, destination, limit)
    if not chosen:
        return [], is_more
    leases = _leases(connection, chosen, destination, until)
    connection.executemany(
        f"update queue_recipient set state = {LENT}, wake = ?, token = ?, keeper = ?"
        " where recipient_id = ?",
        [
            (until, lent.token, keeper, each.recipient_id)
            for lent in leases
            for each in lent.recipients
        ],
    )
    note_ready(change, [destination])
    return leases, False


def _choose(
    connection: sqlite3.Connection, destination: str, limit: int
) -> dict[int, list[int]]:
    """Up to *limit* recipients whose turn it is, by message; those of one together."""
    chosen: dict[int, list[int]] = {}
    left = limit
    for _, message_id, *line, turn in connection.execute(
        IN_TURN, (destination, limit)
    ).fetchall():
        if left == 0:
            break
        if message_id not in chosen:
            mates = connection.execute(
                MATES, (destination, *line, turn, turn + left - 1)
            ).fetchall()
            own = [number for number, message in mates if message == message_id]
            chosen[message_id] = own
            left -= len(own)
    return chosen


def _leases(
    connection: sqlite3.Connection, chosen: dict[int, list[int]], destination: str,
    until: float,
) -> list[Lease]:
    messages: dict[int, QueuedMessage] = {}
    waiting: dict[int, Waiting] = {}
    numbers = [number for own in chosen.values() for number in own]
    for row in connection.execute(_ROWS, (json.dumps(numbers),)):
        if row[0] not in messages:
            messages[row[0]] = message_of(row)
        waiting[row[MESSAGE_COLUMNS]] = waiting_of(row[MESSAGE_COLUMNS:])
    parts = [
        (message_id, part)
        for message_id, own in chosen.items()
        for part in in_parts([waiting[number] for number in own])
    ]
    tokens = range(next_numbers(connection, len(parts)), 2**63)
    return [
        Lease(messages[message_id], destination, part, token, until)
        for (message_id, part), token in zip(parts, tokens, strict=False)
    ]


def renew(change: Change, lent: Lease, until: float) -> Lease | None:
    """See :meth:`mailhub.interfaces.IQueue.renew`."""
    rows = tokens_of(change.connection, [each.recipient_id for each in lent.recipients])
    tokens = {token for _, token, _ in rows}
    if lent.token not in tokens:
        return None
    change.connection.execute(
        "update queue_recipient set wake = ? where token = ? and recipient_id in"
        " (select value from json_each(?))",
        (until, lent.token, json.dumps([number for number, _, _ in rows])),
    )
    return replace(lent, until=until)


def tokens_of(
    connection: sqlite3.Connection, recipient_ids: list[int]
) -> list[tuple[int, int | None, int]]:
    """Of recipients that are there: recipient_id, token, message_id."""
    return connection.execute(
        "select recipient_id, token, message_id from queue_recipient"
        " where recipient_id in (select value from json_each(?))",
        (json.dumps(recipient_ids),),
    ).fetchall()


def free(change: Change, keeper: str, after: int) -> tuple[int, int]:
    """End the leases of *keeper* among the next recipients after *after*.

    -> how many they were, and after whom to go on; 0 for the end
    """
    rows = change.connection.execute(
        "select recipient_id, hold, keeper from queue_recipient"
        " where recipient_id > ? order by recipient_id limit ?",
        (after, _STEP),
    ).fetchall()
    own = [row[:2] for row in rows if row[2] == keeper]
    let_go(change, own)
    return len(own), rows[-1][0] if len(rows) == _STEP else 0
