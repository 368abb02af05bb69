"""The database file as such: its pages, tables, types, and who may read it."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from .. import schema
from ..change import Change
from .findings import Finding, Kind
from .view import View

#: What SQLite tells of at most, of one damaged file.
_MOST = 100

_OBJECTS = (
    "select type, name, sql from sqlite_schema where name not like 'sqlite_%'"
)
_WHITE = re.compile(r"\s+")

#: Directories of a store below the data directory, which others need not see.
_DIRECTORIES = ("blobs", "run", "tmp")

#: The counters in ``setting``, and what they may not be behind.
_COUNTERS = {
    "directory": "select 0",
    "queue": (
        "select max(coalesce((select max(message_id + span - 1) from queue_message),"
        " 0), coalesce((select max(max(recipient_id, coalesce(token, 0)))"
        " from queue_recipient), 0))"
    ),
    "uidvalidity": (
        "select max(coalesce((select max(uidvalidity) from mailbox"
        " where uidvalidity <= 4294967295), 0),"
        " coalesce((select max(uidvalidity) from former_name"
        " where uidvalidity <= 4294967295), 0))"
    ),
}


class Structure:
    """Damage that makes everything else doubtful comes first."""

    name = "database"
    pieces = "select 4"

    def scopes(self, view: View) -> Iterator[Callable[[View], list[Finding]]]:
        if not view.quick:
            yield pages
        yield tables
        yield values
        yield modes

    def look(
        self, view: View, scope: Callable[[View], list[Finding]]
    ) -> list[Finding]:
        return scope(view)


def pages(view: View) -> list[Finding]:
    """SQLite's own check of the file."""
    rows = view.rows(f"pragma integrity_check({_MOST})")
    return [
        Finding(Kind.DATABASE, text, what=text) for (text,) in rows if text != "ok"
    ]


def tables(view: View) -> list[Finding]:
    """Compare tables, indexes and triggers with those of a new store."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.make_tables(fresh)
        expected = _objects(fresh)
    present = _objects(view.connection)
    lacks_a_table = any(
        each not in present for each in expected if each[0] == "table"
    )
    found = []
    for (kind, name), text in expected.items():
        if (kind, name) not in present:
            detail = f"{kind} {name} is missing"
        elif _shape(text) != _shape(present[kind, name]):
            detail = f"{kind} {name} is another one"
        else:
            continue
        repair = None
        if not lacks_a_table and kind != "table":
            repair = partial(_make_anew, kind, name, text)
        found.append(Finding(Kind.SCHEMA, detail, what=name, repair=repair))
    return found


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute(_OBJECTS).fetchall()
    return {(kind, name): text for kind, name, text in rows}


def _shape(text: str) -> str:
    """A definition without what means nothing: spaces, comments, quotes."""
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return _WHITE.sub("", "".join(lines)).replace('"', "").lower()


def _make_anew(kind: str, name: str, text: str, change: Change) -> None:
    change.connection.execute(f"drop {kind} if exists {name}")
    change.connection.execute(text)


def values(view: View) -> list[Finding]:
    """Types: a table is one pass, which leaves long values unread."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.make_tables(fresh)
        names = {name for kind, name in _objects(fresh) if kind == "table"}
    present = {name for kind, name in _objects(view.connection) if kind == "table"}
    found = []
    for table in sorted(names & present):
        columns = view.rows(f"pragma table_info({table})")
        wrong = [
            f"sum(typeof({name}) not in ('{kind.lower()}'"
            f"{'' if needed or is_key else ', ' + repr('null')}))"
            for _, name, kind, needed, _, is_key in columns
        ]
        counts = view.row(f"select {', '.join(wrong)} from {table}")
        for (_, name, *_), count in zip(columns, counts, strict=True):
            if count:
                detail = f"{table}.{name}: {count} values of another type"
                what = f"{table}.{name}"
                found.append(Finding(Kind.VALUE, detail, what=what))
    return found


class Settings:
    """Counters that serve the whole store."""

    name = "settings"
    pieces = "select 1"

    def scopes(self, view: View) -> Iterator[None]:
        yield None

    def look(self, view: View, scope: None) -> list[Finding]:
        return list(_settings(view))


def _settings(view: View) -> Iterator[Finding]:
    for name, statement in _COUNTERS.items():
        [least] = view.row(statement)
        rows = view.rows("select value from setting where name = ?", name)
        if rows and rows[0][0] >= least:
            continue
        value = rows[0][0] if rows else "missing"
        detail = f"counter {name} is {value}, at least {least} was expected"
        repair = partial(_set_counter, name, least)
        yield Finding(Kind.SETTING, detail, what=name, repair=repair)


def _set_counter(name: str, least: int, change: Change) -> None:
    change.connection.execute(
        "insert into setting values (?, ?)"
        " on conflict do update set value = excluded.value",
        (name, least),
    )


def modes(view: View) -> list[Finding]:
    """Only the owner may read mail."""
    database = f"{view.path}/{schema.FILE_NAME}"
    paths = [database, f"{database}-wal", f"{database}-shm"]
    paths += [f"{view.path}/{name}" for name in _DIRECTORIES]
    return [finding for path in paths for finding in mode_of(path)]


def mode_of(path: str) -> list[Finding]:
    """What is wrong with the permissions of *path*, if it is there."""
    try:
        mode = stat.S_IMODE(os.lstat(path).st_mode)
    except FileNotFoundError:
        return []
    if not mode & 0o077:
        return []
    detail = f"{path} has mode {mode:04o}"
    return [Finding(Kind.MODE, detail, what=path, repair=partial(_close_up, path))]


def _close_up(path: str, change: Change) -> None:
    os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~0o077)
