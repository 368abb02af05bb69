"""Removing what nothing refers to, in pieces that hold nobody up.

Expunged messages leave their items to this, deleted mailboxes their messages.
Each piece is one short transaction; a crash between two loses nothing.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable

from .change import Change
from .files import BlobFiles
from .references import drop_items, release_item
from .schema import transaction

#: Seconds that a session may still read what another one has expunged.
GRACE = 60

#: Rows of each kind that a piece takes: some milliseconds' work.
PIECE = 250

#: Large files to remove in one transaction.
_FILES = 10

#: A clock that was put back must not keep garbage for ever.
_DUE = "(since <= ? or since > ?)"

_NAME = re.compile(r"[0-9a-f]{64}\Z")


def has_work(connection: sqlite3.Connection, now: float, grace: float = GRACE) -> bool:
    """Whether :func:`step` would find anything to do."""
    [[found]] = connection.execute(
        "select exists(select 1 from doomed_file)"
        " or exists(select 1 from doomed_mailbox)"
        f" or exists(select 1 from (select since from garbage limit 1) where {_DUE})",
        (now - grace, now),
    ).fetchall()
    return bool(found)


def step(change: Change, grace: float = GRACE) -> None:
    """Remove one piece of what has been garbage for *grace* seconds."""
    # Files first: a file may go only after the commit that dropped its row.
    _remove_files(change)
    _empty_mailbox(change)
    rows = change.connection.execute(
        f"select garbage_id, item_id from garbage where {_DUE} limit {PIECE}",
        (change.now - grace, change.now),
    ).fetchall()
    for _, item_id in rows:
        release_item(change.connection, item_id)
    change.connection.executemany(
        "delete from garbage where garbage_id = ?", [(number,) for number, _ in rows]
    )


def purge(connection: sqlite3.Connection, files: BlobFiles, now: float) -> None:
    """Remove all of it, for the command line, which has nobody to hold up."""
    while has_work(connection, now, grace=0):
        with transaction(connection):
            step(Change(connection, files, now), grace=0)


def sweep(change: Change, number: int) -> None:
    """Remove files without a row from directory *number* of the 256.

    A crash leaves them behind.  Another process may be about to commit a row that
    points to one; it will look whether its file is still there.
    """
    directory = f"{change.files.directory}/{number:02x}"
    for name in os.listdir(directory):
        if _NAME.match(name) and not _is_known(change.connection, bytes.fromhex(name)):
            change.files.remove(bytes.fromhex(name))


def doom_files(change: Change, digests: Iterable[bytes]) -> None:
    """Have files removed, unless a row points to them then."""
    change.connection.executemany(
        "insert or ignore into doomed_file values (?)",
        [(digest,) for digest in digests],
    )


def _remove_files(change: Change) -> None:
    rows = change.connection.execute(
        f"select digest from doomed_file limit {_FILES}"
    ).fetchall()
    for (digest,) in rows:
        if not _is_known(change.connection, digest):
            change.files.remove(digest)
    change.connection.executemany("delete from doomed_file where digest = ?", rows)


def _is_known(connection: sqlite3.Connection, digest: bytes) -> bool:
    return bool(
        connection.execute("select 1 from blob where digest = ?", (digest,)).fetchall()
    )


def _empty_mailbox(change: Change) -> None:
    """Take messages out of a deleted mailbox; with the last, forget it."""
    connection = change.connection
    doomed = connection.execute(
        "select account_id, mailbox_id from doomed_mailbox limit 1"
    ).fetchall()
    if not doomed:
        return
    [key] = doomed
    rows = connection.execute(
        "select uid, item_id from message where account_id = ? and mailbox_id = ?"
        f" order by uid limit {PIECE}",
        key,
    ).fetchall()
    if rows:
        drop_items(change, [item_id for _, item_id in rows])
        connection.execute(
            "delete from message where account_id = ? and mailbox_id = ?"
            " and uid <= ?",
            (*key, rows[-1][0]),
        )
        return
    for table in ("vanished", "flag_change", "keyword", "doomed_mailbox"):
        connection.execute(
            f"delete from {table} where account_id = ? and mailbox_id = ?", key
        )
