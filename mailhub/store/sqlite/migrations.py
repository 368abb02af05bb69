"""From the tables of an older program to those of this one, step by step.

A database has the version of its tables in ``user_version``.  Each step leads to
the next version; what it changes and the new version are one transaction, so that
after a loss of power a store has either.  Long work is done in slices, each one
transaction: the last of them sets the version, and what is left to do is to be
seen in the tables themselves, so that whoever comes next goes on.  No copy is made
before: there is nothing in between that one would have to go back from.

Of processes that start together one does the work and the others wait for it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import forward_tables, queue_tables


@dataclass(frozen=True, slots=True)
class Step:
    """One step to the next version.

    :ivar text: what it brings, for the log.
    :ivar make: does a slice of the work, inside a transaction of its own, in less
        than a second.  -> whether that was the last.
    """

    text: str
    make: Callable[[sqlite3.Connection], bool]


def _let_leave(connection: sqlite3.Connection) -> bool:
    forward_tables.make(connection)
    return queue_tables.make(connection)


#: The first leads from version 1 to version 2, and so on.
STEPS: tuple[Step, ...] = (
    Step("mail that leaves: a queue, forwards", _let_leave),
    Step("mail that ends the server is found", queue_tables.count_faults),
)


def latest(steps: Sequence[Step]) -> int:
    """The version that all *steps* lead to."""
    return 1 + len(steps)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a database's tables; 0 if it has none."""
    [[version]] = connection.execute("pragma user_version").fetchall()
    return int(version)


def migrate(
    connection: sqlite3.Connection, directory: str, steps: Sequence[Step]
) -> None:
    """Bring the database of the data directory *directory* to the latest version.

    :param steps: :data:`STEPS`, but for tests.
    :raises sqlite3.Error: it cannot be changed; what was done so far stays.
    :raises OSError: the directory cannot be locked.
    """
    from twisted.logger import Logger  # for the few who need it

    log = Logger(__name__)
    with _alone(directory, log):
        while (version := version_of(connection)) < latest(steps):
            log.info(
                "{directory}: from store version {version} to {next}: {text}",
                directory=directory, version=version, next=version + 1,
                text=steps[version - 1].text,
            )
            slices = 1
            while not _make_slice(connection, version, steps[version - 1]):
                slices += 1
            log.info(
                "{directory}: store version {next} is reached after {slices} slices",
                directory=directory, next=version + 1, slices=slices,
            )


def _make_slice(connection: sqlite3.Connection, version: int, step: Step) -> bool:
    """One transaction's work.  -> whether the step is done"""
    connection.execute("begin immediate")
    try:
        is_done = step.make(connection)
        if is_done:
            connection.execute(f"pragma user_version={version + 1}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    return is_done


@contextmanager
def _alone(directory: str, log: Any) -> Iterator[None]:
    """Keep others that would migrate waiting.

    The lock is on the directory: one on the database file would, when it is closed,
    take SQLite's own locks of this process with it.
    """
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info(
                "{directory}: waiting for a process that changes the store",
                directory=directory,
            )
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
