"""What a command may do with the connection it came by, and a command's row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from .maildrop import Maildrop
from .session import Session, State


class Dialogue(Protocol):
    """The connection that a command is performed for."""

    session: Session

    @property
    def commands(self) -> Mapping[bytes, Command]:
        """The rows of the table, by verb."""

    @property
    def mechanisms(self) -> tuple[bytes, ...]:
        """The SASL mechanisms, in capitals and in order."""

    @property
    def maildrop(self) -> Maildrop:
        """The session's, after the login."""

    @property
    def has_input(self) -> bool:
        """Whether more was received than this command."""

    @property
    def is_secure(self) -> bool: ...

    @property
    def is_private(self) -> bool:
        """Whether a password may be said here."""

    @property
    def can_start_tls(self) -> bool: ...

    def send(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    async def pause(self) -> None:
        """Let other connections go on for a moment."""

    async def start_tls(self) -> None: ...

    async def log_in(self, name: bytes, password: bytes) -> None:
        """Log in, and open and lock the maildrop.

        :raises MailError: the session stays where it is.
        """

    async def authenticate(self, mechanism: bytes, initial: bytes | None) -> None:
        """Run a SASL exchange, then :meth:`log_in`."""

    def unlock(self) -> None:
        """Let other sessions have the maildrop; twice is harmless."""


def no_capability(dialogue: Dialogue) -> bytes:
    """CAPA does not tell of this command."""
    return b""


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the command table.

    :ivar perform: answers with the reply, or with the end of one whose beginning
        it has sent; it may raise any ``MailError``.
    :ivar states: where the command is valid.
    :ivar capability: the line of CAPA, or ``b""``.
    """

    verb: bytes
    perform: Callable[[Dialogue, bytes], Awaitable[bytes]]
    states: frozenset[State]
    capability: Callable[[Dialogue], bytes] = no_capability
