"""Whether contents are counted for as many messages as have them."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from ..change import Change
from . import rescue
from .findings import Finding, Kind
from .view import View

#: Numbers counted in one pass over all rows that may refer to them: 16 MiB.
WINDOW = 4 * 1024 * 1024
#: Rows read at once.
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Counted:
    """What refers to a table, and what is counted there.

    :ivar name: of the table, ``item`` or ``blob``.
    :ivar sources: select the numbers referred to, between two bounds.
    :ivar shown: an expression for the ``blob`` of a finding.
    """

    name: str
    sources: tuple[str, ...]
    shown: str
    wrong: Kind
    unreferenced: Kind


TABLES = (
    Counted(
        "item",
        (
            "select item_id from message where item_id between ? and ?",
            "select item_id from garbage where item_id between ? and ?",
        ),
        "null", Kind.ITEM_REFERENCES, Kind.UNREFERENCED_ITEM,
    ),
    Counted(
        "blob",
        (
            "select blob_id from item where blob_id between ? and ?",
            "select blob_id from queue_message where blob_id between ? and ?",
        ),
        "lower(hex(digest))", Kind.BLOB_REFERENCES, Kind.UNREFERENCED_BLOB,
    ),
)


@dataclass(frozen=True, slots=True)
class Window:
    """Some numbers of one table."""

    table: Counted
    first: int
    last: int


class References:
    """One state of the whole store for each :data:`WINDOW`."""

    name = "references"
    pieces = (
        f"select 2 + ((select max(item_id) from item) + (select max(blob_id) from"
        f" blob)) / {WINDOW}"
    )

    def scopes(self, view: View) -> Iterator[Window]:
        if view.account_id is not None:
            return
        for table in TABLES:
            [last] = view.row(
                f"select coalesce(max({table.name}_id), 0) from {table.name}"
            )
            for first in range(0, last + 1, WINDOW):
                yield Window(table, first, min(first + WINDOW - 1, last))

    def look(self, view: View, scope: Window) -> list[Finding]:
        table, bounds = scope.table, (scope.first, scope.last)
        references = _count(view.connection, table.sources, bounds)
        name = table.name
        cursor = view.connection.execute(
            f"select {name}_id, s.extra, {table.shown} from {name} t"
            f" left join shared_{name} s using ({name}_id)"
            f" where {name}_id between ? and ?", bounds,
        )
        found = []
        while rows := cursor.fetchmany(_STEP):
            for number, extra, shown in rows:
                there = references[number - scope.first]
                if there != (1 if extra is None else extra + 1) or extra == 0:
                    found.append(_finding(view, table, number, extra, there, shown))
        return found


def _count(
    connection: sqlite3.Connection, sources: Iterable[str], bounds: tuple[int, int]
) -> array[int]:
    """How often each number between *bounds* is referred to."""
    first, last = bounds
    counts = array("I", [0]) * (last - first + 1)
    for statement in sources:
        cursor = connection.execute(statement, bounds)
        while rows := cursor.fetchmany(_STEP):
            for (number,) in rows:
                counts[number - first] += 1
    return counts


def _finding(
    view: View, table: Counted, number: int, extra: int | None, there: int,
    shown: str | None,
) -> Finding:
    what = f"{table.name} {number}"
    if there == 0:
        rescued = partial(rescue.RESCUES[table.name], view.rescue, number)
        return Finding(
            table.unreferenced, f"nothing refers to {what}", blob=shown, what=what,
            repair=None if view.rescue is None else rescued,
        )
    counted = 1 if extra is None else extra + 1
    return Finding(
        table.wrong, f"{what}: {counted} references are counted, there are {there}",
        blob=shown, what=what, repair=partial(_set, table.name, number, there),
    )


def _set(name: str, number: int, references: int, change: Change) -> None:
    connection = change.connection
    connection.execute(f"delete from shared_{name} where {name}_id = ?", (number,))
    if references > 1:
        connection.execute(
            f"insert into shared_{name} values (?, ?)", (number, references - 1)
        )
