"""The server with one of its precautions taken out::

    python -m tests.faults.broken PRECAUTION [arguments of twistd...]

A test of durability that cannot fail proves nothing.  These are the mistakes that it
has to find, made on purpose.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from twisted.scripts.twistd import run

from mailhub.store.sqlite import durable
from mailhub.store.sqlite.change import Change
from mailhub.store.sqlite.writer import Writer

#: Seconds between a premature answer and its commit.
HASTE = 0.05


def without_flush() -> None:
    """Nothing is ever flushed; the operating system writes when it likes."""
    durable.SYNCHRONOUS = "PRAGMA synchronous=OFF"
    without_file_flush()
    without_name_flush()


def without_commit_flush() -> None:
    """SQLite's way to be fast: the log is flushed now and then, not per commit."""
    durable.SYNCHRONOUS = "PRAGMA synchronous=NORMAL"


def without_file_flush() -> None:
    """Large messages are written to their file, which is not flushed."""
    durable.sync_file = lambda descriptor: None


def without_name_flush() -> None:
    """Files are flushed, the directories that name them are not."""
    durable.sync_directory = lambda path: None


def without_order() -> None:
    """The answer goes out a moment before the commit."""

    def commit_late(writer: Writer, group: list) -> set:
        touched = set()
        writer._begin()
        for work in group:
            change = Change(writer._connection, writer._files, writer._now())
            writer._make(work, change)
            touched |= change.touched
        writer._reactor.callFromThread(writer._finish, group, touched)
        time.sleep(HASTE)
        writer._connection.execute("commit")
        return set()

    Writer._commit = commit_late


PRECAUTIONS: dict[str, Callable[[], None]] = {
    "flush": without_flush,
    "commit-flush": without_commit_flush,
    "file-flush": without_file_flush,
    "name-flush": without_name_flush,
    "order": without_order,
}


if __name__ == "__main__":
    PRECAUTIONS[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()
