"""Rows that belong to what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from ..change import Change, Key
from ..mailboxes import make_mailbox
from .findings import Finding, Kind
from .view import View

#: Where messages of a mailbox go that has lost its row.
RESCUED = "Rescued"

_HAS_MESSAGES = (
    "exists (select 1 from message m where m.account_id = t.account_id"
    " and m.mailbox_id = t.mailbox_id)"
)
_NO_MAILBOX = (
    "not exists (select 1 from mailbox b where b.account_id = t.account_id"
    " and b.mailbox_id = t.mailbox_id)"
    " and not exists (select 1 from doomed_mailbox d where d.account_id ="
    " t.account_id and d.mailbox_id = t.mailbox_id)"
)
_NO_ACCOUNT = (
    "not exists (select 1 from account a where a.account_id = t.account_id)"
    " and not exists (select 1 from mailbox b where b.account_id = t.account_id)"
)
_NO_ITEM = "not exists (select 1 from item i where i.item_id = t.item_id)"

#: What makes a row of a table a stray.  What may be the last of somebody's mail is
#: none: a header whose message is still there, say.
_STRAYS = {
    "subscription": _NO_ACCOUNT,
    "former_name": _NO_ACCOUNT,
    "keyword_set": _NO_ACCOUNT,
    "forward": _NO_ACCOUNT,
    "keyword": f"{_NO_MAILBOX} and not {_HAS_MESSAGES}",
    "vanished": f"{_NO_MAILBOX} and not {_HAS_MESSAGES}",
    "flag_change": f"{_NO_MAILBOX} and not {_HAS_MESSAGES}",
    "garbage": _NO_ITEM,
    "shared_item": f"{_NO_ITEM} and t.item_id not in (select item_id from message)",
    "header": f"{_NO_ITEM} and t.item_id not in (select item_id from message)",
    "shared_blob": (
        "not exists (select 1 from blob b where b.blob_id = t.blob_id)"
        " and t.blob_id not in (select blob_id from item)"
        " and t.blob_id not in (select blob_id from queue_message)"
    ),
}

_NEXT_MAILBOX = (
    "select account_id, mailbox_id from message where (account_id, mailbox_id)"
    " > (?, ?) order by account_id, mailbox_id limit 1"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table to look through for strays."""

    name: str
    condition: str

    def look(self, view: View) -> list[Finding]:
        [count] = view.row(f"select count(*) from {self.name} t where {self.condition}")
        if not count:
            return []
        detail = f"{self.name}: {count} rows that belong to nothing"
        return [Finding(Kind.STRAY, detail, what=self.name, repair=self._remove)]

    def _remove(self, change: Change) -> None:
        statement = f"delete from {self.name} as t where {self.condition}"
        change.connection.execute(statement)


@dataclass(frozen=True, slots=True)
class Owners:
    """Whether all mailboxes have accounts, and all messages mailboxes."""

    def look(self, view: View) -> list[Finding]:
        return [*_without_account(view), *_doomed(view), *_without_mailbox(view)]


class Strays:
    """What only the whole store can show."""

    name = "rows"
    pieces = f"select {1 + len(_STRAYS)}"

    def scopes(self, view: View) -> Iterator[Table | Owners]:
        if view.account_id is None:
            yield Owners()
            for name, condition in _STRAYS.items():
                yield Table(name, condition)

    def look(self, view: View, scope: Table | Owners) -> list[Finding]:
        return scope.look(view)


def _without_account(view: View) -> Iterator[Finding]:
    for number, name in view.rows(
        "select account_id, name from mailbox where account_id not in"
        " (select account_id from account)"
    ):
        detail = f"account {number} of the mailbox is missing"
        yield Finding(Kind.NO_ACCOUNT, detail, None, name, what=str(number))


def _doomed(view: View) -> Iterator[Finding]:
    for *key, name, address in view.rows(
        "select d.account_id, d.mailbox_id, m.name, a.address from doomed_mailbox d"
        " join mailbox m using (account_id, mailbox_id)"
        " left join account a using (account_id)"
    ):
        detail = "the mailbox is there, and is to be emptied as deleted"
        repair = partial(_spare, (key[0], key[1]))
        yield Finding(Kind.DOOMED, detail, address, name, repair=repair)


def _without_mailbox(view: View) -> Iterator[Finding]:
    for key in _mailboxes_of_messages(view):
        if view.rows(
            "select 1 from mailbox where account_id = ? and mailbox_id = ? union all"
            " select 1 from doomed_mailbox where account_id = ? and mailbox_id = ?",
            *key, *key,
        ):
            continue
        rows = view.rows("select address from account where account_id = ?", key[0])
        yield Finding(
            Kind.NO_MAILBOX, f"messages are in mailbox {key[1]}, which is missing",
            rows[0][0] if rows else None, what=str(key),
            repair=partial(_make_again, key) if rows else None,
        )


def _mailboxes_of_messages(view: View) -> Iterator[Key]:
    """Each mailbox that has messages; a look-up for each, whatever their number."""
    last: Key = (-(2**62), 0)
    while rows := view.rows(_NEXT_MAILBOX, *last):
        account_id, mailbox_id = last = rows[0]
        yield account_id, mailbox_id


def _spare(key: Key, change: Change) -> None:
    change.connection.execute(
        "delete from doomed_mailbox where account_id = ? and mailbox_id = ?", key
    )


def _make_again(key: Key, change: Change) -> None:
    """Make a mailbox for messages that have none; the rest is counted later."""
    account_id, mailbox_id = key
    connection, name = change.connection, f"{RESCUED}-{mailbox_id}"
    make_mailbox(connection, account_id, name, None, change.now)
    connection.execute(
        "update mailbox set mailbox_id = ?1, uidnext = 1 + (select max(uid) from"
        " message where account_id = ?2 and mailbox_id = ?1), (messages, unseen, size)"
        " = (select count(*), sum(not flags & 1), sum(size) from message where"
        " account_id = ?2 and mailbox_id = ?1) where account_id = ?2 and name = ?3",
        (mailbox_id, account_id, name),
    )
    change.touched.add(key)
