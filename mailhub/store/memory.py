"""A store that keeps everything in memory: for tests and for embedding.

It is as complete as the others and forgets all when the process ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import cast

from zope.interface import implementer

from ..errors import (
    MailboxExists,
    MailboxInUse,
    NoSuchMailbox,
    NotPermitted,
    UnknownRecipient,
)
from ..interfaces import IContent, IMailAccount, IMailStore
from ..mail.account import Delivery
from ..mail.flags import Flags
from ..mail.mailbox import (
    INBOX,
    SEPARATOR,
    Copied,
    MailboxInfo,
    MailboxStatus,
    canonical_name,
)
from ..mail.queued import Lease
from ..powers import IQuotaStore
from .content import MemorySpool, octets_of
from .memory_arriving import Arriving
from .memory_directory import MemoryDirectory
from .memory_mailbox import MemoryMailbox
from .memory_queue import MemoryQueue
from .memory_state import AccountState, Body, MailboxState


@implementer(IMailStore, IQuotaStore)
class MemoryStore:
    """``IMailStore`` without a disk.

    :param now: seconds since the epoch; only UIDVALIDITY depends on it.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.directory = MemoryDirectory(now)
        self.queue = MemoryQueue(self._read)

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close; the mail stays for as long as the object."""

    async def open_account(self, address: str) -> MemoryAccount:
        return MemoryAccount(self.directory.state(address))

    async def deliver(self, delivery: Delivery) -> list[Lease]:
        arriving = await self._read(delivery)
        arriving.check()
        return arriving.make()

    async def _read(self, delivery: Delivery) -> Arriving:
        data = await octets_of(cast(IContent, delivery.content))
        return Arriving(delivery, data, self.directory, self.queue)

    def room_of(self, account_id: int) -> int:
        """See :meth:`mailhub.powers.IQuotaStore.room_of`."""
        try:
            state = self.directory.state_by_id(account_id)
        except UnknownRecipient:
            return sys.maxsize
        quota = state.account.quota
        return sys.maxsize if quota is None else quota - state.used

    def spool(self) -> MemorySpool:
        return MemorySpool()


@implementer(IMailAccount)
class MemoryAccount:
    """``IMailAccount``: one session's view of an account."""

    def __init__(self, state: AccountState) -> None:
        self._kept = state
        self.address = state.account.address
        self._releases: list[Callable[[], None]] = []

    @property
    def _state(self) -> AccountState:
        if self._kept.gone:
            raise UnknownRecipient(f"{self.address!r} has been removed")
        return self._kept

    def _mailbox(self, name: str) -> MailboxState:
        try:
            return self._state.mailboxes[name]
        except KeyError:
            raise NoSuchMailbox(f"no mailbox {name!r}") from None

    async def mailboxes(self) -> list[MailboxInfo]:
        state = self._state
        names = set(state.mailboxes) | state.subscribed
        for name in state.mailboxes:
            names.update(parents_of(name))
        return [self._info(name) for name in sorted(names)]

    def _info(self, name: str) -> MailboxInfo:
        state = self._state
        mailbox = state.mailboxes.get(name)
        return MailboxInfo(
            name,
            exists=mailbox is not None,
            subscribed=name in state.subscribed,
            special_use=None if mailbox is None else mailbox.special_use,
        )

    async def open(self, name: str, read_only: bool = False) -> MemoryMailbox:
        return MemoryMailbox(self._state, self._mailbox(name), read_only)

    async def status(self, name: str) -> MailboxStatus:
        return self._mailbox(name).status()

    async def create(self, name: str, special_use: str | None = None) -> None:
        state = self._state
        name = canonical_name(name)
        if name in state.mailboxes:
            raise MailboxExists(f"{name!r} exists")
        self._make_parents(name)
        state.make_mailbox(name, special_use)

    def _make_parents(self, name: str) -> None:
        for parent in parents_of(name):
            if parent not in self._state.mailboxes:
                self._state.make_mailbox(parent)

    async def delete(self, name: str) -> None:
        if name == INBOX:
            raise NotPermitted("INBOX cannot be deleted")
        self._state.drop_mailbox(self._mailbox(name))

    async def rename(self, name: str, new_name: str) -> None:
        state = self._state
        new_name = canonical_name(new_name)
        if name == INBOX:
            await self.create(new_name)
            inbox, target = self._mailbox(INBOX), self._mailbox(new_name)
            state.move(inbox, list(inbox.messages.values()), target)
            return
        moving = self._new_names(name, new_name)
        for mailbox in [state.mailboxes.pop(old) for old in moving]:
            self._rename_one(mailbox, moving[mailbox.name])
        self._make_parents(new_name)

    def _new_names(self, name: str, new_name: str) -> dict[str, str]:
        """Where *name* and its children would go, if they can."""
        state = self._state
        below = name + SEPARATOR
        moving = {
            old: canonical_name(new_name + old[len(name) :])
            for old in state.mailboxes
            if old == name or old.startswith(below)
        }
        if not moving:
            raise NoSuchMailbox(f"no mailbox {name!r}")
        if new_name.startswith(below):
            raise NotPermitted(f"{name!r} cannot go below itself")
        # The name itself, too, where only its children have a mailbox.
        for new in (new_name, *moving.values()):
            if new in state.mailboxes:
                raise MailboxExists(f"{new!r} exists")
        return moving

    def _rename_one(self, mailbox: MailboxState, name: str) -> None:
        """Give *mailbox* the free *name*.

        It keeps its UIDVALIDITY unless the name has been seen with a higher one
        (RFC 3501, section 2.3.1.1: the value must grow).
        """
        state = self._state
        mailbox.name = name
        if state.validities.get(name, 0) > mailbox.uidvalidity:
            mailbox.uidvalidity = state.next_uidvalidity(name)
        state.validities[name] = mailbox.uidvalidity
        mailbox.modseq = state.next_modseq()
        state.mailboxes[name] = mailbox
        mailbox.watchers.call()

    async def subscribe(self, name: str) -> None:
        self._state.subscribed.add(canonical_name(name))

    async def unsubscribe(self, name: str) -> None:
        self._state.subscribed.discard(name)

    async def append(
        self, name: str, messages: Sequence[tuple[IContent, Flags, int]]
    ) -> Copied:
        self._mailbox(name)
        new = [
            (Body(await octets_of(content)), flags, internal_date)
            for content, flags, internal_date in messages
        ]
        # Reading may have taken a while: the mailbox may have gone meanwhile.
        return self._state.append(self._mailbox(name), new)

    async def lock_maildrop(self) -> Callable[[], None]:
        state = self._state
        if state.locked:
            raise MailboxInUse(f"{self.address!r} is locked by another session")
        state.locked = True

        def release() -> None:
            if release in self._releases:
                self._releases.remove(release)
                state.locked = False

        self._releases.append(release)
        return release

    def logout(self) -> None:
        """Release the maildrop if this session holds it."""
        for release in tuple(self._releases):
            release()


def parents_of(name: str) -> list[str]:
    """The names above *name*, from the top."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]
