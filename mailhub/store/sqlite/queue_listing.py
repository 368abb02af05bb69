"""What people see of the queue, some messages at a time."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ...mail.queue_list import AgeRow, Entry, Selection
from .change import is_text
from .queue_rows import MESSAGE, MESSAGE_COLUMNS, WAITING, message_of, waiting_of
from .queue_tables import LENT

#: Recipients to look at, or to change, before others get their turn; of one message
#: there may be more.
STEP = 500

_NEXT = (
    "select message_id, span from queue_message where message_id > ?"
    " order by message_id limit ?"
)
#: The sign keeps SQLite from going through all messages.
_NEXT_NAMED = (
    "select message_id, span from queue_message where +message_id > ?"
    " and queue_id in (select value from json_each(?)) order by message_id limit ?"
)
#: Recipients of messages, and which of them; see :func:`conditions`.
SELECTED = (
    "from queue_message m join queue_recipient r"
    " on r.recipient_id between m.message_id and m.message_id + m.span - 1"
    " where m.message_id in (select value from json_each(?1))"
    " and (?2 is null or m.sender = ?2) and (?3 is null or r.recipient = ?3)"
    " and (?4 is null or r.destination = ?4)"
    " and (?5 is null or (r.hold <> '') = ?5)"
    " and (?6 is null or (r.attempts > 0) = ?6) order by r.recipient_id"
)
_ROWS = f"select {MESSAGE}, r.state, {WAITING} {SELECTED}"


def next_messages(
    connection: sqlite3.Connection, selection: Selection, after: int
) -> list[int]:
    """Messages above *after* to look at next; none at the end."""
    asked = selection.sender, selection.recipient, selection.destination
    if not all([is_text(text or "") for text in (*asked, *selection.queue_ids)]):
        return []
    if selection.queue_ids:
        names = json.dumps(selection.queue_ids)
        rows = connection.execute(_NEXT_NAMED, (after, names, STEP)).fetchall()
    else:
        rows = connection.execute(_NEXT, (after, STEP)).fetchall()
    chosen: list[int] = []
    recipients = 0
    for message_id, span in rows:
        recipients += span
        if chosen and recipients > STEP:
            break
        chosen.append(message_id)
    return chosen


def conditions(message_ids: Sequence[int], selection: Selection) -> tuple[Any, ...]:
    """The parameters of :data:`SELECTED`."""
    return (
        json.dumps(message_ids), selection.sender, selection.recipient,
        selection.destination, selection.held, selection.deferred,
    )


def entries(
    connection: sqlite3.Connection, message_ids: Sequence[int], selection: Selection
) -> list[Entry]:
    """Those of some messages that are selected."""
    rows = connection.execute(_ROWS, conditions(message_ids, selection))
    return [_entry(list(own)) for _, own in groupby(rows, lambda row: row[0])]


def _entry(rows: Sequence[Sequence[Any]]) -> Entry:
    recipients = [waiting_of(row[MESSAGE_COLUMNS + 1 :]) for row in rows]
    return Entry(
        message_of(rows[0]), tuple(recipients),
        frozenset(
            [row[MESSAGE_COLUMNS + 1] for row in rows if row[MESSAGE_COLUMNS] == LENT]
        ),
    )


def arrivals(
    connection: sqlite3.Connection, message_ids: Sequence[int]
) -> Iterable[tuple[str, float]]:
    """Of each recipient of some messages: its destination, and when it arrived."""
    return connection.execute(
        f"select r.destination, m.arrived {SELECTED}",
        conditions(message_ids, Selection()),
    ).fetchall()


class Ages:
    """Counts recipients by destination and age.

    :param now: seconds since the epoch.
    :param bounds: of ages, in seconds, ascending.
    """

    def __init__(self, now: float, bounds: Sequence[float]) -> None:
        self._now = now
        self._bounds = bounds
        self._counts: dict[str, list[int]] = {}

    def add(self, arrivals: Iterable[tuple[str, float]]) -> None:
        """Count recipients: their destinations, and when they arrived."""
        for destination, arrived in arrivals:
            row = self._counts.setdefault(destination, [0] * (len(self._bounds) + 1))
            row[bisect_left(self._bounds, self._now - arrived)] += 1

    def rows(self) -> list[AgeRow]:
        """What was counted, by destination."""
        counts = self._counts
        return [AgeRow(name, tuple(counts[name])) for name in sorted(counts)]
