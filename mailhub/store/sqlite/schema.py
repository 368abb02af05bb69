"""The database file: its tables, how it is opened, its transactions.

Nothing here needs Twisted.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import LocalFault, NotPermitted, StorageFull
from . import durable

#: The database's name in the data directory.
FILE_NAME = "mailhub.sqlite"

#: The version of the tables below.  A store with a higher one is refused.
VERSION = 1

#: Seconds to wait for another process that is writing.
BUSY_SECONDS = 30.0

#: Octets per page.
PAGE_SIZE = 4096

#: Seconds since the epoch that UIDVALIDITY follows at most (the year 2097): a
#: clock that is far off must not use up its 32 bits.
_LATEST = 0xF000_0000

#: "No space", "over the disk quota", "file too large".
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

TABLES = """
create table setting (
    name text primary key,
    value integer not null
) without rowid;
create table domain (
    name text primary key
) without rowid;
create table account (
    account_id integer primary key autoincrement,
    address text not null unique,
    password text not null,
    quota integer,
    enabled integer not null default 1,
    modseq integer not null default 0,
    used integer not null default 0
);
create table alias (
    address text primary key,
    targets text not null
) without rowid;
create table mailbox (
    mailbox_id integer primary key autoincrement,
    account_id integer not null,
    name text not null,
    special_use text,
    uidvalidity integer not null,
    uidnext integer not null default 1,
    modseq integer not null,
    messages integer not null default 0,
    unseen integer not null default 0,
    size integer not null default 0,
    recent_from integer not null default 1,
    unique (account_id, name)
);
create table subscription (
    account_id integer not null,
    name text not null,
    primary key (account_id, name)
) without rowid;
insert into setting values ('uidvalidity', 0);
"""

#: What SQLite raises where a statement of ours is wrong.
_BUGS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)


def connect(path: str, create: bool = False) -> sqlite3.Connection:
    """Open the database file *path*, in autocommit mode.

    :param create: make it, and the directories above it, where missing.
    :raises NotPermitted: there is none, it is no store, or a newer program's.
    :raises LocalFault: it cannot be opened now.
    """
    if not os.path.exists(path):
        if not create:
            raise NotPermitted(f"no mail store at {path}")
        with storage_faults():
            _make_file(path)
    with storage_faults():
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False,
            cached_statements=512,
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _make_file(path: str) -> None:
    directory = os.path.dirname(os.path.abspath(path))
    durable.make_directory(directory)
    # SQLite gives its -wal and -shm files the mode of the database file.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    durable.sync_directory(directory)


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    try:
        [version] = connection.execute("pragma user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise NotPermitted(f"{path} is not a mail store: {error}") from None
    if version > VERSION:
        raise NotPermitted(
            f"{path} has version {version}; this program knows up to {VERSION}:"
            " use the newer program"
        )
    if version < VERSION:
        _make_tables(connection)
    connection.execute(durable.SYNCHRONOUS)
    # Overwriting what is deleted would write every freed page.
    connection.execute("pragma secure_delete=off")
    connection.execute("pragma temp_store=memory")


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute(f"pragma page_size={PAGE_SIZE}")
    connection.execute("pragma journal_mode=wal")
    connection.execute("begin immediate")
    # Another process may have made them while this one waited.
    [version] = connection.execute("pragma user_version").fetchone()
    if version == 0:
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"pragma user_version={VERSION}")
    connection.execute("commit")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One durable change of the store, or none.

    Inside another transaction it is part of that one.
    """
    if connection.in_transaction:
        yield
        return
    with storage_faults():
        connection.execute("begin immediate")
        try:
            yield
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn what SQLite and the operating system say into our errors."""
    try:
        yield
    except OSError as error:
        kind = StorageFull if error.errno in _FULL else LocalFault
        raise kind(str(error)) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, _BUGS):
            raise
        code = getattr(error, "sqlite_errorcode", None)
        kind = StorageFull if code == sqlite3.SQLITE_FULL else LocalFault
        raise kind(str(error)) from error


def next_uidvalidity(
    connection: sqlite3.Connection, now: Callable[[], float] = time.time
) -> int:
    """A UIDVALIDITY that no mailbox of this store ever had.

    The clock takes part so that it also grows beyond what a store had that was
    restored from an older copy (RFC 3501, section 2.3.1.1).
    """
    [value] = connection.execute(
        "update setting set value = max(value + 1, ?) where name = 'uidvalidity'"
        " returning value",
        (min(int(now()), _LATEST),),
    ).fetchone()
    return int(value)
