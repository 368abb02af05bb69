"""An open mailbox of the memory store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from ..errors import NoSuchMailbox, ReadOnlyMailbox
from ..interfaces import IMailbox
from ..mail.flags import FlagChange, Flags
from ..mail.mailbox import Changes, Column, Copied, MailboxStatus
from ..mail.matching import compile_query
from ..mail.query import Query
from .memory_columns import COLUMNS
from .memory_state import AccountState, MailboxState, entries_of, rows_of


@implementer(IMailbox)
class MemoryMailbox:
    """``IMailbox`` whose methods have their answers at hand.

    All of them raise ``NoSuchMailbox`` once the mailbox has been deleted.
    """

    def __init__(
        self, account: AccountState, state: MailboxState, read_only: bool
    ) -> None:
        self._account = account
        self._kept = state
        self.read_only = read_only

    @property
    def name(self) -> str:
        """The name, which may change while the mailbox is open."""
        return self._kept.name

    @property
    def uidvalidity(self) -> int:
        return self._kept.uidvalidity

    @property
    def _state(self) -> MailboxState:
        if self._kept.gone:
            raise NoSuchMailbox(f"{self._kept.name!r} has been deleted")
        return self._kept

    @property
    def _writable(self) -> MailboxState:
        if self.read_only:
            raise ReadOnlyMailbox(f"{self.name!r} is open for reading only")
        return self._state

    def _target(self, name: str) -> MailboxState:
        try:
            return self._account.mailboxes[name]
        except KeyError:
            raise NoSuchMailbox(f"no mailbox {name!r}") from None

    async def status(self) -> MailboxStatus:
        return self._state.status()

    async def changes(self, since: int) -> Changes:
        return self._state.changes(since)

    async def claim_recent(self) -> int:
        """Claims nothing when read-only (RFC 3501, section 6.3.2)."""
        if self.read_only:
            return self._state.recent_from
        return self._state.claim_recent()

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        return self._state.watchers.add(callback)

    async def fetch(
        self, uids: Sequence[int], columns: tuple[Column, ...]
    ) -> list[tuple[object, ...]]:
        getters = [COLUMNS[column] for column in columns]
        return [
            (message.uid, *[get(message) for get in getters])
            for message in self._state.present(uids)
        ]

    async def set_flags(
        self, uids: Sequence[int], change: FlagChange, flags: Flags
    ) -> Changes:
        state = self._writable
        if change is FlagChange.REMOVE:
            flags = state.keywords.spell(flags)
        else:
            [flags] = state.keywords.learn([flags])
        messages = state.present(uids)
        modseq = self._account.next_modseq()
        if state.change_flags(messages, change, flags, modseq):
            state.watchers.call()
        return Changes(state.modseq, entries_of(rows_of(messages)), [])

    async def copy(self, uids: Sequence[int], target: str) -> Copied:
        messages = self._state.present(uids)
        return self._account.copy(messages, self._target(target))

    async def move(self, uids: Sequence[int], target: str) -> Copied:
        state = self._writable
        return self._account.move(state, state.present(uids), self._target(target))

    async def expunge(
        self, uids: Sequence[int], deleted_only: bool = True
    ) -> list[int]:
        return self._account.expunge(self._writable, uids, deleted_only)

    async def search(self, query: Query) -> list[int]:
        match = compile_query(query).match
        return [uid for uid, message in self._state.messages.items() if match(message)]
