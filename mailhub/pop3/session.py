"""The state of one POP3 session: where it stands, and what it did wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from . import replies
from .maildrop import Maildrop


class State(Enum):
    """The states of RFC 1939, section 3.  UPDATE is but the answer to QUIT."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True)
class POP3Limits:
    """How much one session may ask.  Sizes are octets; lines include CRLF.

    :ivar command_line: RFC 2449, section 4, allows 255; passwords may be longer.
    :ivar exchange_line: of an AUTH exchange (RFC 4954, section 4, has the figure).
    :ivar idle: seconds without input after the login; RFC 1939, section 3, asks
        for ten minutes at least.
    :ivar errors: malformed or misplaced commands before the connection is cut;
        a login pays for those before it.
    :ivar junk: of these, commands before the login that POP3 does not know.
    :ivar early: commands before the login, right or wrong; clients need half a
        dozen (attack: CAPA for ever, to hold a connection).
    :ivar failed_logins: at this many the connection is cut.
    """

    command_line: int = 2_048
    exchange_line: int = 12_288
    idle: float = 600.0
    errors: int = 10
    junk: int = 3
    early: int = 100
    failed_logins: int = 3


@dataclass(slots=True)
class Session:
    """What the server knows of one client.

    :ivar user: what USER said, until PASS used it up.
    :ivar maildrop: open and locked after the login.
    :ivar sending: a message is on its way; an error could not be told.
    :ivar over: whether the connection is closed after the current reply.
    """

    limits: POP3Limits = field(default_factory=POP3Limits)
    user: bytes | None = None
    maildrop: Maildrop | None = None
    sending: bool = False
    over: bool = False
    errors: int = 0
    junk: int = 0
    early: int = 0
    failed_logins: int = 0

    @property
    def state(self) -> State:
        """Where the session stands."""
        if self.maildrop is None:
            return State.AUTHORIZATION
        return State.TRANSACTION

    def enter(self, maildrop: Maildrop) -> None:
        """The login succeeded."""
        self.maildrop = maildrop
        self.user = None
        self.errors = 0

    def restart(self) -> None:
        """Forget what the client said, after STLS; its errors stay counted."""
        self.user = None

    def count_error(self, reply: bytes, *, unknown: bool = False) -> bytes:
        """Count a malformed or misplaced command; the reply to send."""
        self.errors += 1
        if unknown and self.maildrop is None:
            self.junk += 1
        if self.errors > self.limits.errors or self.junk > self.limits.junk:
            self.over = True
            return replies.TOO_MANY_ERRORS
        return reply

    def count_command(self) -> bool:
        """Count a command; whether there were too many before the login."""
        if self.maildrop is not None:
            return False
        self.early += 1
        if self.early > self.limits.early:
            self.over = True
        return self.over

    def count_failed_login(self) -> None:
        """Count a failed login; the last one ends the session."""
        self.failed_logins += 1
        if self.failed_logins >= self.limits.failed_logins:
            self.over = True
