"""How often a second the disk keeps something for good.

Each function takes a folder and the seconds to try, and returns a rate per second.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

BLOCK = bytes(range(256)) * 16
#: Octets of the file that is written over and over, and of a message with its row.
PREALLOCATED, MESSAGE = 8 << 20, 5_000
THREADS = 10


def rate(seconds: float, step: Callable[[int], None]) -> float:
    """How often *step* runs a second; it is told how often it ran before."""
    count, begin = 0, time.perf_counter()
    while (gone := time.perf_counter() - begin) < seconds:
        step(count)
        count += 1
    return count / gone


def _appending(
    folder: Path, seconds: float, flush: Callable[[int], None], name: str = "appended"
) -> float:
    with (folder / name).open("wb", buffering=0) as file:

        def step(_: int) -> None:
            file.write(BLOCK)
            flush(file.fileno())

        return rate(seconds, step)


def append_fsync(folder: Path, seconds: float) -> float:
    """Make a file longer by 4 KiB, and flush it."""
    return _appending(folder, seconds, os.fsync)


def append_fdatasync(folder: Path, seconds: float) -> float:
    """The same without what readers of the data do not need."""
    return _appending(folder, seconds, os.fdatasync)


def overwrite_fdatasync(folder: Path, seconds: float) -> float:
    """Write 4 KiB in the middle of a file, and flush: its size stays."""
    with (folder / "overwritten").open("w+b", buffering=0) as file:
        for _ in range(0, PREALLOCATED, len(BLOCK)):
            file.write(BLOCK)
        number = file.fileno()
        os.fsync(number)
        blocks = PREALLOCATED // len(BLOCK)

        def step(count: int) -> None:
            os.pwrite(number, BLOCK, count % blocks * len(BLOCK))
            os.fdatasync(number)

        return rate(seconds, step)


def append_fsync_threads(folder: Path, seconds: float) -> float:
    """Ten threads, each with a file of its own: their sum."""
    rates: list[float] = []
    threads = [
        Thread(
            target=lambda name=f"file{number}": rates.append(
                _appending(folder, seconds, os.fsync, name)
            )
        )
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


def new_files(folder: Path, seconds: float) -> float:
    """The Maildir's way: a new file of 4 KiB, flushed, moved to another folder."""
    for part in ("tmp", "new"):
        (folder / part).mkdir(exist_ok=True)

    def step(count: int) -> None:
        path = folder / "tmp" / str(count)
        with path.open("xb", buffering=0) as file:
            file.write(BLOCK)
            os.fsync(file.fileno())
        path.rename(folder / "new" / path.name)

    return rate(seconds, step)


def log_groups(folder: Path, seconds: float, group: int) -> float:
    """Append *group* messages to a log for each flush: messages."""
    with (folder / "log").open("wb", buffering=0) as file:

        def step(_: int) -> None:
            os.writev(file.fileno(), [bytes(MESSAGE)] * group)
            os.fdatasync(file.fileno())

        return group * rate(seconds, step)


def sqlite_groups(folder: Path, seconds: float, group: int) -> float:
    """Insert *group* messages for each commit into SQLite (WAL, FULL): messages."""
    for old in folder.glob("rows.db*"):
        old.unlink()
    database = sqlite3.connect(folder / "rows.db", isolation_level=None)
    try:
        database.execute("pragma journal_mode=wal")
        database.execute("pragma synchronous=full")
        database.execute("create table row (id integer primary key, body blob)")
        body = os.urandom(MESSAGE)

        def step(_: int) -> None:
            database.execute("begin immediate")
            for _ in range(group):
                database.execute("insert into row (body) values (?)", (body,))
            database.execute("commit")

        return group * rate(seconds, step)
    finally:
        database.close()
