"""Steps that a store might take one day, to try how it takes them::

    python -m tests.store.versions.steps FOLDER

brings the store in FOLDER up to the version after all of them; something kills it.
With ``--careless`` it does so in a way that does not survive that, and with ``--real``
the steps are those of the program as it is.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing

from mailhub.store.sqlite import durable, migrations
from mailhub.store.sqlite.migrations import Step, migrate
from mailhub.store.sqlite.schema import FILE_NAME

#: Rows of a slice.
_FEW = 7


def add_column(connection: sqlite3.Connection) -> bool:
    """The smallest step: one statement."""
    connection.execute("alter table account add column display_name text")
    return True


def fill_column(connection: sqlite3.Connection) -> bool:
    """Long work in slices: what is not done yet can be seen in the table."""
    names = [row[1] for row in connection.execute("pragma table_info(item)")]
    if "octets" not in names:
        connection.execute("alter table item add column octets integer")
    changed = connection.execute(
        "update item set octets = length(prefix) + length(envelope) where item_id in"
        f" (select item_id from item where octets is null limit {_FEW})"
    )
    return changed.rowcount < _FEW


def make_anew(connection: sqlite3.Connection) -> bool:
    """A table with another shape takes the place of the old one."""
    connection.execute(
        "create table doomed_file_new (digest blob primary key, since integer not null)"
        " without rowid"
    )
    connection.execute("insert into doomed_file_new select digest, 0 from doomed_file")
    connection.execute("drop table doomed_file")
    connection.execute("alter table doomed_file_new rename to doomed_file")
    return True


STEPS = (
    Step("names to show", add_column),
    Step("octets of what is not content", fill_column),
    Step("when files became garbage", make_anew),
)


def bring_up(folder: str, steps: tuple[Step, ...] = STEPS) -> None:
    """Bring the store in *folder* up to the version after *steps*."""
    database = f"{folder}/{FILE_NAME}"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(durable.SYNCHRONOUS)
        migrate(connection, os.path.abspath(folder), steps)


def bring_up_carelessly(folder: str) -> None:
    """The work is one transaction, and the version another."""
    database = f"{folder}/{FILE_NAME}"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(durable.SYNCHRONOUS)
        for version, step in enumerate(STEPS, 1):
            connection.execute("begin")
            while not step.make(connection):
                pass
            connection.execute("commit")
            connection.execute(f"pragma user_version={version + 1}")


def content_of(folder: str) -> list[str]:
    """All that the database of *folder* holds, and its version."""
    database = f"{folder}/{FILE_NAME}"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        [[version]] = connection.execute("pragma user_version").fetchall()
        [[state]] = connection.execute("pragma integrity_check").fetchall()
        return [f"version {version}", state, *connection.iterdump()]


if __name__ == "__main__":
    if "--careless" in sys.argv:
        bring_up_carelessly(sys.argv[1])
    elif "--real" in sys.argv:
        bring_up(sys.argv[1], migrations.STEPS)
    else:
        bring_up(sys.argv[1])
