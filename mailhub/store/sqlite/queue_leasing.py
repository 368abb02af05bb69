"""Lending what is due, to one sender at a time."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from ...mail.queued import Backlog, Lease, QueuedMessage, Waiting
from ..queueing import in_parts
from .change import Change
from .queue_adding import next_numbers
from .queue_rows import (
    MESSAGE,
    MESSAGE_COLUMNS,
    WAITING,
    message_of,
    unpack_parameters,
    waiting_of,
)
from .queue_tables import LATER, LENT
from .queue_turns import let_go, make_ready, note_ready, wake

#: Recipients that a free-for-all looks at in one transaction.
_STEP = 1000

READY_DESTINATIONS = (
    "select destination, since from queue_destination order by since limit ?"
)
NEXT_DUE = "select min(wake) from queue_recipient where wake > ?"
TOO_LATE = (
    "select r.wake, r.recipient_id, r.state, m.parameters from queue_recipient r"
    " join queue_message m on m.message_id = r.message_id"
    " where r.wake >= ?1 and (r.wake, r.recipient_id) > (?1, ?2)"
    " order by r.wake, r.recipient_id limit ?3"
)
IN_TURN = (
    f"select m.span, r.rank, r.origin, r.turn, {MESSAGE}, {WAITING}"
    " from queue_recipient r join queue_message m on m.message_id = r.message_id"
    " where r.state = 0 and r.destination = ? order by r.rank, r.turn limit ?"
)
#: Recipients of a message became ready together and have turns one after the other,
#: however far apart their numbers are.
MATES = (
    f"select {WAITING} from queue_recipient r where r.state = 0"
    " and r.destination = ? and r.rank = ? and r.origin = ? and r.turn between ? and ?"
    " and r.message_id = ? order by r.turn"
)


def ready(connection: sqlite3.Connection, limit: int) -> list[Backlog]:
    """Destinations that somebody ready is for, the longest waiting first."""
    rows = connection.execute(READY_DESTINATIONS, (limit,)).fetchall()
    return [Backlog(*row) for row in rows]


def next_due(connection: sqlite3.Connection, now: float) -> float | None:
    """See :meth:`mailhub.interfaces.IQueue.next_due`."""
    [[due]] = connection.execute(NEXT_DUE, (now,)).fetchall()
    return None if due is None else float(due)


#: What one asks for gets: messages, and of each those who come together.
_Chosen = list[tuple[QueuedMessage, list[Waiting]]]


@dataclass(frozen=True, slots=True)
class Leasing:
    """The change that lends; see :meth:`mailhub.interfaces.IQueue.lease`.

    Its result is leases, and whether there may be more when it is made again though
    there are none now.
    """

    destination: str
    limit: int
    keeper: str
    now: float
    until: float

    def __call__(self, change: Change) -> tuple[list[Lease], bool]:
        """Make it."""
        [result] = self.together(change, [self])
        return result

    @staticmethod
    def together(
        change: Change, leasings: Sequence[Any]
    ) -> list[tuple[list[Lease], bool]]:
        """Make all of them."""
        return _lend_all(change, leasings)


def _lend_all(
    change: Change, leasings: Sequence[Leasing]
) -> list[tuple[list[Lease], bool]]:
    is_more = wake(change, max([each.now for each in leasings]))
    connection = change.connection
    taken: defaultdict[str, set[int]] = defaultdict(set)
    every = [
        _choose(connection, each.destination, each.limit, taken[each.destination])
        for each in leasings
    ]
    parts = [
        [(message, part) for message, own in chosen for part in in_parts(own)]
        for chosen in every
    ]
    total = sum(map(len, parts))
    if not total:
        return [([], is_more) for _ in leasings]
    tokens = count(next_numbers(connection, total))
    results = [
        [
            Lease(message, each.destination, part, next(tokens), each.until)
            for message, part in own
        ]
        for each, own in zip(leasings, parts, strict=True)
    ]
    connection.executemany(
        f"update queue_recipient set state = {LENT}, wake = ?, token = ?, keeper = ?"
        " where recipient_id = ?",
        [
            (lent.until, lent.token, each.keeper, one.recipient_id)
            for each, leases in zip(leasings, results, strict=True)
            for lent in leases
            for one in lent.recipients
        ],
    )
    note_ready(change, [name for name, numbers in taken.items() if numbers])
    return [(leases, is_more and not leases) for leases in results]


def _choose(
    connection: sqlite3.Connection, destination: str, limit: int, taken: set[int]
) -> _Chosen:
    """Up to *limit* recipients whose turn it is, by message; those of one together.

    :param taken: those that others have been given already; gets the new ones.
    """
    rows = connection.execute(IN_TURN, (destination, limit + len(taken))).fetchall()
    messages: dict[int, QueuedMessage] = {}
    chosen: dict[int, list[Waiting]] = {}
    left = limit
    for span, rank, origin, turn, *row in rows:
        if left <= 0:
            break
        first = waiting_of(row[MESSAGE_COLUMNS:])
        if first.recipient_id in taken:
            continue
        own = [first]
        if span > 1 and left > 1:
            last = turn + min(left, span) - 1
            mates = connection.execute(
                MATES, (destination, rank, origin, turn + 1, last, row[0])
            ).fetchall()
            own += [waiting_of(mate) for mate in mates if mate[0] not in taken]
        message_id = row[0]
        if message_id in chosen:
            # One that has become ready at another time.
            chosen[message_id] += own
        else:
            messages[message_id], chosen[message_id] = message_of(row), own
        taken.update([each.recipient_id for each in own])
        left -= len(own)
    for own in chosen.values():
        own.sort(key=lambda each: each.recipient_id)
    return [(messages[message_id], own) for message_id, own in chosen.items()]


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


def too_late(
    connection: sqlite3.Connection, after: tuple[float, int]
) -> tuple[list[int], tuple[float, int] | None]:
    """Recipients that are to wait, though not by the wish of their sender: some.

    :param after: those that wait until then, with greater numbers, and beyond.

    -> them, and after whom to go on; ``None`` for the end
    """
    rows = connection.execute(TOO_LATE, (*after, _STEP)).fetchall()
    found = [
        recipient_id
        for wake, recipient_id, state, packed in rows
        if state == LATER and (unpack_parameters(packed).hold_until or 0.0) < wake
    ]
    return found, rows[-1][:2] if len(rows) == _STEP else None


def hasten(change: Change, recipient_ids: Sequence[int], now: float) -> int:
    """Let recipients be due *now* that are to wait.  -> how many still were"""
    chosen = json.dumps(recipient_ids)
    rows = change.connection.execute(
        "update queue_recipient set due = ?, wake = ? where state = ? and"
        " recipient_id in (select value from json_each(?)) returning recipient_id",
        (now, now, LATER, chosen),
    ).fetchall()
    make_ready(change, [recipient_id for (recipient_id,) in rows])
    return len(rows)


def tokens_of(
    connection: sqlite3.Connection, recipient_ids: list[int]
) -> list[tuple[int, int | None, int]]:
    """Of recipients that are there: recipient_id, token, message_id."""
    return connection.execute(
        "select recipient_id, token, message_id from queue_recipient"
        " where recipient_id in (select value from json_each(?))",
        (json.dumps(recipient_ids),),
    ).fetchall()


def free(
    change: Change, keeper: str, begun: Collection[int], after: int
) -> tuple[int, int]:
    """End the leases of *keeper* among the next recipients after *after*.

    :param begun: tokens of those that count as a fault.

    -> how many they were, and after whom to go on; 0 for the end
    """
    rows = change.connection.execute(
        "select recipient_id, hold, keeper, token from queue_recipient"
        " where recipient_id > ? order by recipient_id limit ?",
        (after, _STEP),
    ).fetchall()
    own = [row[:2] for row in rows if row[2] == keeper]
    change.connection.executemany(
        "update queue_recipient set faults = faults + 1 where recipient_id = ?",
        [(row[0],) for row in rows if row[2] == keeper and row[3] in begun],
    )
    let_go(change, own)
    return len(own), rows[-1][0] if len(rows) == _STEP else 0
