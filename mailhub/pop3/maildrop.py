"""The messages of one session: INBOX as it was at the login.

Numbers stay what they are for the whole session (RFC 1939, section 5), whatever
other sessions do.  Deleting is a mark until QUIT.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Protocol

from ..mail.mailbox import Changes, Column
from .replies import DeletedMessage, MessageGone, NoSuchMessage

#: Messages asked of the store at a time, when only their sizes are wanted.
SIZES_AT_A_TIME = 500
#: Messages, and octets of them, fetched ahead for a client that reads one after
#: the other; what a session may hold is bounded by the latter.
AHEAD_MESSAGES = 64
AHEAD_OCTETS = 256 * 1024
#: Octets of a message above which stores give it bit by bit (``IContent.read``), so
#: that it may be fetched ahead and nothing is held.
HELD_OCTETS = 128 * 1024


class Mailbox(Protocol):
    """``IMailbox``, as far as POP3 uses it."""

    uidvalidity: int
    read_only: bool

    async def changes(self, since: int) -> Changes: ...

    async def fetch(
        self, uids: Sequence[int], columns: tuple[Column, ...]
    ) -> list[tuple[Any, ...]]: ...

    async def expunge(
        self, uids: Sequence[int], deleted_only: bool = True
    ) -> list[int]: ...


class Content(Protocol):
    """``IContent``, as far as POP3 uses it."""

    @property
    def size(self) -> int: ...

    async def read(self, start: int, stop: int) -> bytes: ...

    def close(self) -> None: ...


class Maildrop:
    """A snapshot of a mailbox; messages are counted from 0 here.

    :ivar mailbox: what it was taken of.
    :ivar sizes: octets of each message.
    :ivar deleted: those that are marked.
    """

    def __init__(self, mailbox: Mailbox, uids: array[int], sizes: array[int]) -> None:
        self.mailbox = mailbox
        self.uids = uids
        self.sizes = sizes
        self.deleted: set[int] = set()
        self._contents = _Ahead(self, Column.CONTENT)
        self._headers = _Ahead(self, Column.HEADER)

    @classmethod
    async def load(cls, mailbox: Mailbox) -> Maildrop:
        """The messages that *mailbox* has now."""
        known = (await mailbox.changes(0)).entries.uids
        uids, sizes = array("I"), array("Q")
        for start in range(0, len(known), SIZES_AT_A_TIME):
            some = known[start : start + SIZES_AT_A_TIME]
            for uid, size in await mailbox.fetch(some, (Column.SIZE,)):
                uids.append(uid)
                sizes.append(size)
        return cls(mailbox, uids, sizes)

    @property
    def uidvalidity(self) -> int:
        """The first half of unique ids."""
        return self.mailbox.uidvalidity

    @property
    def read_only(self) -> bool:
        """Whether nothing can be deleted."""
        return self.mailbox.read_only

    @property
    def count(self) -> int:
        """Messages that are not marked."""
        return len(self.uids) - len(self.deleted)

    @property
    def octets(self) -> int:
        """Octets of the messages that are not marked."""
        return sum(self.sizes) - sum([self.sizes[index] for index in self.deleted])

    def find(self, number: int) -> int:
        """The index of the message that the client calls *number*.

        :raises NoSuchMessage: there is none, or it is marked for deletion.
        """
        if not 1 <= number <= len(self.uids):
            raise NoSuchMessage(f"message {number} of {len(self.uids)}")
        if number - 1 in self.deleted:
            raise DeletedMessage(f"message {number} is marked")
        return number - 1

    def scan_lines(self, start: int, stop: int) -> list[bytes]:
        """``number size`` of the messages that are not marked."""
        deleted = self.deleted
        numbered = enumerate(self.sizes[start:stop], start + 1)
        if not deleted:
            return [b"%d %d" % pair for pair in numbered]
        return [b"%d %d" % pair for pair in numbered if pair[0] - 1 not in deleted]

    def id_lines(self, start: int, stop: int) -> list[bytes]:
        """``number unique-id`` of the messages that are not marked."""
        deleted = self.deleted
        line = b"%%d %d.%%d" % self.uidvalidity
        numbered = enumerate(self.uids[start:stop], start + 1)
        return [line % pair for pair in numbered if pair[0] - 1 not in deleted]

    async def content(self, index: int, eager: bool) -> Content:
        """The octets of a message; whoever gets them closes them.

        :param eager: more commands wait, likely for the messages that follow.
        :raises MessageGone: another session removed it.
        """
        content: Content = await self._contents.take(index, eager)
        return content

    async def header(self, index: int, eager: bool) -> bytes:
        """The header with the empty line after it; else as :meth:`content`."""
        header: bytes = await self._headers.take(index, eager)
        return header

    async def expunge(self) -> None:
        """Remove what is marked, all at once."""
        uids = sorted([self.uids[index] for index in self.deleted])
        if uids:
            await self.mailbox.expunge(uids, deleted_only=False)

    def slice_from(self, index: int, whole: bool) -> list[int]:
        """UIDs from *index* on to fetch in one go; that one alone if not *whole*."""
        uids, held = [self.uids[index]], 0
        if not whole:
            return uids
        sizes, deleted = self.sizes, self.deleted
        for other in range(index, min(index + AHEAD_MESSAGES, len(self.uids))):
            size = sizes[other]
            held += size if size <= HELD_OCTETS else 0
            if held > AHEAD_OCTETS:
                break
            if other > index and other not in deleted:
                uids.append(self.uids[other])
        return uids

    def close(self) -> None:
        """Free what was fetched ahead."""
        self._contents.drop()


class _Ahead:
    """One column of messages, fetched in slices for who reads in order."""

    def __init__(self, maildrop: Maildrop, column: Column) -> None:
        self._maildrop = maildrop
        self._column = column
        self._kept: dict[int, Any] = {}
        self._last = -2

    async def take(self, index: int, eager: bool) -> Any:
        maildrop = self._maildrop
        uid = maildrop.uids[index]
        if uid not in self._kept:
            self.drop()
            in_order = eager or index == self._last + 1
            uids = maildrop.slice_from(index, in_order)
            rows = await maildrop.mailbox.fetch(uids, (self._column,))
            self._kept = dict(rows)
        self._last = index
        try:
            return self._kept.pop(uid)
        except KeyError:
            raise MessageGone(f"UID {uid}") from None

    def drop(self) -> None:
        """Free what nobody took."""
        if self._column is Column.CONTENT:
            for content in self._kept.values():
                content.close()
        self._kept = {}
