"""The tree of mailboxes in the database."""

from __future__ import annotations

import sqlite3

from ...errors import (
    LimitReached,
    MailboxExists,
    NoSuchMailbox,
    NotPermitted,
    UnknownRecipient,
)
from ...mail.mailbox import (
    INBOX,
    SEPARATOR,
    MailboxInfo,
    MailboxStatus,
    canonical_name,
)
from .change import Change, Key, find_mailbox, is_text
from .moving import move
from .schema import next_uidvalidity

#: Mailboxes an account may have.  Each listing goes through all of them; people's
#: archives come to some hundreds.
MAX_MAILBOXES = 10_000

#: Names an account may subscribe to, which need not exist.
MAX_SUBSCRIPTIONS = 10_000

#: The character after the separator: what is below a name sorts before it.
_AFTER_SEPARATOR = chr(ord(SEPARATOR) + 1)


def parents_of(name: str) -> list[str]:
    """The names above *name*, from the top."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]


def make_mailbox(
    connection: sqlite3.Connection,
    account_id: int,
    name: str,
    special_use: str | None,
    now: float,
) -> None:
    """A new, empty mailbox in a transaction of the caller's; the name is free."""
    connection.execute(
        "insert into mailbox (account_id, name, special_use, uidvalidity, modseq)"
        " select account_id, ?, ?, ?, modseq + 1 from account where account_id = ?",
        (name, special_use, next_uidvalidity(connection, now), account_id),
    )
    connection.execute(
        "update account set modseq = modseq + 1 where account_id = ?", (account_id,)
    )


def listing(connection: sqlite3.Connection, account_id: int) -> list[MailboxInfo]:
    """See :meth:`mailhub.interfaces.IMailAccount.mailboxes`.

    :raises UnknownRecipient: the account has been removed.
    """
    uses = dict(
        connection.execute(
            "select name, special_use from mailbox where account_id = ?", (account_id,)
        ).fetchall()
    )
    if not uses:
        raise UnknownRecipient(f"no account with id {account_id}")
    rows = connection.execute(
        "select name from subscription where account_id = ?", (account_id,)
    ).fetchall()
    subscribed = {name for (name,) in rows}
    names = subscribed.union(uses, *map(parents_of, uses))
    return [
        MailboxInfo(name, name in uses, name in subscribed, uses.get(name))
        for name in sorted(names)
    ]


def status(
    connection: sqlite3.Connection, key: Key, recent_from: int
) -> MailboxStatus:
    """See :meth:`mailhub.interfaces.IMailbox.status`.

    :param recent_from: messages below this UID are not recent.
    :raises NoSuchMailbox: the mailbox has been deleted.
    """
    rows = connection.execute(
        "select name, uidvalidity, uidnext, modseq, messages, unseen, size,"
        " recent_from from mailbox where account_id = ? and mailbox_id = ?",
        key,
    ).fetchall()
    if not rows:
        raise NoSuchMailbox("the mailbox has been deleted")
    [(name, uidvalidity, uidnext, modseq, messages, unseen, size, claimed)] = rows
    first = max(claimed, recent_from)
    recent = messages if first <= 1 else 0
    if 1 < first < uidnext:
        [[recent]] = connection.execute(
            "select count(*) from message where account_id = ? and mailbox_id = ?"
            " and uid >= ?",
            (*key, first),
        ).fetchall()
    return MailboxStatus(
        name, uidvalidity, uidnext, modseq, messages, unseen, recent, size
    )


def recent_from(connection: sqlite3.Connection, key: Key) -> tuple[int, int]:
    """-> the UID from which on messages are recent, and uidnext

    :raises NoSuchMailbox: the mailbox has been deleted.
    """
    rows = connection.execute(
        "select recent_from, uidnext from mailbox where account_id = ?"
        " and mailbox_id = ?",
        key,
    ).fetchall()
    if not rows:
        raise NoSuchMailbox("the mailbox has been deleted")
    first, uidnext = rows[0]
    return first, uidnext


def create(
    change: Change, account_id: int, name: str, special_use: str | None
) -> None:
    """See :meth:`mailhub.interfaces.IMailAccount.create`."""
    name = canonical_name(name)
    taken = _names(change.connection, account_id)
    if name in taken:
        raise MailboxExists(f"{name!r} exists")
    _make_parents(change, account_id, name, taken)
    make_mailbox(change.connection, account_id, name, special_use, change.now)
    _check_number(change.connection, account_id)


def delete(change: Change, account_id: int, name: str) -> None:
    """See :meth:`mailhub.interfaces.IMailAccount.delete`."""
    if name == INBOX:
        raise NotPermitted("INBOX cannot be deleted")
    key = find_mailbox(change.connection, account_id, name)
    [[uidvalidity, size]] = change.connection.execute(
        "delete from mailbox where mailbox_id = ? returning uidvalidity, size",
        (key[1],),
    ).fetchall()
    change.count_account(account_id, -size)
    _note_former(change.connection, account_id, name, uidvalidity)
    change.connection.execute("insert into doomed_mailbox values (?, ?)", key)
    change.touched.add(key)


def rename(change: Change, account_id: int, name: str, new_name: str) -> None:
    """See :meth:`mailhub.interfaces.IMailAccount.rename`."""
    new_name = canonical_name(new_name)
    if name == INBOX:
        _empty_inbox(change, account_id, new_name)
        return
    taken = _names(change.connection, account_id)
    moving = _moving(change.connection, account_id, name)
    if not moving:
        raise NoSuchMailbox(f"no mailbox {name!r}")
    if new_name.startswith(name + SEPARATOR):
        raise NotPermitted(f"{name!r} cannot go below itself")
    new_names = [canonical_name(new_name + old[len(name) :]) for _, old, _ in moving]
    # The name itself, too, where only its children have a mailbox.
    for new in (new_name, *new_names):
        if new in taken:
            raise MailboxExists(f"{new!r} exists")
    for (mailbox_id, old, uidvalidity), new in zip(moving, new_names, strict=True):
        _note_former(change.connection, account_id, old, uidvalidity)
        _rename_one(change, (account_id, mailbox_id), new, uidvalidity)
    left = taken.difference(old for _, old, _ in moving).union(new_names)
    _make_parents(change, account_id, new_name, left)
    _check_number(change.connection, account_id)


def subscribe(change: Change, account_id: int, name: str) -> None:
    """See :meth:`mailhub.interfaces.IMailAccount.subscribe`."""
    change.connection.execute(
        "insert or ignore into subscription values (?, ?)",
        (account_id, canonical_name(name)),
    )
    [[number]] = change.connection.execute(
        "select count(*) from subscription where account_id = ?", (account_id,)
    ).fetchall()
    if number > MAX_SUBSCRIPTIONS:
        raise LimitReached(f"more than {MAX_SUBSCRIPTIONS} subscriptions")


def unsubscribe(change: Change, account_id: int, name: str) -> None:
    """See :meth:`mailhub.interfaces.IMailAccount.unsubscribe`."""
    if is_text(name):
        change.connection.execute(
            "delete from subscription where account_id = ? and name = ?",
            (account_id, name),
        )


def _names(connection: sqlite3.Connection, account_id: int) -> set[str]:
    rows = connection.execute(
        "select name from mailbox where account_id = ?", (account_id,)
    ).fetchall()
    if not rows:
        raise UnknownRecipient(f"no account with id {account_id}")
    return {name for (name,) in rows}


def _make_parents(
    change: Change, account_id: int, name: str, taken: set[str]
) -> None:
    for parent in parents_of(name):
        if parent not in taken:
            make_mailbox(change.connection, account_id, parent, None, change.now)


def _check_number(connection: sqlite3.Connection, account_id: int) -> None:
    [[number]] = connection.execute(
        "select count(*) from mailbox where account_id = ?", (account_id,)
    ).fetchall()
    if number > MAX_MAILBOXES:
        raise LimitReached(f"more than {MAX_MAILBOXES} mailboxes")


def _moving(
    connection: sqlite3.Connection, account_id: int, name: str
) -> list[tuple[int, str, int]]:
    """mailbox_id, name and uidvalidity of *name* and what is below it."""
    if not is_text(name):
        return []
    return connection.execute(
        "select mailbox_id, name, uidvalidity from mailbox where account_id = ?"
        " and (name = ? or (name > ? and name < ?))",
        (account_id, name, name + SEPARATOR, name + _AFTER_SEPARATOR),
    ).fetchall()


def _rename_one(change: Change, key: Key, name: str, uidvalidity: int) -> None:
    """Give a mailbox the free *name*.

    It keeps its UIDVALIDITY unless the name has been seen with a higher one
    (RFC 3501, section 2.3.1.1: the value must grow).
    """
    connection = change.connection
    former = connection.execute(
        "select uidvalidity from former_name where account_id = ? and name = ?",
        (key[0], name),
    ).fetchall()
    if former and former[0][0] > uidvalidity:
        uidvalidity = next_uidvalidity(connection, change.now)
    connection.execute(
        "update mailbox set name = ?, uidvalidity = ?, modseq = ? where mailbox_id = ?",
        (name, uidvalidity, change.count_account(key[0]), key[1]),
    )
    change.touched.add(key)


def _note_former(
    connection: sqlite3.Connection, account_id: int, name: str, uidvalidity: int
) -> None:
    connection.execute(
        "insert into former_name values (?, ?, ?) on conflict do update"
        " set uidvalidity = max(uidvalidity, excluded.uidvalidity)",
        (account_id, name, uidvalidity),
    )


def _empty_inbox(change: Change, account_id: int, new_name: str) -> None:
    create(change, account_id, new_name, None)
    inbox = find_mailbox(change.connection, account_id, INBOX)
    rows = change.connection.execute(
        "select uid from message where account_id = ? and mailbox_id = ?", inbox
    ).fetchall()
    target = find_mailbox(change.connection, account_id, new_name)
    move(change, inbox, [uid for (uid,) in rows], target)
    change.touched.add(inbox)
