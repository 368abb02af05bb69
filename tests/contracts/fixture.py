"""What all store contracts start from: a store with one account."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from twisted.internet.defer import Deferred

from mailhub.mail.account import Account, Delivery, Target
from mailhub.mail.flags import NO_FLAGS, Flags
from mailhub.mail.mailbox import INBOX, Changes, Column, Copied
from mailhub.store.content import BytesContent, octets_of

ALICE = "alice@example.org"
BOB = "bob@example.org"
#: Saturday, 21 November 2026, 01:46:40 UTC.
SENT_AT = 1_795_225_600


def message(subject: str = "hello", body: str = "Hi.\r\n") -> bytes:
    """A small message as it comes over the wire."""
    return (
        f"From: Bob <{BOB}>\r\nTo: {ALICE}\r\nSubject: {subject}\r\n"
        f"Date: Sat, 21 Nov 2026 01:46:40 +0000\r\n\r\n{body}"
    ).encode()


async def fails(error: type[Exception], work: Awaitable[Any]) -> Any:
    """*work* must raise *error*.  -> the exception"""
    try:
        result = await work
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__}, but {result!r}")


def outcome(work: Awaitable[Any]) -> Deferred[type[Exception] | None]:
    """-> fires with ``None`` or with the class of what *work* raised"""
    done = Deferred.fromCoroutine(work)
    return done.addCallbacks(lambda result: None, lambda failure: failure.type)


class StoreFixture:
    """A started store that has Alice's account; a backend says how to make one.

    The class is a mixin for a ``twisted.trial.unittest.TestCase``::

        class MemoryStoreTests(StoreContract, TestCase):
            async def make_store(self):
                return MemoryStore()
    """

    store: Any
    alice: Account

    async def make_store(self) -> Any:
        """A new ``IMailStore``, not started."""
        raise NotImplementedError

    async def setUp(self) -> None:
        self.store = await self.make_store()
        await self.store.start()
        self.addCleanup(self.store.stop)
        self.alice = await self.store.directory.add_account(ALICE, "{PLAIN}secret")

    async def account(self, address: str = ALICE) -> Any:
        """A new avatar of *address*."""
        return await self.store.open_account(address)

    async def open(self, name: str = INBOX, read_only: bool = False) -> Any:
        """A mailbox of Alice's, opened by a session of its own."""
        return await (await self.account()).open(name, read_only)

    async def deliver(
        self,
        data: bytes = message(),
        *,
        prefix: bytes = b"",
        targets: tuple[Target, ...] | None = None,
    ) -> None:
        """Deliver one message, to Alice's INBOX unless told otherwise."""
        if targets is None:
            targets = (Target(self.alice.account_id),)
        await self.store.deliver(Delivery(BytesContent(data), prefix, targets, SENT_AT))

    async def append(
        self,
        *messages: bytes,
        name: str = INBOX,
        flags: Flags = NO_FLAGS,
        date: int = SENT_AT,
    ) -> Copied:
        """Append *messages* to a mailbox of Alice's."""
        new = [(BytesContent(data), flags, date) for data in messages]
        copied: Copied = await (await self.account()).append(name, new)
        return copied

    async def subjects(self, name: str = INBOX) -> list[str]:
        """The subjects of a mailbox of Alice's, in UID order."""
        return [subject_of(data) for data in await self.contents(name)]

    async def contents(self, name: str = INBOX) -> list[bytes]:
        """The octets of all messages in a mailbox of Alice's."""
        mailbox = await self.open(name, read_only=True)
        uids = (await mailbox.changes(0)).entries.uids
        rows = await mailbox.fetch(uids, (Column.CONTENT,))
        return [await octets_of(content) for _, content in rows]


def subject_of(data: bytes) -> str:
    """The unfolded subject of one of :func:`message`'s messages."""
    return data.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()


def uids_of(changes: Changes) -> list[int]:
    """UIDs of the new and changed messages."""
    return list(changes.entries.uids)


def flags_of(changes: Changes) -> dict[int, set[str]]:
    """Flags of the new and changed messages, by UID."""
    entries = changes.entries
    return {
        uid: set(flags) for uid, flags in zip(entries.uids, entries.flags, strict=True)
    }


def names_of(infos: Iterable[Any]) -> list[str]:
    """The names of a mailbox listing."""
    return [info.name for info in infos]
