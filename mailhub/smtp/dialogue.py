"""What a command may do with the connection it came by, and a command's row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ..errors import MailError
from ..mail.address import Address
from ..mail.envelope import Envelope, Peer
from .replies import Reply
from .session import Session, State


@dataclass(frozen=True, slots=True)
class Service:
    """What one listener is for.

    :ivar host_name: what the server calls itself.
    :ivar lmtp: LMTP (RFC 2033) rather than SMTP.
    :ivar offers_login: AUTH exists, where nobody listens.
    :ivar requires_login: no mail without it (RFC 6409, section 4.3).
    :ivar requires_tls: no mail without it (RFC 3207, section 4).
    :ivar queues: mail may wait here, so that the extensions which need that are
        offered.
    :ivar allows_haste: the client is a program here that need not wait for replies,
        as nobody could have put words into its mouth.
    :ivar trusts_loopback: clear text to and from this machine itself counts as
        private as TLS.
    :ivar trusts_everybody: clear text counts as private from everywhere.
    """

    host_name: str = "localhost"
    lmtp: bool = False
    offers_login: bool = False
    requires_login: bool = False
    requires_tls: bool = False
    queues: bool = False
    allows_haste: bool = False
    trusts_loopback: bool = True
    trusts_everybody: bool = False


class Started(Enum):
    """What became of a client's wish that mail for it goes now (RFC 1985)."""

    YES = "queuing for it has started"
    NOTHING = "no mail is waiting for it"
    NOT_ALLOWED = "it is none of those that may ask"


class Submission(Protocol):
    """``ISubmission``, as far as commands use it."""

    async def sender(self, envelope: Envelope) -> None: ...

    async def recipient(self, envelope: Envelope, address: Address) -> None: ...

    async def message(
        self, envelope: Envelope, content: Content
    ) -> list[MailError | None] | None: ...


class Content(Protocol):
    """``IContent``, as far as commands use it."""

    @property
    def size(self) -> int: ...

    def close(self) -> None: ...


class Dialogue(Protocol):
    """The connection that a command is performed for."""

    session: Session
    peer: Peer

    @property
    def service(self) -> Service: ...

    @property
    def commands(self) -> Mapping[bytes, Command]:
        """The rows of this service, by verb."""

    @property
    def mechanisms(self) -> Collection[bytes]:
        """The SASL mechanisms, in capitals and in order."""

    @property
    def is_secure(self) -> bool: ...

    @property
    def is_private(self) -> bool:
        """Whether nobody listens: TLS, or a clear text that is trusted."""

    @property
    def can_start_tls(self) -> bool: ...

    def send(self, data: bytes) -> None: ...

    async def start_tls(self) -> None: ...

    def forget_client(self) -> None:
        """Drop the avatar and all that the client said of itself."""

    async def submission(self) -> Submission | None:
        """The avatar; ``None`` where there is none without a login."""

    async def authenticate(self, mechanism: bytes, initial: bytes | None) -> Reply:
        """Run an AUTH exchange."""

    def check_room(self, octets: int) -> None:
        """Whether there is a place for a message of so many octets.

        :raises MailError: there is none now.
        """

    async def receive(self) -> Content | Reply:
        """Ask for message data: all of it, or a reply that refuses it.

        Whoever gets a content closes it.

        :raises MailError: nothing was asked for.
        """

    async def start_queue(self, node: str, below: bool) -> Started:
        """Let mail for *node* go now (RFC 1985).

        :param below: and for all domains below it.
        """

    def new_id(self) -> str:
        """A name for a transaction that no other has."""

    def seconds(self) -> int:
        """Since the epoch."""

    def taken(self, envelope: Envelope, size: int) -> None:
        """Log that a message was taken."""

    def refused(self, verb: bytes, error: MailError) -> None:
        """Log why a command was refused; the peer hears less."""

    def report_fault(self) -> None:
        """Log the exception that is being dealt with, which is a bug."""


def everywhere(service: Service) -> bool:
    """A command of every service."""
    return True


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the command table.

    :ivar perform: answers with a reply, or has answered itself (``None``); it
        may raise any ``MailError``.
    :ivar exists_in: whether a service has the command at all.
    :ivar refused_in: the states it is out of order in, and the reply then.
    :ivar keywords: what EHLO announces by reason of this command.
    :ivar junk: it brings no mail nearer, so that only so many are allowed.
    :ivar last_in_group: nothing may have been sent behind it (RFC 2920, 3.1).
    :ivar offered: whether HELP names it.
    """

    verb: bytes
    perform: Callable[[Dialogue, bytes], Awaitable[Reply | None]]
    exists_in: Callable[[Service], bool] = everywhere
    refused_in: Mapping[State, Reply] = field(default_factory=dict)
    keywords: Callable[[Dialogue], tuple[str, ...]] | None = None
    junk: bool = False
    last_in_group: bool = False
    offered: bool = True


def rows_of(service: Service, commands: Iterable[Command]) -> dict[bytes, Command]:
    """Those of *commands* that *service* has, by verb, in their order."""
    return {row.verb: row for row in commands if row.exists_in(service)}
