"""What every change of mailboxes begins and ends with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from ...errors import LimitReached, NoSuchMailbox, OverQuota, UnknownRecipient
from ...mail.mailbox import INBOX
from .files import BlobFiles

#: A mailbox: account_id, mailbox_id.
Key = tuple[int, int]

#: What stands for the queue among the mailboxes that a change has touched.
QUEUE: Key = (0, 0)

#: UIDs have 32 bits (RFC 3501, section 2.3.1.1).
MAX_UID = 2**32 - 1


_MARK = (
    "insert into setting (name, value) values ('probe', ?)"
    " on conflict (name) do update set value = excluded.value"
)


@dataclass(slots=True)
class Change:
    """One change of the store while it is made, inside a transaction.

    :ivar now: seconds since the epoch.
    :ivar touched: mailboxes whose watchers are told once it is durable.
    :ivar octets: of content and the like that it writes to the log, roughly.
    """

    connection: sqlite3.Connection
    files: BlobFiles
    now: float
    touched: set[Key] = field(default_factory=set)
    octets: int = 0

    def count_account(self, account_id: int, octets: int = 0) -> int:
        """Begin a change of an account that adds *octets*.  -> its modseq.

        :raises UnknownRecipient: the account has been removed.
        :raises OverQuota: that would be too many.
        """
        rows = self.connection.execute(
            "update account set modseq = modseq + 1, used = used + ?"
            " where account_id = ? returning modseq, used, quota, address",
            (octets, account_id),
        ).fetchall()
        if not rows:
            raise UnknownRecipient(f"no account with id {account_id}")
        [(modseq, used, quota, address)] = rows
        if octets > 0 and quota is not None and used > quota:
            raise OverQuota(f"{address}: {used} octets would be more than {quota}")
        return int(modseq)

    def count_mailbox(
        self,
        key: Key,
        modseq: int,
        *,
        new: int = 0,
        messages: int = 0,
        unseen: int = 0,
        octets: int = 0,
    ) -> tuple[int, int]:
        """Note what a change does to a mailbox's counters.

        -> uidvalidity, and the first of *new* UIDs that are its from now on.

        :raises NoSuchMailbox: it has been deleted.
        :raises LimitReached: a UID would have more than 32 bits.
        """
        account_id, mailbox_id = key
        rows = self.connection.execute(
            "update mailbox set modseq = ?, uidnext = uidnext + ?,"
            " messages = messages + ?, unseen = unseen + ?, size = size + ?"
            " where mailbox_id = ? and account_id = ?"
            " returning uidvalidity, uidnext",
            (modseq, new, messages, unseen, octets, mailbox_id, account_id),
        ).fetchall()
        if not rows:
            raise NoSuchMailbox("the mailbox has been deleted")
        [(uidvalidity, uidnext)] = rows
        if uidnext > MAX_UID:
            raise LimitReached("no UIDs left in the mailbox")
        self.touched.add(key)
        return uidvalidity, uidnext - new


def is_text(name: str) -> bool:
    """Whether *name* could be in the database: it has no lone surrogate."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def find_mailbox(connection: sqlite3.Connection, account_id: int, name: str) -> Key:
    """
    :raises NoSuchMailbox: or the account has been removed.
    """
    rows = is_text(name) and connection.execute(
        "select mailbox_id from mailbox where account_id = ? and name = ?",
        (account_id, name),
    ).fetchall()
    if not rows:
        raise NoSuchMailbox(f"no mailbox {name!r}")
    return account_id, rows[0][0]


def find_target(connection: sqlite3.Connection, account_id: int, name: str) -> Key:
    """The mailbox that mail for *name* goes to.

    Mail is not lost because somebody deleted the mailbox it was for.

    :raises UnknownRecipient: the account has been removed.
    """
    for choice in (name, INBOX):
        try:
            return find_mailbox(connection, account_id, choice)
        except NoSuchMailbox:
            continue
    raise UnknownRecipient(f"no account with id {account_id}")


def mailbox_state(connection: sqlite3.Connection, key: Key) -> tuple[int, int]:
    """-> the mailbox's highest modseq, and its uidvalidity.

    :raises NoSuchMailbox: it has been deleted.
    """
    rows = connection.execute(
        "select modseq, uidvalidity from mailbox where account_id = ?"
        " and mailbox_id = ?",
        key,
    ).fetchall()
    if not rows:
        raise NoSuchMailbox("the mailbox has been deleted")
    modseq, uidvalidity = rows[0]
    return modseq, uidvalidity


def leave_a_mark(change: Change) -> None:
    """Write something that means nothing: whether it can be is the question."""
    change.connection.execute(_MARK, (int(change.now),))
