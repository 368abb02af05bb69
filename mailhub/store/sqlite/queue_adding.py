"""Messages into the queue: those of one delivery, or of many at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...mail.queued import Lease, Outgoing, QueuedMessage, Sending, Waiting
from ..queueing import in_parts, origin_of
from .change import QUEUE, Change
from .queue_rows import pack_parameters
from .queue_tables import HELD, LATER, LENT, READY
from .queue_turns import next_turns, note_ready

#: A row of ``queue_recipient``, as :data:`_INSERT` takes it.
_Row = tuple[Any, ...]
_INSERT = (
    "insert into queue_recipient values"
    " (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', '', ?, ?, ?, ?, ?, ?, 0)"
)
#: Places in it.
_DESTINATION, _STATE, _RANK, _ORIGIN = 3, 6, 12, 13


@dataclass(frozen=True, slots=True)
class Putting:
    """A message to put into the queue.

    :ivar blob_id: its content, which has been counted for it.
    :ivar size: octets of all of it.
    """

    sending: Sending
    blob_id: int
    prefix: bytes
    size: int


def next_numbers(connection: sqlite3.Connection, many: int) -> int:
    """Numbers that the queue has never given.  -> the first of *many*"""
    [[last]] = connection.execute(
        "update setting set value = value + ? where name = 'queue' returning value",
        (many,),
    ).fetchall()
    return int(last) - many + 1


def put(change: Change, new: Sequence[Putting]) -> list[list[Lease]]:
    """Put messages into the queue.  -> for each what its keeper has a lease of"""
    connection = change.connection
    total = sum([len(each.sending.recipients) for each in new])
    number = next_numbers(connection, total)
    messages: list[tuple[object, ...]] = []
    waiting: list[_Row] = []
    lent: list[_Row] = []
    leases: list[list[Lease]] = []
    for each in new:
        sending = each.sending
        messages.append(_message_row(each, number))
        if sending.keeper is None or sending.hold:
            waiting += _rows(sending, number)
            leases.append([])
        else:
            own = _lend(each, number)
            lent += _lent_rows(sending, own)
            leases.append(own)
        number += len(sending.recipients)
    connection.executemany(
        "insert into queue_message values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", messages
    )
    if waiting:
        _put_in_line(change, waiting)
    connection.executemany(_INSERT, lent)
    return leases


def _message_row(putting: Putting, number: int) -> tuple[object, ...]:
    sending = putting.sending
    return (
        number, len(sending.recipients), sending.queue_id, sending.sender, sending.user,
        pack_parameters(sending.parameters), sending.arrived, sending.expires,
        putting.size, putting.blob_id, bytearray(putting.prefix),
    )


def _rows(sending: Sending, number: int) -> list[_Row]:
    """Recipients that are ready, due later, or held."""
    if sending.hold:
        state, wake = HELD, None
    elif sending.due > sending.arrived:
        state, wake = LATER, sending.due
    else:
        state, wake = READY, None
    line = -sending.parameters.priority, origin_of(sending.user, sending.sender)
    return [
        (
            *_first_columns(number, recipient_id, outgoing),
            state, sending.due, wake, sending.hold, None, None, *line, 0,
        )
        for recipient_id, outgoing in enumerate(sending.recipients, number)
    ]


def _lent_rows(sending: Sending, leases: Sequence[Lease]) -> list[_Row]:
    number = leases[0].message.message_id
    token_of = {
        each.recipient_id: lease.token for lease in leases for each in lease.recipients
    }
    line = -sending.parameters.priority, origin_of(sending.user, sending.sender)
    return [
        (
            *_first_columns(number, recipient_id, outgoing),
            LENT, sending.due, sending.kept_until, "", token_of[recipient_id],
            sending.keeper, *line, 0,
        )
        for recipient_id, outgoing in enumerate(sending.recipients, number)
    ]


def _first_columns(
    message_id: int, recipient_id: int, outgoing: Outgoing
) -> tuple[object, ...]:
    notify = outgoing.notify
    return (
        recipient_id, message_id, outgoing.recipient, outgoing.destination,
        None if notify is None else notify.value, outgoing.original,
    )


def _lend(putting: Putting, number: int) -> list[Lease]:
    """Leases of all recipients of a message.

    The number of its first recipient is the token of each: none is given twice.
    """
    sending = putting.sending
    message = QueuedMessage(
        number, sending.queue_id, sending.sender, sending.user, sending.parameters,
        putting.size, sending.arrived, sending.expires,
    )
    together: dict[str, list[Waiting]] = {}
    for recipient_id, outgoing in enumerate(sending.recipients, number):
        together.setdefault(outgoing.destination, []).append(
            Waiting(
                recipient_id, outgoing.recipient, outgoing.destination,
                outgoing.notify, outgoing.original, sending.due,
            )
        )
    return [
        Lease(message, destination, part, part[0].recipient_id, sending.kept_until)
        for destination, waiting in together.items()
        for part in in_parts(waiting)
    ]


def _put_in_line(change: Change, rows: list[_Row]) -> None:
    """Put rows of recipients into the queue that nobody has a lease of."""
    ready = [row for row in rows if row[_STATE] == READY]
    if ready:
        lines = [(row[_DESTINATION], row[_RANK], row[_ORIGIN]) for row in ready]
        turns = next_turns(change.connection, lines)
        rows = [row for row in rows if row[_STATE] != READY]
        rows += [(*row[:-1], turn) for row, turn in zip(ready, turns, strict=True)]
    change.connection.executemany(_INSERT, rows)
    note_ready(change, {row[_DESTINATION] for row in ready})
    # Also for what is due later: somebody sleeps until the first that he knows of.
    change.touched.add(QUEUE)
