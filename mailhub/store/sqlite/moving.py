"""Messages copied, moved and expunged.

Every function is one change: it does all or, by raising, none of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ...mail.mailbox import Copied
from .change import Change, Key, mailbox_state
from .flagbits import DELETED_BIT, SEEN_BIT, SYSTEM_MASK, decode, encode_all
from .messages import NewRow, add, ranges_of, select
from .references import drop_items, share_items

_COLUMNS = "uid, flags, internal_date, size, item_id"


def copy(change: Change, key: Key, uids: Sequence[int], target: Key) -> Copied:
    """See :meth:`mailhub.interfaces.IMailbox.copy`."""
    mailbox_state(change.connection, key)
    rows, _ = select(change.connection, _COLUMNS, key, uids)
    if not rows:
        return _nothing(change.connection, target)
    modseq = change.count_account(key[0], sum(row[3] for row in rows))
    new = _as_new(change.connection, rows, target)
    uidvalidity, new_uids = add(change, target, modseq, new)
    share_items(change.connection, [(row[4], 1) for row in rows])
    return Copied(uidvalidity, [row[0] for row in rows], new_uids)


def move(change: Change, key: Key, uids: Sequence[int], target: Key) -> Copied:
    """See :meth:`mailhub.interfaces.IMailbox.move`."""
    mailbox_state(change.connection, key)
    rows, present = select(change.connection, _COLUMNS, key, uids)
    if not rows:
        return _nothing(change.connection, target)
    modseq = change.count_account(key[0])
    new = _as_new(change.connection, rows, target)
    gone = [row[0] for row in rows]
    _take_out(change, key, modseq, rows, ranges_of(gone, present))
    uidvalidity, new_uids = add(change, target, modseq, new)
    return Copied(uidvalidity, gone, new_uids)


def expunge(
    change: Change, key: Key, uids: Sequence[int], deleted_only: bool
) -> list[int]:
    """See :meth:`mailhub.interfaces.IMailbox.expunge`."""
    mailbox_state(change.connection, key)
    rows, present = select(change.connection, _COLUMNS, key, uids)
    if deleted_only:
        rows = [row for row in rows if row[1] & DELETED_BIT]
    if not rows:
        return []
    modseq = change.count_account(key[0], -sum(row[3] for row in rows))
    gone = [row[0] for row in rows]
    _take_out(change, key, modseq, rows, ranges_of(gone, present))
    drop_items(change, [row[4] for row in rows])
    return gone


def _nothing(connection: sqlite3.Connection, target: Key) -> Copied:
    _, uidvalidity = mailbox_state(connection, target)
    return Copied(uidvalidity, [], [])


def _as_new(
    connection: sqlite3.Connection, rows: list[tuple], target: Key
) -> list[NewRow]:
    """*rows* of ``_COLUMNS`` as *target* takes them: it may spell otherwise."""
    values = {row[1] for row in rows}
    becomes = {value: value for value in values}
    spelled = [value for value in values if value > SYSTEM_MASK]
    if spelled:
        sets = [decode(connection, value) for value in spelled]
        becomes.update(
            zip(spelled, encode_all(connection, *target, sets), strict=True)
        )
    return [(becomes[row[1]], *row[2:]) for row in rows]


def _take_out(
    change: Change,
    key: Key,
    modseq: int,
    rows: list[tuple],
    ranges: list[tuple[int, int]],
) -> None:
    """Remove *rows* of ``_COLUMNS``, which *ranges* cover, from a mailbox."""
    change.connection.executemany(
        "delete from message where account_id = ? and mailbox_id = ?"
        " and uid between ? and ?",
        [(*key, *pair) for pair in ranges],
    )
    # Ranges may span UIDs that went before; those have been told already.
    change.connection.executemany(
        "insert into vanished values (?, ?, ?, ?, ?)",
        [(*key, modseq, *pair) for pair in ranges_of([row[0] for row in rows], None)],
    )
    change.count_mailbox(
        key,
        modseq,
        messages=-len(rows),
        unseen=-sum(not row[1] & SEEN_BIT for row in rows),
        octets=-sum(row[3] for row in rows),
    )
