"""An application's own data as mailboxes that can be read and not changed.

Give :class:`VirtualMailbox` two methods and it is a whole ``IMailbox``::

    class Tickets(VirtualMailbox):
        async def items(self):
            return [Item(t.number, t.created) for t in await open_tickets()]

        async def octets(self, uid):
            return render(await ticket(uid))
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from zope.interface import implementer

from ..errors import NoSuchMailbox, NotPermitted, ReadOnlyMailbox
from ..interfaces import IMailAccount, IMailbox
from ..mail.flags import NO_FLAGS, SEEN, FlagChange, Flags
from ..mail.mailbox import (
    INBOX,
    Changes,
    Column,
    Copied,
    MailboxInfo,
    MailboxStatus,
)
from ..mail.matching import Matcher, Need, compile_query
from ..mail.query import Query
from .callbacks import Callbacks
from .memory_columns import COLUMNS
from .memory_state import Body, Message, entries_of

#: Messages of a mailbox whose octets are kept for the next question.
KEPT_BODIES = 64
#: Stands for the body of a message that nobody has had to read yet.
_UNREAD = Body(b"")


@dataclass(frozen=True, slots=True)
class Item:
    """A message of an application, but for its octets.

    :ivar uid: 1 .. 2**32-1; a later message has a higher one, and a UID stands for
        the same octets for ever (RFC 3501, section 2.3.1.1).
    :ivar internal_date: seconds since the epoch.
    """

    uid: int
    internal_date: int
    flags: Flags = NO_FLAGS


@implementer(IMailbox)
class VirtualMailbox:
    """``IMailbox`` of what :meth:`items` and :meth:`octets` give.

    Clients may copy nothing, change nothing and mark nothing; the application may
    do all of that behind it, and calls :meth:`changed` so that clients which wait
    hear of it.  Make one for each session: it remembers what it has shown.

    :param uidvalidity: another number says that all UIDs mean something new.
    """

    read_only = True

    def __init__(self, name: str = INBOX, uidvalidity: int = 1) -> None:
        self.name = name
        self.uidvalidity = uidvalidity
        self._modseq = 1
        self._uidnext = 1
        self._seen: dict[int, tuple[Item, int]] = {}
        self._vanished: list[tuple[int, int]] = []
        self._bodies: dict[int, Body] = {}
        self._sizes: dict[int, int] = {}
        self._watchers = Callbacks()

    # What an application gives.

    async def items(self) -> Iterable[Item]:
        """All messages there are now, in any order."""
        return ()

    async def octets(self, uid: int) -> bytes:
        """A message's octets, lines ended by CRLF; always the same ones.

        Raise ``LookupError`` for a message that has just gone.
        """
        raise LookupError(uid)

    def changed(self) -> None:
        """To be called after :meth:`items` would give something else."""
        self._watchers.call()

    # What becomes of it.

    async def _refresh(self) -> None:
        """Compare what there is with what was shown, and number the changes."""
        now = {item.uid: item for item in await self.items()}
        modseq = self._modseq + 1
        gone = self._seen.keys() - now.keys()
        changed = [
            item
            for uid, item in now.items()
            if uid not in self._seen or self._seen[uid][0] != item
        ]
        if not gone and not changed:
            return
        self._modseq = modseq
        self._uidnext = max(self._uidnext, max(now, default=0) + 1)
        self._vanished += [(modseq, uid) for uid in sorted(gone)]
        for uid in gone:
            self._bodies.pop(uid, None)
            self._sizes.pop(uid, None)
        seen = {uid: pair for uid, pair in self._seen.items() if uid in now}
        seen.update((item.uid, (item, modseq)) for item in changed)
        self._seen = dict(sorted(seen.items()))

    async def _body(self, uid: int) -> Body | None:
        body = self._bodies.get(uid)
        if body is None:
            try:
                body = Body(await self.octets(uid))
            except LookupError:
                return None
            self._bodies[uid] = body
            self._sizes[uid] = body.content.size
            if len(self._bodies) > KEPT_BODIES:
                del self._bodies[next(iter(self._bodies))]
        return body

    async def _messages(self, uids: Iterable[int]) -> list[Message]:
        found = []
        for uid in uids:
            if uid in self._seen and (body := await self._body(uid)) is not None:
                item, modseq = self._seen[uid]
                found.append(
                    Message(uid, modseq, item.flags, item.internal_date, body)
                )
        return found

    async def status(self) -> MailboxStatus:
        await self._refresh()
        for uid in tuple(self._seen):
            if uid not in self._sizes:
                await self._body(uid)
        items = [item for item, _ in self._seen.values()]
        return MailboxStatus(
            name=self.name,
            uidvalidity=self.uidvalidity,
            uidnext=self._uidnext,
            modseq=self._modseq,
            messages=len(items),
            unseen=sum(SEEN not in item.flags for item in items),
            recent=0,
            size=sum(self._sizes.values()),
        )

    async def changes(self, since: int) -> Changes:
        await self._refresh()
        entries = entries_of(
            (uid, modseq, item.flags)
            for uid, (item, modseq) in self._seen.items()
            if modseq > since
        )
        if since <= 0:
            return Changes(self._modseq, entries, [])
        first = bisect_right(self._vanished, since, key=lambda pair: pair[0])
        vanished = sorted(uid for _, uid in self._vanished[first:])
        return Changes(self._modseq, entries, vanished)

    async def claim_recent(self) -> int:
        """No message of an application is ``\\Recent``."""
        await self._refresh()
        return self._uidnext

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        return self._watchers.add(callback)

    async def fetch(
        self, uids: Sequence[int], columns: tuple[Column, ...]
    ) -> list[tuple[object, ...]]:
        if not all(uid in self._seen for uid in uids):
            await self._refresh()
        getters = [COLUMNS[column] for column in columns]
        return [
            (message.uid, *[get(message) for get in getters])
            for message in await self._messages(uids)
        ]

    async def search(self, query: Query) -> list[int]:
        await self._refresh()
        matcher = compile_query(query)
        return [
            uid
            for uid, (item, _) in tuple(self._seen.items())
            if await self._matches(item, matcher)
        ]

    async def _matches(self, item: Item, matcher: Matcher) -> bool:
        """Whether *item* is meant; only if flags and UID leave it open it is read."""
        message = Message(item.uid, 0, item.flags, item.internal_date, _UNREAD)
        for stage in matcher.stages:
            if stage.need > Need.ENTRY and message.body is _UNREAD:
                body = await self._body(item.uid)
                if body is None:
                    return False
                message.body = body
            if not stage.match(message):
                return False
        return True

    async def set_flags(
        self, uids: Sequence[int], change: FlagChange, flags: Flags
    ) -> Changes:
        raise ReadOnlyMailbox(f"{self.name!r} can only be read")

    async def copy(self, uids: Sequence[int], target: str) -> Copied:
        raise NotPermitted("nothing can be stored here")

    async def move(self, uids: Sequence[int], target: str) -> Copied:
        raise ReadOnlyMailbox(f"{self.name!r} can only be read")

    async def expunge(
        self, uids: Sequence[int], deleted_only: bool = True
    ) -> list[int]:
        raise ReadOnlyMailbox(f"{self.name!r} can only be read")


@implementer(IMailAccount)
class VirtualAccount:
    """``IMailAccount`` of mailboxes that can only be read.

    :param mailboxes: this session's own; an INBOX is added where there is none.
    """

    def __init__(self, address: str, mailboxes: Iterable[VirtualMailbox]) -> None:
        self.address = address
        self._mailboxes: dict[str, VirtualMailbox] = {INBOX: VirtualMailbox()}
        self._mailboxes.update((mailbox.name, mailbox) for mailbox in mailboxes)

    async def mailboxes(self) -> list[MailboxInfo]:
        return [MailboxInfo(name, subscribed=True) for name in sorted(self._mailboxes)]

    async def open(self, name: str, read_only: bool = False) -> VirtualMailbox:
        try:
            return self._mailboxes[name]
        except KeyError:
            raise NoSuchMailbox(f"no mailbox {name!r}") from None

    async def status(self, name: str) -> MailboxStatus:
        return await (await self.open(name)).status()

    async def create(self, name: str, special_use: str | None = None) -> None:
        raise NotPermitted("no mailbox can be made here")

    async def delete(self, name: str) -> None:
        raise NotPermitted("no mailbox can be deleted here")

    async def rename(self, name: str, new_name: str) -> None:
        raise NotPermitted("no mailbox can be renamed here")

    async def subscribe(self, name: str) -> None:
        """All mailboxes are subscribed already."""

    async def unsubscribe(self, name: str) -> None:
        raise NotPermitted("all mailboxes are subscribed here")

    async def append(self, name: str, messages: Sequence[object]) -> Copied:
        raise NotPermitted("nothing can be stored here")

    async def lock_maildrop(self) -> Callable[[], None]:
        """Nobody can delete anything, so nobody has to be kept out."""
        return _nothing

    def logout(self) -> None:
        """Holds nothing."""


def _nothing() -> None:
    """Releases the lock that none was."""
