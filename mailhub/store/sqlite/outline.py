"""What is in a mailbox, found without a look at each of its messages.

UIDs are given one after the other, and :mod:`history` keeps those that have gone: what
is left of all is what is there.  A mailbox of a million messages that lost a hundred
is known by reading a hundred rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ...errors import NoSuchMailbox
from ...mail.flags import Flags
from ...mail.mailbox import Outline
from .change import Key, mailbox_state
from .flagbits import SEEN_BIT, FlagReader

Ranges = tuple[tuple[int, int], ...]

#: Messages to look through for the first that is unseen, from either end.
_UNSEEN_WITHIN = 10_000

#: So many more rows of what has gone are read than there are messages, before the
#: messages are looked at after all.
_FEW = 1_000

#: Rows of UIDs to read at a time.
_PIECE = 200

_OF_MAILBOX = "account_id = ? and mailbox_id = ?"
_FIRST_UNSEEN = (
    f"select uid from (select uid, flags from message where {_OF_MAILBOX}"
    f" order by uid limit ?) where not flags & {SEEN_BIT} limit 1"
)
#: The first of as many unseen messages as there are in all, counted from the end.
_LAST_UNSEEN = (
    f"select uid from (select uid, flags from message where {_OF_MAILBOX}"
    f" order by uid desc limit ?) where not flags & {SEEN_BIT} limit 1 offset ?"
)


def outline(connection: sqlite3.Connection, key: Key) -> Outline:
    """See :meth:`mailhub.powers.IOutlinedMailbox.outline`.

    To be called inside a transaction: its statements must see one state.
    """
    rows = connection.execute(
        "select modseq, uidnext, messages, unseen from mailbox"
        f" where {_OF_MAILBOX}",
        key,
    ).fetchall()
    if not rows:
        raise NoSuchMailbox("the mailbox has been deleted")
    [(modseq, uidnext, messages, unseen)] = rows
    return Outline(
        modseq,
        _present(connection, key, uidnext, messages),
        _first_unseen(connection, key, unseen),
        _keywords(connection, key),
    )


def flags_between(
    connection: sqlite3.Connection, reader: FlagReader, key: Key, first: int, last: int
) -> tuple[Flags, list[tuple[int, Flags]]]:
    """See :meth:`mailhub.powers.IOutlinedMailbox.flags_between`.

    What most messages have is left to SQLite to skip, which takes a tenth of the
    time of making rows of it.
    """
    mailbox_state(connection, key)
    where = f"{_OF_MAILBOX} and uid between ? and ?"
    values = *key, first, last
    found = connection.execute(
        f"select flags from message where {where} limit 1", values
    ).fetchall()
    usual = found[0][0] if found else 0
    rows = connection.execute(
        f"select uid, flags from message where {where} and flags != ?",
        (*values, usual),
    ).fetchall()
    [usual_flags] = reader.sets([usual])
    if not rows:
        return usual_flags, []
    uids, others = zip(*rows, strict=True)
    return usual_flags, list(zip(uids, reader.sets(others), strict=True))


def _present(
    connection: sqlite3.Connection, key: Key, uidnext: int, messages: int
) -> Ranges:
    if not messages:
        return ()
    most = _FEW + messages
    gone = connection.execute(
        f"select first_uid, last_uid from vanished where {_OF_MAILBOX} limit {most}",
        key,
    ).fetchall()
    if len(gone) < most:
        ranges = _without(uidnext, sorted(gone))
        if sum([last + 1 - first for first, last in ranges]) == messages:
            return ranges
    return _read(connection, key)


def _without(uidnext: int, gone: Iterable[tuple[int, int]]) -> Ranges:
    """What is left of all UIDs below *uidnext*; *gone* is sorted."""
    left = []
    start = 1
    for first, last in gone:
        if first > start:
            left.append((start, first - 1))
        start = max(start, last + 1)
    if start < uidnext:
        left.append((start, uidnext - 1))
    return tuple(left)


def _read(connection: sqlite3.Connection, key: Key) -> Ranges:
    """The UIDs that are there, one by one."""
    ranges = []
    cursor = connection.execute(
        f"select uid from message where {_OF_MAILBOX} order by uid", key
    )
    first, last = 0, -1
    while rows := cursor.fetchmany(_PIECE):
        for (uid,) in rows:
            if uid != last + 1:
                if first > 0:
                    ranges.append((first, last))
                first = uid
            last = uid
    if first > 0:
        ranges.append((first, last))
    return tuple(ranges)


def _first_unseen(connection: sqlite3.Connection, key: Key, unseen: int) -> int | None:
    if not unseen:
        return None
    rows = connection.execute(_FIRST_UNSEEN, (*key, _UNSEEN_WITHIN)).fetchall()
    if not rows:
        rows = connection.execute(
            _LAST_UNSEEN, (*key, _UNSEEN_WITHIN, unseen - 1)
        ).fetchall()
    return int(rows[0][0]) if rows else None


def _keywords(connection: sqlite3.Connection, key: Key) -> Flags:
    rows = connection.execute(
        f"select spelling from keyword where {_OF_MAILBOX}", key
    ).fetchall()
    return frozenset([spelling for (spelling,) in rows])
