"""The database file: its tables, how it is opened, its transactions.

Nothing here needs Twisted.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import LocalFault, NotPermitted, StorageFull
from . import durable, forward_tables, migrations, queue_tables

#: The database's name in the data directory.
FILE_NAME = "mailhub.sqlite"

#: The version of the tables below.  A store with a higher one is refused, one with
#: a lower one is brought up to it.
VERSION = migrations.latest(migrations.STEPS)

#: Seconds to wait for another process that is writing.
BUSY_SECONDS = 30.0

#: Octets per page.
PAGE_SIZE = 4096

#: The first that has RETURNING.
_OLDEST_SQLITE = (3, 35)

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
insert into setting values ('uidvalidity', 0);
insert into setting values ('directory', 0);
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
    flag_changes integer not null default 0,
    unique (account_id, name)
);
-- The highest UIDVALIDITY of a name that a mailbox had and has no more.
create table former_name (
    account_id integer not null,
    name text not null,
    uidvalidity integer not null,
    primary key (account_id, name)
) without rowid;
create table subscription (
    account_id integer not null,
    name text not null,
    primary key (account_id, name)
) without rowid;
-- Keywords of a mailbox in the spelling that came first.
create table keyword (
    account_id integer not null,
    mailbox_id integer not null,
    spelling text not null,
    primary key (account_id, mailbox_id, spelling)
) without rowid;
-- Sets of keywords that messages carry; a number never means another set.
create table keyword_set (
    keyword_set_id integer primary key autoincrement,
    account_id integer not null,
    keywords text not null,
    unique (account_id, keywords)
);
-- Thin rows in reading order.  flags: see flagbits.py.
create table message (
    account_id integer not null,
    mailbox_id integer not null,
    uid integer not null,
    modseq integer not null,
    flags integer not null,
    internal_date integer not null,
    size integer not null,
    item_id integer not null,
    primary key (account_id, mailbox_id, uid)
) without rowid;
-- UIDs that have gone, as inclusive ranges.
create table vanished (
    account_id integer not null,
    mailbox_id integer not null,
    modseq integer not null,
    first_uid integer not null,
    last_uid integer not null,
    primary key (account_id, mailbox_id, modseq, first_uid)
) without rowid;
-- The latest changes of flags: a ring per mailbox (see history.py).
create table flag_change (
    account_id integer not null,
    mailbox_id integer not null,
    slot integer not null,
    modseq integer not null,
    first_uid integer not null,
    last_uid integer not null,
    primary key (account_id, mailbox_id, slot)
) without rowid;
-- What one delivery or append brought, shared by its copies.
create table item (
    item_id integer primary key,
    blob_id integer not null,
    sent integer,
    prefix blob not null,
    envelope blob not null,
    bodystructure blob not null,
    body blob not null
);
create table header (
    item_id integer primary key,
    header blob not null,
    parts blob not null
);
-- Content, once however often it came; data is null where a file holds it.
create table blob (
    blob_id integer primary key,
    digest blob not null unique,
    size integer not null,
    data blob
);
-- References beyond the first; most items and blobs have no row here.
create table shared_item (
    item_id integer primary key,
    extra integer not null
);
create table shared_blob (
    blob_id integer primary key,
    extra integer not null
);
-- What purge.py has still to do: references that were dropped, mailboxes that
-- were deleted, files that no row points to.
create table garbage (
    garbage_id integer primary key,
    item_id integer not null,
    since integer not null
);
create table doomed_mailbox (
    account_id integer not null,
    mailbox_id integer not null,
    primary key (account_id, mailbox_id)
) without rowid;
create table doomed_file (
    digest blob primary key
) without rowid;
"""

#: Whoever changes a domain, an account or an alias, in whichever process, counts
#: up: what was read before is known to be so still while this number stays.
_COUNTED = (
    "insert on domain", "delete on domain",
    "insert on alias", "update on alias", "delete on alias",
    "insert on account", "delete on account",
    "update of address, password, quota, enabled on account",
)
_COUNTERS = [
    f"create trigger directory_{number} after {event} begin"
    " update setting set value = value + 1 where name = 'directory'; end"
    for number, event in enumerate(_COUNTED)
]

#: What SQLite raises where a statement of ours is wrong.
_BUGS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)


def connect(path: str, create: bool = False) -> sqlite3.Connection:
    """Open the database file *path*, in autocommit mode.

    :param create: make it, and the directories above it, where missing.
    :raises NotPermitted: there is none, it is no store, or a newer program's; or
        SQLite is too old.
    :raises LocalFault: it cannot be opened now.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        raise NotPermitted(f"SQLite {sqlite3.sqlite_version} is older than {oldest}")
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


def check_version(connection: sqlite3.Connection, path: str) -> int:
    """-> the version of the tables; 0 if there are none, or not all of them

    :raises NotPermitted: this is no store, or a newer program's.
    """
    try:
        version = migrations.version_of(connection)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise NotPermitted(f"{path} is not a mail store: {error}") from None
    if version > VERSION:
        raise NotPermitted(
            f"{path} has version {version}; this program knows up to {VERSION}:"
            " use the newer program"
        )
    return version


def check_same_version(connection: sqlite3.Connection) -> None:
    """Make sure, inside a transaction, that the tables are still those of this program.

    While it has the store open, a newer one may have brought it up to its version
    (attack on oneself: an update without a restart).

    :raises LocalFault: they are not; nothing may be changed.
    """
    version = migrations.version_of(connection)
    if version != VERSION:
        raise LocalFault(
            f"the store has version {version} by now, this program works on"
            f" {VERSION}: start it again"
        )


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    version = check_version(connection, path)
    connection.execute(durable.SYNCHRONOUS)
    if version == 0:
        make_tables(connection)
    elif version < VERSION:
        directory = os.path.dirname(os.path.abspath(path))
        migrations.migrate(connection, directory, migrations.STEPS)
    # Overwriting what is deleted would write every freed page.
    connection.execute("pragma secure_delete=off")
    connection.execute("pragma temp_store=memory")


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new store."""
    connection.execute(f"pragma page_size={PAGE_SIZE}")
    connection.execute("pragma journal_mode=wal")
    connection.execute("begin immediate")
    # Another process may have made them while this one waited.
    if migrations.version_of(connection) == 0:
        for statement in (
            *TABLES.split(";\n"), *_COUNTERS, *forward_tables.statements(),
            *queue_tables.statements(),
        ):  # fmt: skip
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
            check_same_version(connection)
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


def next_uidvalidity(connection: sqlite3.Connection, now: float) -> int:
    """A UIDVALIDITY that no mailbox of this store ever had.

    The clock takes part so that it also grows beyond what a store had that was
    restored from an older copy (RFC 3501, section 2.3.1.1).
    """
    [value] = connection.execute(
        "update setting set value = max(value + 1, ?) where name = 'uidvalidity'"
        " returning value",
        (min(int(now), _LATEST),),
    ).fetchone()
    return int(value)
