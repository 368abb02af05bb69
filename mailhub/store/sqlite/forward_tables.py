"""The table of users' forwards, and what brings it to an older store."""

from __future__ import annotations

import sqlite3

_TABLE = """
create table forward (
    account_id integer primary key,
    targets text not null,
    keeps integer not null
)
""".strip()

_EVENTS = ("insert", "update", "delete")


def statements() -> list[str]:
    """What makes it; a change of it is one of the directory."""
    return [_TABLE] + [
        f"create trigger forward_{event} after {event} on forward begin"
        " update setting set value = value + 1 where name = 'directory'; end"
        for event in _EVENTS
    ]


def make(connection: sqlite3.Connection) -> None:
    """Make it, as a part of a step."""
    for statement in statements():
        connection.execute(statement)
