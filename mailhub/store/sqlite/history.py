"""What happened to a mailbox after some modseq.

Nothing indexes messages by modseq, which would make every change of a flag move
an index entry.  Instead: appended messages have the highest UIDs, so they are
found from the end; and each change of flags leaves the range of UIDs it touched
in a ring of :data:`RING` entries per mailbox.  Who asks from before the oldest
entry gets an answer from reading the whole mailbox, which is right as well.
"""

from __future__ import annotations

import sqlite3
from array import array

from ...mail.mailbox import Changes, Entries
from .change import Key, mailbox_state
from .flagbits import FlagReader

#: Changes of flags that a mailbox remembers.  A session that follows it lags
#: behind by one or two; one that comes back after a pause reads it all anyway.
RING = 64

_ALL = "select uid, modseq, flags from message where account_id = ? and mailbox_id = ?"

#: Rows to read at a time from the end.
_STEP = 100

#: Rows of a whole mailbox to turn into arrays at a time: so few stay in the
#: processor's cache, and are gone before the garbage collector counts them.
_PIECE = 200


def note_flags(
    connection: sqlite3.Connection, key: Key, modseq: int, first: int, last: int
) -> None:
    """Note that a change of flags touched messages from *first* to *last*."""
    [[number]] = connection.execute(
        "update mailbox set flag_changes = flag_changes + 1 where mailbox_id = ?"
        " returning flag_changes",
        (key[1],),
    ).fetchall()
    connection.execute(
        "insert or replace into flag_change values (?, ?, ?, ?, ?, ?)",
        (*key, number % RING, modseq, first, last),
    )


def changes(
    connection: sqlite3.Connection, reader: FlagReader, key: Key, since: int
) -> Changes:
    """See :meth:`mailhub.interfaces.IMailbox.changes`.

    To be called inside a transaction: its statements must see one state.

    :raises NoSuchMailbox: the mailbox has been deleted.
    """
    modseq, _ = mailbox_state(connection, key)
    if since <= 0:
        return Changes(modseq, _all_entries(connection, reader, key), [])
    if since >= modseq:
        return Changes(modseq, Entries(), [])
    vanished = connection.execute(
        "select first_uid, last_uid from vanished where account_id = ?"
        " and mailbox_id = ? and modseq > ?",
        (*key, since),
    ).fetchall()
    return Changes(
        modseq,
        _entries(reader, _changed(connection, key, since)),
        sorted(uid for first, last in vanished for uid in range(first, last + 1)),
    )


def _all_entries(
    connection: sqlite3.Connection, reader: FlagReader, key: Key
) -> Entries:
    entries = Entries()
    cursor = connection.execute(_ALL, key)
    while rows := cursor.fetchmany(_PIECE):
        uids, modseqs, values = zip(*rows, strict=True)
        entries.uids.extend(uids)
        entries.modseqs.extend(modseqs)
        entries.flags += reader.sets(values)
    return entries


def _entries(reader: FlagReader, rows: list[tuple]) -> Entries:
    if not rows:
        return Entries()
    uids, modseqs, values = zip(*rows, strict=True)
    return Entries(array("I", uids), array("Q", modseqs), reader.sets(values))


def _changed(connection: sqlite3.Connection, key: Key, since: int) -> list[tuple]:
    """Rows of messages whose modseq is above *since*, in UID order."""
    ring = connection.execute(
        "select modseq, first_uid, last_uid from flag_change"
        " where account_id = ? and mailbox_id = ?",
        key,
    ).fetchall()
    ranges = [entry[1:] for entry in ring if entry[0] > since]
    if len(ranges) == RING:
        return connection.execute(f"{_ALL} and modseq > ?", (*key, since)).fetchall()
    found = {row[0]: row for row in _appended(connection, key, since)}
    for first, last in _merged(ranges):
        rows = connection.execute(
            f"{_ALL} and uid between ? and ? and modseq > ?", (*key, first, last, since)
        )
        found.update((row[0], row) for row in rows)
    return [found[uid] for uid in sorted(found)]


def _appended(connection: sqlite3.Connection, key: Key, since: int) -> list[tuple]:
    """Rows above *since* at the end of the mailbox, without a gap."""
    found: list[tuple] = []
    below = 2**32
    while True:
        rows = connection.execute(
            f"{_ALL} and uid < ? order by uid desc limit {_STEP}", (*key, below)
        ).fetchall()
        for row in rows:
            if row[1] <= since:
                return found
            found.append(row)
        if len(rows) < _STEP:
            return found
        below = rows[-1][0]


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same UIDs in ranges that do not overlap."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
