"""Whose turn it is: the order in which ready recipients of a destination leave.

By priority first (*rank*: the less, the sooner), then by *turn*.  A recipient that
becomes ready gets the turn after the last that its sender has there, but none
before the first of all: who has much waiting has it far ahead, and who comes with
little is next (start-time fair queueing).  All that is needed for this is looked up
in the ready rows themselves.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from .change import QUEUE, Change
from .queue_tables import HELD, READY

#: Recipients that become ready in one transaction at most: some milliseconds' work.
SLICE = 250

#: Where a recipient stands in line: destination, rank, origin.
Line = tuple[str, int, str]

FIRST = (
    "select coalesce(min(turn), 0) from queue_recipient where state = 0"
    " and destination = ? and rank = ?"
)
LAST = (
    "select coalesce(max(turn), -1) from queue_recipient where state = 0"
    " and destination = ? and rank = ? and origin = ?"
)
DUE = (
    "select recipient_id, hold, token, message_id from queue_recipient where wake <= ?"
    " order by wake limit ?"
)
_SAME_LEASE = (
    "select r.recipient_id, r.hold from queue_message m join queue_recipient r"
    " on r.recipient_id between m.message_id and m.message_id + m.span - 1"
    " where m.message_id = ? and r.token in (select value from json_each(?))"
)


def next_turns(connection: sqlite3.Connection, lines: Sequence[Line]) -> list[int]:
    """The turns of recipients that are about to become ready, in this order."""
    first: dict[tuple[str, int], int] = {}
    following: dict[Line, int] = {}
    for line in dict.fromkeys(lines):
        place = line[:2]
        if place not in first:
            [[first[place]]] = connection.execute(FIRST, place).fetchall()
        [[last]] = connection.execute(LAST, line).fetchall()
        following[line] = max(first[place], last + 1)
    turns = []
    for line in lines:
        turns.append(following[line])
        following[line] += 1
    return turns


def make_ready(change: Change, recipient_ids: Sequence[int]) -> None:
    """Let recipients be ready that were not; none is held."""
    if not recipient_ids:
        return
    connection = change.connection
    rows = connection.execute(
        "select recipient_id, destination, rank, origin from queue_recipient"
        " where recipient_id in (select value from json_each(?))"
        " order by recipient_id",
        (json.dumps(recipient_ids),),
    ).fetchall()
    turns = next_turns(connection, [row[1:] for row in rows])
    connection.executemany(
        f"update queue_recipient set state = {READY}, wake = null, token = null,"
        " keeper = null, turn = ? where recipient_id = ?",
        [(turn, row[0]) for turn, row in zip(turns, rows, strict=True)],
    )
    note_ready(change, {row[1] for row in rows})
    change.touched.add(QUEUE)


def note_ready(change: Change, destinations: Iterable[str]) -> None:
    """Write down for which of *destinations* somebody is ready, and since when."""
    values = [(destination,) for destination in destinations]
    change.connection.executemany(
        "delete from queue_destination where destination = ?", values
    )
    change.connection.executemany(
        "insert into queue_destination select destination, min(due)"
        " from queue_recipient where state = 0 and destination = ?"
        " group by destination",
        values,
    )


def has_due(connection: sqlite3.Connection, now: float) -> bool:
    """Whether :func:`wake` would find anything to do."""
    return bool(connection.execute(DUE, (now, 1)).fetchall())


def wake(change: Change, now: float) -> bool:
    """Let those be ready whose time has come: a slice.  -> whether more may wait

    A lease has ended for some of them; who has it learns of that when it settles.
    """
    rows = change.connection.execute(DUE, (now, SLICE)).fetchall()
    ended = {recipient_id: hold for recipient_id, hold, _, _ in rows}
    if len(rows) == SLICE:
        # A lease ends as a whole.
        *_, last = rows[-1]
        tokens = {token for _, _, token, message_id in rows if message_id == last}
        same = (last, json.dumps(list(tokens - {None})))
        ended.update(change.connection.execute(_SAME_LEASE, same).fetchall())
    let_go(change, ended.items())
    return len(rows) == SLICE


def let_go(change: Change, rows: Iterable[tuple[int, str]]) -> None:
    """Let recipients be ready, or held: pairs of recipient_id and *hold*."""
    where: defaultdict[bool, list[int]] = defaultdict(list)
    for recipient_id, hold in rows:
        where[bool(hold)].append(recipient_id)
    change.connection.executemany(
        f"update queue_recipient set state = {HELD}, wake = null, token = null,"
        " keeper = null where recipient_id = ?",
        [(recipient_id,) for recipient_id in where[True]],
    )
    make_ready(change, where[False])
