"""A session's view of an account."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from ...interfaces import IContent, IMailAccount
from ...mail.account import Account
from ...mail.flags import Flags
from ...mail.mailbox import Copied, MailboxInfo, MailboxStatus
from . import incoming, mailboxes
from .access import Access
from .bodies import NewBody
from .change import find_mailbox
from .mailbox import SQLiteMailbox


@implementer(IMailAccount)
class SQLiteAccount:
    """``IMailAccount``: the avatar of one session."""

    def __init__(self, access: Access, account: Account) -> None:
        self._access = access
        self._account_id = account.account_id
        self._releases: list[Callable[[], None]] = []
        self.address = account.address

    async def mailboxes(self) -> list[MailboxInfo]:
        with self._access.reading() as connection:
            return mailboxes.listing(connection, self._account_id)

    async def open(self, name: str, read_only: bool = False) -> SQLiteMailbox:
        with self._access.reading() as connection:
            key = find_mailbox(connection, self._account_id, name)
            status = mailboxes.status(connection, key, 0)
        return SQLiteMailbox(self._access, key, status, read_only)

    async def status(self, name: str) -> MailboxStatus:
        with self._access.reading() as connection:
            key = find_mailbox(connection, self._account_id, name)
            claimed = self._access.recents.claimed(key)
            return mailboxes.status(connection, key, claimed)

    async def create(self, name: str, special_use: str | None = None) -> None:
        await self._access.change(
            lambda change: mailboxes.create(
                change, self._account_id, name, special_use
            )
        )

    async def delete(self, name: str) -> None:
        await self._access.change(
            lambda change: mailboxes.delete(change, self._account_id, name)
        )

    async def rename(self, name: str, new_name: str) -> None:
        await self._access.change(
            lambda change: mailboxes.rename(change, self._account_id, name, new_name)
        )

    async def subscribe(self, name: str) -> None:
        await self._access.change(
            lambda change: mailboxes.subscribe(change, self._account_id, name)
        )

    async def unsubscribe(self, name: str) -> None:
        await self._access.change(
            lambda change: mailboxes.unsubscribe(change, self._account_id, name)
        )

    async def append(
        self, name: str, messages: Sequence[tuple[IContent, Flags, int]]
    ) -> Copied:
        await self.status(name)  # Nothing is read for a mailbox that is missing.
        new: list[tuple[NewBody, Flags, int]] = []
        try:
            for content, flags, date in messages:
                new.append((await self._access.intake.body(content), flags, date))
            return await self._access.change(
                lambda change: incoming.append(change, self._account_id, name, new),
                lambda: _summarise(new),
            )
        except BaseException:
            self._access.discard([body for body, _, _ in new])
            raise
        finally:
            for body, _, _ in new:
                body.close()

    async def lock_maildrop(self) -> Callable[[], None]:
        release = self._access.locks.lock(self._account_id)
        self._releases.append(release)
        return release

    def logout(self) -> None:
        """Release the maildrop if this session holds it."""
        for release in self._releases:
            release()
        self._releases.clear()


def _summarise(messages: Sequence[tuple[NewBody, Flags, int]]) -> None:
    for body, _, _ in messages:
        body.summary()
