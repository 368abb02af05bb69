"""An open mailbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from ...errors import ReadOnlyMailbox
from ...interfaces import IMailbox
from ...mail.flags import FlagChange, Flags
from ...mail.mailbox import (
    Changes,
    Column,
    Copied,
    Entries,
    MailboxStatus,
    Outline,
)
from ...mail.query import Query
from ...powers import IOutlinedMailbox
from . import fetching, history, mailboxes, messages, moving, outline
from .access import Access
from .change import Change, Key, find_mailbox
from .search import search


@implementer(IMailbox, IOutlinedMailbox)
class SQLiteMailbox:
    """``IMailbox`` for one session.

    Once the mailbox has been deleted, what would show or change its messages
    raises ``NoSuchMailbox``.

    :ivar name: may change while the mailbox is open; ``status()`` brings it up to
        date.
    """

    def __init__(
        self, access: Access, key: Key, status: MailboxStatus, read_only: bool
    ) -> None:
        self._access = access
        self._key = key
        self.name = status.name
        self.uidvalidity = status.uidvalidity
        self.read_only = read_only

    async def status(self) -> MailboxStatus:
        claimed = self._access.recents.claimed(self._key)
        with self._access.reading() as connection:
            status = mailboxes.status(connection, self._key, claimed)
        self.name, self.uidvalidity = status.name, status.uidvalidity
        return status

    async def changes(self, since: int) -> Changes:
        with self._access.reading() as connection:
            return history.changes(connection, self._access.flags, self._key, since)

    async def outline(self) -> Outline:
        with self._access.reading() as connection:
            return outline.outline(connection, self._key)

    async def flags_between(
        self, first: int, last: int
    ) -> tuple[Flags, list[tuple[int, Flags]]]:
        access = self._access
        with access.reading() as connection:
            return outline.flags_between(
                connection, access.flags, self._key, first, last
            )

    async def claim_recent(self) -> int:
        """Claims nothing when read-only (RFC 3501, section 6.3.2)."""
        recents = self._access.recents
        with self._access.reading() as connection:
            written, uidnext = mailboxes.recent_from(connection, self._key)
        first = max(written, recents.claimed(self._key))
        if first < uidnext and not self.read_only:
            recents.claim(self._key, uidnext)
        return first

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        return self._access.watchers.watch(self._key, callback)

    async def fetch(
        self, uids: Sequence[int], columns: tuple[Column, ...]
    ) -> list[tuple]:
        access = self._access
        with access.reading() as connection:
            return fetching.fetch(connection, access.files, self._key, uids, columns)

    async def set_flags(
        self, uids: Sequence[int], change: FlagChange, flags: Flags
    ) -> Changes:
        self._check_writable()
        done = await self._access.change(
            lambda work: messages.set_flags(work, self._key, uids, change, flags)
        )
        with self._access.reading():
            sets = self._access.flags.sets(done.values)
        return Changes(done.modseq, Entries(done.uids, done.modseqs, sets), [])

    async def copy(self, uids: Sequence[int], target: str) -> Copied:
        def copy(change: Change) -> Copied:
            there = find_mailbox(change.connection, self._key[0], target)
            return moving.copy(change, self._key, uids, there)

        return await self._access.change(copy)

    async def move(self, uids: Sequence[int], target: str) -> Copied:
        def move(change: Change) -> Copied:
            there = find_mailbox(change.connection, self._key[0], target)
            return moving.move(change, self._key, uids, there)

        self._check_writable()
        return await self._access.change(move)

    async def expunge(
        self, uids: Sequence[int], deleted_only: bool = True
    ) -> list[int]:
        self._check_writable()
        return await self._access.change(
            lambda change: moving.expunge(change, self._key, uids, deleted_only)
        )

    async def search(self, query: Query) -> list[int]:
        return await search(self._access, self._key, query)

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyMailbox(f"{self.name!r} is open for reading only")
