"""The state of an IMAP session, and what its commands need from the floors above.

The protocols below say, with types, which part of ``IMailAccount``, ``IMailbox``
and of the connection the commands of :mod:`mailhub.imap.commands` use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import Flag, auto
from typing import Protocol, cast

from ..mail.flags import FlagChange, Flags
from ..mail.mailbox import (
    Changes,
    Column,
    Copied,
    MailboxInfo,
    MailboxStatus,
    Outline,
)
from ..mail.query import Query
from .view import Places, View


class Content(Protocol):
    """What commands use of an ``IContent``."""

    @property
    def size(self) -> int: ...
    def read(self, start: int, stop: int) -> Awaitable[bytes]: ...
    def close(self) -> None: ...


class Spool(Protocol):
    """What commands use of an ``ISpool``."""

    def write(self, data: bytes) -> None: ...
    def finish(self) -> Content: ...
    def close(self) -> None: ...


class Mailbox(Protocol):
    """What commands use of an ``IMailbox``."""

    @property
    def name(self) -> str: ...
    @property
    def read_only(self) -> bool: ...
    def status(self) -> Awaitable[MailboxStatus]: ...
    def changes(self, since: int) -> Awaitable[Changes]: ...
    def claim_recent(self) -> Awaitable[int]: ...
    def watch(self, callback: Callable[[], object]) -> Callable[[], object]: ...
    def fetch(
        self, uids: Sequence[int], columns: tuple[Column, ...]
    ) -> Awaitable[list[tuple[object, ...]]]: ...
    def set_flags(
        self, uids: Sequence[int], change: FlagChange, flags: Flags
    ) -> Awaitable[Changes]: ...
    def copy(self, uids: Sequence[int], target: str) -> Awaitable[Copied]: ...
    def move(self, uids: Sequence[int], target: str) -> Awaitable[Copied]: ...
    def expunge(
        self, uids: Sequence[int], deleted_only: bool = True
    ) -> Awaitable[list[int]]: ...
    def search(self, query: Query) -> Awaitable[list[int]]: ...


class OutlinedMailbox(Mailbox, Protocol):
    """The same of an ``IOutlinedMailbox``."""

    def outline(self) -> Awaitable[Outline]: ...
    def flags_between(
        self, first: int, last: int
    ) -> Awaitable[tuple[Flags, list[tuple[int, Flags]]]]: ...


class Account(Protocol):
    """What commands use of an ``IMailAccount``."""

    def mailboxes(self) -> Awaitable[list[MailboxInfo]]: ...
    def open(self, name: str, read_only: bool = False) -> Awaitable[Mailbox]: ...
    def status(self, name: str) -> Awaitable[MailboxStatus]: ...
    def create(self, name: str, special_use: str | None = None) -> Awaitable[None]: ...
    def delete(self, name: str) -> Awaitable[None]: ...
    def rename(self, name: str, new_name: str) -> Awaitable[None]: ...
    def subscribe(self, name: str) -> Awaitable[None]: ...
    def unsubscribe(self, name: str) -> Awaitable[None]: ...
    def append(
        self, name: str, messages: list[tuple[Content, Flags, int]]
    ) -> Awaitable[Copied]: ...


class State(Flag):
    """Where a session stands (RFC 3501, section 3)."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


#: States in which most commands are allowed.
LOGGED_IN = State.AUTHENTICATED | State.SELECTED
ANY_STATE = State.NOT_AUTHENTICATED | LOGGED_IN


class Session:
    """One client's session; small, as there may be many thousands.

    :ivar tag: of the command that is being performed.
    :ivar early: commands before the login.
    :ivar errors: commands that were answered BAD since one that was not.
    :ivar failed_logins: since the connection was made, TLS or not.
    :ivar over: LOGOUT, or an end of ours, has been told.
    :ivar stale: the selected mailbox has changed since the view was made.
    """

    __slots__ = (
        "_account", "_mailbox", "_unwatch", "_view", "early", "errors",
        "failed_logins", "over", "stale", "tag",
    )  # fmt: skip

    def __init__(self) -> None:
        self._account: Account | None = None
        self._mailbox: Mailbox | None = None
        self._view: View | None = None
        self._unwatch: Callable[[], object] | None = None
        self.tag = b"*"
        self.early = 0
        self.errors = 0
        self.failed_logins = 0
        self.over = False
        self.stale = False

    @property
    def state(self) -> State:
        """Follows from what the session holds, so that the two cannot disagree."""
        if self.over:
            return State.LOGOUT
        if self._view is not None:
            return State.SELECTED
        if self._account is not None:
            return State.AUTHENTICATED
        return State.NOT_AUTHENTICATED

    @property
    def account(self) -> Account:
        """The avatar; only once logged in."""
        if self._account is None:
            raise LookupError("not logged in")
        return self._account

    @property
    def mailbox(self) -> Mailbox:
        """The selected mailbox; only in the selected state."""
        if self._mailbox is None:
            raise LookupError("no mailbox is selected")
        return self._mailbox

    @property
    def view(self) -> View:
        """What the client knows of the mailbox; only in the selected state."""
        if self._view is None:
            raise LookupError("no mailbox is selected")
        return self._view

    def log_in(self, account: Account) -> None:
        """The client has shown who it is."""
        self._account = account

    def open(self, mailbox: Mailbox, unwatch: Callable[[], object]) -> None:
        """A mailbox is watched from here on; *unwatch* ends that."""
        self.stale = False
        self._mailbox = mailbox
        self._unwatch = unwatch

    def select(self, view: View) -> None:
        """The opened mailbox is selected, and *view* is what the client knows."""
        self._view = view

    def deselect(self) -> None:
        """No mailbox is open from here on; harmless when none was."""
        self._mailbox = None
        self._view = None
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def expect_change(self, name: str) -> None:
        """This session has changed the mailbox *name*, perhaps the selected one."""
        if self._mailbox is not None and self._mailbox.name == name:
            self.stale = True

    async def know_flags(self, places: Places) -> None:
        """Let the view know the flags of the messages at *places*.

        :raises mailhub.errors.MailError: they cannot be read now.
        """
        view = self.view
        for first, last in view.missing(places):
            # Only an outline leaves flags to be learned.
            mailbox = cast(OutlinedMailbox, self._mailbox)
            usual, others = await mailbox.flags_between(first, last)
            view.learn(first, last, usual, others)

    async def catch_up(self, *, expunges: bool) -> bytes:
        """The responses that tell the client what happened to its mailbox.

        :param expunges: see :meth:`mailhub.imap.view.View.tell`.
        :raises mailhub.errors.NoSuchMailbox: it has been deleted.
        :raises mailhub.errors.MailError: nothing is lost; try again later.
        """
        view = self._view
        stale, self.stale = self.stale, False
        if view is None:
            return b""
        if not stale:
            return view.tell_vanished() if expunges else b""
        recent_from = None
        try:
            changes = await self.mailbox.changes(view.modseq)
            if view.brings_messages(changes):
                recent_from = await self.mailbox.claim_recent()
                if self.stale:
                    # What came in between has been claimed as well.
                    self.stale = False
                    changes = await self.mailbox.changes(view.modseq)
        except Exception:
            self.stale = True
            raise
        return view.tell(changes, expunges=expunges, recent_from=recent_from)


class Conversation(Protocol):
    """What commands use of the connection; ``server.IMAPConnection`` is it."""

    session: Session

    @property
    def has_input(self) -> bool: ...
    @property
    def can_start_tls(self) -> bool: ...
    @property
    def login_allowed(self) -> bool: ...
    @property
    def mechanisms(self) -> Sequence[bytes]: ...
    @property
    def capabilities(self) -> bytes: ...
    @property
    def largest_message(self) -> int: ...

    def send(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...

    async def breathe(self) -> None:
        """Write what is queued, and let others run if this took long."""

    async def next_line(self) -> bytes:
        """A line that belongs to the command being performed."""

    async def read_some(self, most: int) -> bytes: ...
    def end_stream(self) -> None: ...

    async def wait_for_news(self) -> None:
        """Until the client says something, or :attr:`Session.stale` is set."""

    async def log_in(self, username: bytes, password: bytes) -> None: ...
    async def authenticate(self, mechanism: bytes, initial: bytes | None) -> None: ...
    async def start_tls(self) -> None: ...

    def outlined(self, mailbox: Mailbox) -> OutlinedMailbox | None:
        """*mailbox*, if it can be opened without being read as a whole."""

    def watch(self, mailbox: Mailbox) -> Callable[[], object]:
        """Mark the session stale when *mailbox* changes; -> what ends that."""

    def spool(self) -> Spool: ...

    def check_room(self, octets: int) -> None:
        """Whether there is a place for a message of so many octets.

        :raises MailError: there is none now.
        """

    def arrival_time(self) -> int: ...


class OutOfStep(Exception):
    """The client sends, or was promised, octets that cannot be made good.

    Only closing the connection keeps what follows from being misread: by us as
    commands (attack: literals over their limit), or by the client as the rest of
    a literal that broke off.

    :ivar last_words: sent before the end, if the client can still read them.
    """

    def __init__(self, last_words: bytes) -> None:
        super().__init__(last_words)
        self.last_words = last_words
