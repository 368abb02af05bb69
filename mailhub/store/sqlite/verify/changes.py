"""What sessions would be told of a mailbox: vanished UIDs, changed flags.

Every UID below the next one is in use or has vanished (RFC 7162, section 3.2.7),
and every change of flags is found by :func:`mailhub.store.sqlite.history.changes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..change import Change, Key
from ..history import RING, note_flags
from .findings import Finding, Kind
from .view import View

#: Rows read at once.
_STEP = 1000

_OF_MAILBOX = "from vanished v where account_id = ?1 and mailbox_id = ?2"
_IMPOSSIBLE = (
    f"select modseq, first_uid, last_uid {_OF_MAILBOX} and (first_uid < 1"
    " or last_uid < first_uid or modseq < 1 or last_uid >= (select uidnext from mailbox"
    " where mailbox_id = ?2) or modseq > (select modseq from mailbox"
    " where mailbox_id = ?2))"
)
_OVERLAPPING = (
    "select modseq, first_uid, last_uid from (select *, max(last_uid) over (order by"
    " first_uid, modseq rows between unbounded preceding and 1 preceding) as before"
    f" {_OF_MAILBOX}) where first_uid <= before"
)
_LIVING = (
    f"select modseq, first_uid, last_uid {_OF_MAILBOX} and exists (select 1"
    " from message m where m.account_id = ?1 and m.mailbox_id = ?2"
    " and m.uid between v.first_uid and v.last_uid)"
)
_TAKEN = (
    "select uid, uid from message where account_id = ?1 and mailbox_id = ?2"
    " union all select first_uid, last_uid from vanished where account_id = ?1"
    " and mailbox_id = ?2 order by 1"
)

#: modseq, first_uid, last_uid of vanished messages.
_Range = tuple[int, int, int]


def look(view: View, key: Key, address: str | None, name: str) -> list[Finding]:
    """What is wrong with one mailbox."""
    place = address, name
    found = []
    wrong = [*view.rows(_IMPOSSIBLE, *key), *view.rows(_OVERLAPPING, *key)]
    for each in wrong:
        detail = f"UIDs {each[1]} to {each[2]} vanished at modseq {each[0]}"
        repair = partial(_forget, key, each)
        found.append(Finding(Kind.VANISHED, detail, *place, each[1], repair=repair))
    for each in view.rows(_LIVING, *key):
        detail = f"of UIDs {each[1]} to {each[2]}, which have vanished, some are there"
        repair = partial(_revive, key, each)
        found.append(
            Finding(Kind.VANISHED_LIVING, detail, *place, each[1], repair=repair)
        )
    if not found and _has_gap(view, key):
        detail = "some UIDs are neither in use nor have vanished"
        found.append(
            Finding(Kind.UID_GAP, detail, *place, repair=partial(_fill_gaps, key))
        )
    uid = next(_untold(view, key), None)
    if uid is not None:
        detail = f"a session would not be told that UID {uid} has changed"
        repair = partial(tell_of_all, key)
        found.append(Finding(Kind.FLAG_HISTORY, detail, *place, repair=repair))
    return found


def _has_gap(view: View, key: Key) -> bool:
    """Whether a UID that was given is missing."""
    [uidnext] = view.row("select uidnext from mailbox where mailbox_id = ?", key[1])
    [there] = view.row(
        "select count(*) from message where account_id = ? and mailbox_id = ?"
        " and uid between 1 and ?", *key, uidnext - 1,
    )
    [vanished] = view.row(
        "select coalesce(sum(last_uid - first_uid + 1), 0) from vanished"
        " where account_id = ? and mailbox_id = ?", *key,
    )
    return bool(there + vanished < uidnext - 1)


def _forget(key: Key, vanished: _Range, change: Change) -> None:
    change.connection.execute(
        "delete from vanished where account_id = ? and mailbox_id = ?"
        " and modseq = ? and first_uid = ?",
        (*key, *vanished[:2]),
    )


def _revive(key: Key, vanished: _Range, change: Change) -> None:
    """Forget it, and tell everybody of the messages that are there."""
    _forget(key, vanished, change)
    _, first, last = vanished
    modseq = change.count_account(key[0])
    change.count_mailbox(key, modseq)
    change.connection.execute(
        "update message set modseq = ? where account_id = ? and mailbox_id = ?"
        " and uid between ? and ?",
        (modseq, *key, first, last),
    )
    note_flags(change.connection, key, modseq, first, last)


def _fill_gaps(key: Key, change: Change) -> None:
    """Note as vanished just now what is neither there nor vanished."""
    [[uidnext]] = change.connection.execute(
        "select uidnext from mailbox where mailbox_id = ?", key[1:]
    ).fetchall()
    gaps, expected = [], 1
    for first, last in change.connection.execute(_TAKEN, key):
        if first > expected:
            gaps.append((expected, min(first, uidnext) - 1))
        expected = max(expected, last + 1)
    if expected < uidnext:
        gaps.append((expected, uidnext - 1))
    modseq = change.count_account(key[0])
    change.count_mailbox(key, modseq)
    change.connection.executemany(
        "insert into vanished values (?, ?, ?, ?, ?)",
        [(*key, modseq, *gap) for gap in gaps],
    )


def _untold(view: View, key: Key) -> Iterator[int]:
    """UIDs of messages whose latest change a session would not hear of.

    It is found from the end of the mailbox if all messages behind it changed as
    late, or by an entry of the ring, or because the ring is full of later ones.
    """
    ring = view.rows(
        "select modseq, first_uid, last_uid from flag_change where account_id = ?"
        " and mailbox_id = ?", *key,
    )
    known = min((entry[0] for entry in ring), default=0) if len(ring) >= RING else 0
    behind = 2**63 - 1
    cursor = view.connection.execute(
        "select uid, modseq from message where account_id = ? and mailbox_id = ?"
        " order by uid desc", key,
    )
    while rows := cursor.fetchmany(_STEP):
        for uid, modseq in rows:
            if behind < modseq and modseq > known and not any(
                at >= modseq and first <= uid <= last for at, first, last in ring
            ):
                yield uid
            behind = min(behind, modseq)


def tell_of_all(key: Key, change: Change) -> None:
    """Let whoever asks look at all messages of a mailbox."""
    modseq = change.count_account(key[0])
    _, uidnext = change.count_mailbox(key, modseq)
    note_flags(change.connection, key, modseq, 1, max(uidnext - 1, 1))
