"""Domains, accounts and aliases in the database.  Nothing here needs Twisted."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable

from ...errors import MailboxExists, NotPermitted
from ...mail.account import Account, Alias, Forward
from ...mail.mailbox import INBOX, SPECIAL_MAILBOXES
from .change import Key
from .mailboxes import make_mailbox
from .schema import storage_faults, transaction

_REMOVALS = (
    "delete from account where account_id = ?",
    "delete from mailbox where account_id = ?",
    "delete from former_name where account_id = ?",
    "delete from subscription where account_id = ?",
    "delete from keyword_set where account_id = ?",
    "delete from forward where account_id = ?",
)
_COLUMNS = "account_id, address, password, quota, enabled"
_FORWARDS = (
    "select address, targets, keeps from forward join account using (account_id)"
)


class Directory:
    """The methods of ``IDirectory``, without waiting for anything but the disk.

    Each change is durable when its method returns; inside a transaction of the
    caller's it becomes so with that one.

    :param connection: from :func:`mailhub.store.sqlite.schema.connect`.
    :param now: seconds since the epoch.
    :ivar touched: mailboxes that have gone with their accounts: their watchers
        should be told (:func:`mailhub.store.feed.announce`) after the commit.
    """

    def __init__(
        self, connection: sqlite3.Connection, now: Callable[[], float] = time.time
    ) -> None:
        self._connection = connection
        self._now = now
        self.touched: set[Key] = set()

    def is_local_domain(self, domain: str) -> bool:
        return self._has("select 1 from domain where name = ?", domain)

    def find_account(self, address: str) -> Account | None:
        rows = self._rows(f"select {_COLUMNS} from account where address = ?", address)
        return _account(rows[0]) if rows else None

    def find_alias(self, address: str) -> Alias | None:
        statement = "select address, targets from alias where address = ?"
        rows = self._rows(statement, address)
        return _alias(rows[0]) if rows else None

    def domains(self) -> list[str]:
        return [name for (name,) in self._rows("select name from domain order by name")]

    def accounts(self) -> list[Account]:
        rows = self._rows(f"select {_COLUMNS} from account order by address")
        return [_account(row) for row in rows]

    def aliases(self) -> list[Alias]:
        rows = self._rows("select address, targets from alias order by address")
        return [_alias(row) for row in rows]

    def add_domain(self, domain: str) -> bool:
        return self._changes("insert or ignore into domain values (?)", domain)

    def remove_domain(self, domain: str) -> bool:
        """
        :raises NotPermitted: accounts of the domain exist.
        """
        with transaction(self._connection):
            # No index serves this, and none is worth it: domains go rarely.
            used = self._has(
                "select 1 from account where substr(address, -length(?1)) = ?1 limit 1",
                "@" + domain,
            )
            if used:
                raise NotPermitted(f"accounts of {domain!r} exist")
            return self._changes("delete from domain where name = ?", domain)

    def add_account(
        self, address: str, password: str, quota: int | None = None
    ) -> Account:
        """
        :raises MailboxExists: the address is taken.
        """
        with transaction(self._connection):
            if self.find_account(address) is not None:
                raise MailboxExists(f"{address!r} is taken")
            self.add_domain(address.rpartition("@")[2])
            [[account_id]] = self._rows(
                "insert into account (address, password, quota) values (?, ?, ?)"
                " returning account_id",
                address, password, quota,
            )
            for name, use in ((INBOX, None), *SPECIAL_MAILBOXES.items()):
                make_mailbox(self._connection, account_id, name, use, self._now())
                self._changes(
                    "insert into subscription values (?, ?)", account_id, name
                )
        return Account(account_id, address, password, quota)

    def remove_account(self, address: str) -> bool:
        """Its mail goes after it, in pieces (see :mod:`purge`)."""
        with transaction(self._connection):
            account = self.find_account(address)
            if account is None:
                return False
            account_id = account.account_id
            keys = self._rows(
                "select account_id, mailbox_id from mailbox where account_id = ?",
                account_id,
            )
            self._connection.executemany(
                "insert into doomed_mailbox values (?, ?)", keys
            )
            for statement in _REMOVALS:
                self._changes(statement, account_id)
        self.touched.update(keys)
        return True

    def set_password(
        self, address: str, password: str, expected: str | None = None
    ) -> bool:
        return self._changes(
            "update account set password = ?1"
            " where address = ?2 and password = coalesce(?3, password)",
            password, address, expected,
        )

    def set_alias(self, address: str, targets: Iterable[str]) -> None:
        self._changes(
            "insert or replace into alias values (?, ?)", address, "\n".join(targets)
        )

    def remove_alias(self, address: str) -> bool:
        return self._changes("delete from alias where address = ?", address)

    def find_forward(self, address: str) -> Forward | None:
        statement = f"{_FORWARDS} where address = ?"
        rows = self._rows(statement, address)
        return _forward(rows[0]) if rows else None

    def forwards(self) -> list[Forward]:
        return [_forward(row) for row in self._rows(f"{_FORWARDS} order by address")]

    def set_forward(
        self, address: str, targets: Iterable[str], keeps: bool = False
    ) -> bool:
        return self._changes(
            "insert or replace into forward"
            " select account_id, ?, ? from account where address = ?",
            "\n".join(targets), keeps, address,
        )

    def remove_forward(self, address: str) -> bool:
        return self._changes(
            "delete from forward where account_id ="
            " (select account_id from account where address = ?)",
            address,
        )

    def _rows(self, statement: str, *values: object) -> list[tuple]:
        try:
            with storage_faults():
                return self._connection.execute(statement, values).fetchall()
        except UnicodeEncodeError:  # A lone surrogate: it is in no row.
            return []

    def _has(self, statement: str, *values: object) -> bool:
        return bool(self._rows(statement, *values))

    def _changes(self, statement: str, *values: object) -> bool:
        """Perform *statement*.  -> whether it changed a row."""
        with transaction(self._connection):
            return self._connection.execute(statement, values).rowcount > 0


def _account(row: tuple) -> Account:
    account_id, address, password, quota, enabled = row
    return Account(account_id, address, password, quota, bool(enabled))


def _alias(row: tuple) -> Alias:
    address, targets = row
    return Alias(address, tuple(targets.split("\n")) if targets else ())


def _forward(row: tuple) -> Forward:
    address, targets, keeps = row
    return Forward(address, tuple(targets.split("\n")), bool(keeps))
