"""Messages in mailboxes: found, added, flagged."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...mail.flags import FlagChange, Flags
from .change import Change, Key, mailbox_state
from .flagbits import BITS, SEEN_BIT, decode, encode_all, spell, system_bits
from .history import note_flags

#: A message to add: flags as stored, internal_date, size, item_id.
NewRow = tuple[int, int, int, int]

#: Different flags up to which each is changed in all of a range at once.
_FEW = 20

#: UIDs per message up to which a range is read rather than a list.
_DENSE = 4


@dataclass(slots=True)
class Flagged:
    """Messages with the flags they have now; see ``IMailbox.set_flags``.

    :ivar modseq: the mailbox's.
    :ivar values: flags as stored.
    """

    modseq: int
    uids: array[int]
    modseqs: array[int]
    values: list[int]


def select(
    connection: sqlite3.Connection, columns: str, key: Key, uids: Sequence[int]
) -> tuple[list[tuple], list[int] | None]:
    """Rows of the messages among *uids*, which are ascending.

    -> rows in UID order, whose first column is the UID, and all UIDs that are
    there between them, or ``None`` where those were not looked at.
    """
    if not uids:
        return [], []
    first, last = uids[0], uids[-1]
    if last - first >= _DENSE * len(uids):
        rows = connection.execute(
            f"select {columns} from message where account_id = ? and mailbox_id = ?"
            " and uid in (select value from json_each(?)) order by uid",
            (*key, json.dumps(list(uids))),
        ).fetchall()
        return rows, None
    rows = connection.execute(
        f"select {columns} from message where account_id = ? and mailbox_id = ?"
        " and uid between ? and ?",
        (*key, first, last),
    ).fetchall()
    present = [row[0] for row in rows]
    if len(uids) != last - first + 1:
        wanted = set(uids)
        rows = [row for row in rows if row[0] in wanted]
    return rows, present


def ranges_of(
    chosen: Sequence[int], present: Sequence[int] | None
) -> list[tuple[int, int]]:
    """Inclusive ranges that hold all *chosen* UIDs and no others of *present*.

    Both ascend; without *present* only UIDs in sequence make a range.
    """
    if present is not None and len(chosen) == len(present):
        return [(chosen[0], chosen[-1])] if chosen else []
    places: Iterable[int] = chosen
    if present is not None:
        place_of = {uid: place for place, uid in enumerate(present)}
        places = [place_of[uid] for uid in chosen]
    ranges: list[tuple[int, int]] = []
    start = last = expected = -1
    for uid, place in zip(chosen, places, strict=True):
        if place != expected:
            if start >= 0:
                ranges.append((start, last))
            start = uid
        last, expected = uid, place + 1
    if start >= 0:
        ranges.append((start, last))
    return ranges


def add(
    change: Change, key: Key, modseq: int, rows: Sequence[NewRow]
) -> tuple[int, list[int]]:
    """Give *rows* a place in a mailbox.  -> uidvalidity, new UIDs.

    The account has been counted already.
    """
    uidvalidity, first = change.count_mailbox(
        key,
        modseq,
        new=len(rows),
        messages=len(rows),
        unseen=sum(not row[0] & SEEN_BIT for row in rows),
        octets=sum(row[2] for row in rows),
    )
    change.connection.executemany(
        "insert into message values (?, ?, ?, ?, ?, ?, ?, ?)",
        [(*key, uid, modseq, *row) for uid, row in enumerate(rows, first)],
    )
    return uidvalidity, list(range(first, first + len(rows)))


def set_flags(
    change: Change, key: Key, uids: Sequence[int], how: FlagChange, flags: Flags
) -> Flagged:
    """See :meth:`mailhub.interfaces.IMailbox.set_flags`."""
    connection = change.connection
    highest, _ = mailbox_state(connection, key)
    rows, present = select(connection, "uid, flags, modseq", key, uids)
    if not rows:
        return Flagged(highest, array("I"), array("Q"), [])
    found, before, modseqs = zip(*rows, strict=True)
    becomes = _becomes(connection, key, set(before), how, flags)
    changed = [uid for uid, value, _ in rows if becomes[value] != value]
    if not changed:
        return Flagged(highest, array("I", found), array("Q", modseqs), list(before))
    modseq = change.count_account(key[0])
    unseen = sum(
        number * ((value & SEEN_BIT) - (becomes[value] & SEEN_BIT))
        for value, number in Counter(before).items()
    )
    change.count_mailbox(key, modseq, unseen=unseen)
    _write_flags(connection, key, modseq, becomes, rows, ranges_of(found, present))
    note_flags(connection, key, modseq, changed[0], changed[-1])
    after = [old if becomes[value] == value else modseq for _, value, old in rows]
    values = [becomes[value] for value in before]
    return Flagged(modseq, array("I", found), array("Q", after), values)


def _becomes(
    connection: sqlite3.Connection,
    key: Key,
    values: set[int],
    how: FlagChange,
    flags: Flags,
) -> dict[int, int]:
    """What each of the stored *values* is after the change."""
    if how is FlagChange.REPLACE:
        [new] = encode_all(connection, *key, [flags])
        return dict.fromkeys(values, new)
    if flags.issubset(BITS):
        bits = system_bits(flags)
        if how is FlagChange.ADD:
            return {value: value | bits for value in values}
        return {value: value & ~bits for value in values}
    if how is FlagChange.REMOVE:
        flags = spell(connection, *key, flags)
    sets = [how.apply(decode(connection, value), flags) for value in values]
    return dict(zip(values, encode_all(connection, *key, sets), strict=True))


def _write_flags(
    connection: sqlite3.Connection,
    key: Key,
    modseq: int,
    becomes: dict[int, int],
    rows: list[tuple],
    ranges: list[tuple[int, int]],
) -> None:
    updates = [(old, new) for old, new in becomes.items() if old != new]
    if len(updates) <= _FEW and len(updates) * len(ranges) <= len(rows):
        connection.executemany(
            "update message set flags = ?, modseq = ? where account_id = ?"
            " and mailbox_id = ? and uid between ? and ? and flags = ?",
            [
                (new, modseq, *key, first, last, old)
                for first, last in ranges
                for old, new in updates
            ],
        )
        return
    connection.executemany(
        "update message set flags = ?, modseq = ? where account_id = ?"
        " and mailbox_id = ? and uid = ?",
        [
            (becomes[value], modseq, *key, uid)
            for uid, value, _ in rows
            if becomes[value] != value
        ],
    )
