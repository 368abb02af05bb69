"""Mailboxes: counters, UIDs, modseqs (RFC 3501, section 2.3.1.1; RFC 7162)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from ....errors import MailError
from ....mail.mailbox import canonical_name
from ..change import MAX_UID, Change, Key
from ..schema import next_uidvalidity
from . import changes, keywords, sizes
from .accounts import MAX_MODSEQ, account_ids
from .findings import Finding, Kind
from .view import View

_ROW = (
    "select m.account_id, m.mailbox_id, a.address, m.name, m.uidvalidity, m.uidnext,"
    " m.modseq, m.messages, m.unseen, m.size, m.recent_from, f.uidvalidity"
    " from mailbox m left join account a using (account_id)"
    " left join former_name f on f.account_id = m.account_id and f.name = m.name"
    " where m.mailbox_id = ?"
)
_TOTALS = (
    "select count(*), coalesce(sum(not flags & 1), 0), coalesce(sum(size), 0),"
    " coalesce(min(uid), 1), coalesce(max(uid), 0),"
    " coalesce(min(modseq), 1), coalesce(max(modseq), 1)"
    " from message where account_id = ? and mailbox_id = ?"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A mailbox as its row has it.

    :ivar former: the highest UIDVALIDITY that its name had with another mailbox,
        or ``None``.
    """

    account_id: int
    mailbox_id: int
    address: str | None
    name: str
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    unseen: int
    size: int
    recent_from: int
    former: int | None

    @property
    def key(self) -> Key:
        return self.account_id, self.mailbox_id


@dataclass(frozen=True, slots=True)
class Totals:
    """A mailbox as its messages have it."""

    messages: int
    unseen: int
    size: int
    lowest_uid: int
    highest_uid: int
    lowest_modseq: int
    highest_modseq: int


class Mailboxes:
    """Each mailbox is looked at in one state, whatever its size."""

    name = "mailboxes"
    pieces = "select count(*) from mailbox"

    def scopes(self, view: View) -> Iterator[int]:
        for account_id in account_ids(view):
            rows = view.rows(
                "select mailbox_id from mailbox where account_id = ?", account_id
            )
            yield from [mailbox_id for (mailbox_id,) in rows]

    def look(self, view: View, scope: int) -> list[Finding]:
        rows = view.rows(_ROW, scope)
        if not rows:
            return []
        row = Row(*rows[0])
        # Sizes come first: what is counted depends on them.
        return [
            *sizes.look(view, row.key, row.address, row.name),
            *_look_at_row(view, row),
            *changes.look(view, row.key, row.address, row.name),
            *keywords.look(view, row.key, row.address, row.name),
        ]


def _look_at_row(view: View, row: Row) -> list[Finding]:
    totals = Totals(*view.row(_TOTALS, *row.key))
    view.messages += totals.messages
    return [
        *_name(row),
        *_counters(row, totals),
        *_uids(view, row, totals),
        *_modseqs(view, row, totals),
    ]


def _name(row: Row) -> Iterator[Finding]:
    try:
        is_right = canonical_name(row.name) == row.name
    except MailError:
        is_right = False
    if not is_right:
        yield Finding(
            Kind.NAME, f"{row.name!r} is no name for a mailbox", row.address, row.name
        )


def _counters(row: Row, totals: Totals) -> Iterator[Finding]:
    for name, counted, there in (
        ("messages", row.messages, totals.messages),
        ("unseen", row.unseen, totals.unseen),
        ("size", row.size, totals.size),
    ):
        if counted != there:
            yield Finding(
                Kind.COUNTER, f"{name} is {counted}, counted {there}",
                row.address, row.name, what=name, repair=partial(_count, row.key),
            )


def _uids(view: View, row: Row, totals: Totals) -> Iterator[Finding]:
    place = row.address, row.name
    if totals.lowest_uid < 1 or totals.highest_uid > MAX_UID:
        detail = f"UIDs go from {totals.lowest_uid} to {totals.highest_uid}"
        yield Finding(Kind.UID, detail, *place)
    if not 1 <= row.uidnext <= MAX_UID or row.uidnext <= totals.highest_uid:
        detail = f"UIDNEXT is {row.uidnext}, the highest UID {totals.highest_uid}"
        can_be = totals.highest_uid < MAX_UID
        repair = partial(_raise_uidnext, row.key) if can_be else None
        yield Finding(Kind.UIDNEXT, detail, *place, repair=repair)
    if not 1 <= row.uidvalidity <= MAX_UID or row.uidvalidity < (row.former or 0):
        detail = f"UIDVALIDITY is {row.uidvalidity}, the name had {row.former}"
        repair = partial(_renew_uidvalidity, row.key)
        yield Finding(Kind.UIDVALIDITY, detail, *place, repair=repair)
    if not 1 <= row.recent_from <= max(row.uidnext, 1):
        detail = f"messages are recent from {row.recent_from} on; {row.uidnext} is next"
        repair = partial(_set_recent, row.key)
        yield Finding(Kind.RECENT, detail, *place, repair=repair)


def _modseqs(view: View, row: Row, totals: Totals) -> Iterator[Finding]:
    if totals.lowest_modseq < 1 or totals.highest_modseq > row.modseq:
        detail = (
            f"the mailbox's modseq is {row.modseq}, its messages' are from"
            f" {totals.lowest_modseq} to {totals.highest_modseq}"
        )
        can_be = totals.highest_modseq < MAX_MODSEQ
        repair = partial(_raise_modseq, row.key) if can_be else None
        yield Finding(Kind.MODSEQ, detail, row.address, row.name, repair=repair)


def _count(key: Key, change: Change) -> None:
    change.connection.execute(
        "update mailbox set (messages, unseen, size) = (select count(*),"
        " coalesce(sum(not flags & 1), 0), coalesce(sum(size), 0) from message"
        " where account_id = ?1 and mailbox_id = ?2) where mailbox_id = ?2",
        key,
    )


def _raise_uidnext(key: Key, change: Change) -> None:
    change.connection.execute(
        "update mailbox set uidnext = 1 + max("
        " coalesce((select max(uid) from message where account_id = ?1"
        " and mailbox_id = ?2), 0), coalesce((select max(last_uid) from vanished"
        " where account_id = ?1 and mailbox_id = ?2 and last_uid < ?3), 0))"
        " where mailbox_id = ?2",
        (*key, MAX_UID),
    )


def _renew_uidvalidity(key: Key, change: Change) -> None:
    uidvalidity = next_uidvalidity(change.connection, change.now)
    change.connection.execute(
        "update mailbox set uidvalidity = ?, modseq = ? where mailbox_id = ?",
        (uidvalidity, change.count_account(key[0]), key[1]),
    )
    change.touched.add(key)


def _set_recent(key: Key, change: Change) -> None:
    change.connection.execute(
        "update mailbox set recent_from = max(uidnext, 1) where mailbox_id = ?",
        (key[1],),
    )


def _raise_modseq(key: Key, change: Change) -> None:
    """From the highest modseq on; messages below 1 have changed just now."""
    change.connection.execute(
        "update account set modseq = max(modseq, (select max(modseq) from message"
        " where account_id = ?1 and mailbox_id = ?2)) where account_id = ?1",
        key,
    )
    changes.tell_of_all(key, change)
    change.connection.execute(
        "update message set modseq = (select modseq from mailbox where mailbox_id ="
        " ?2) where account_id = ?1 and mailbox_id = ?2 and modseq < 1",
        key,
    )
