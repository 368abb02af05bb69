"""The state of one SMTP or LMTP session: order, counts and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from ..mail.envelope import Envelope
from . import replies
from .data import MAX_TEXT_LINE
from .replies import Reply


@dataclass(frozen=True, slots=True)
class SMTPLimits:
    """How much one session may ask.  Sizes are octets; lines include CRLF.

    :ivar command_line: RFC 5321, section 4.5.3.1.4, asks for 512 at least, and
        extensions add some hundred.
    :ivar exchange_line: of an AUTH exchange (RFC 4954, section 4).
    :ivar text_line: of the message.
    :ivar message_size: of one message, announced by SIZE (RFC 1870).
    :ivar recipients: of one message (RFC 5321, section 4.5.3.1.8: at least 100),
        announced by LIMITS (RFC 9422).
    :ivar stranger_recipients: the same for who need not log in and has not.
    :ivar longest_hold: seconds that a user may have a message wait before it is sent,
        announced by FUTURERELEASE (RFC 4865).
    :ivar errors: 5yz replies before the connection is cut; a message that is
        accepted pays for all before it.
    :ivar junk: commands that bring no mail nearer, counted likewise.
    :ivar failed_logins: at this many the connection is cut.
    """

    command_line: int = 2_048
    exchange_line: int = 12_288
    text_line: int = MAX_TEXT_LINE
    message_size: int = 52_428_800
    recipients: int = 1_000
    stranger_recipients: int = 100
    longest_hold: int = 2_592_000
    errors: int = 10
    junk: int = 100
    failed_logins: int = 3


class State(IntEnum):
    """How far a session has come."""

    CONNECTED = 0
    GREETED = 1
    MAIL = 2
    RECIPIENTS = 3


@dataclass(slots=True)
class Session:
    """What the server knows of one client.

    :ivar extended: whether it said EHLO or LHLO rather than HELO.
    :ivar user: the login name, ``None`` without a login.
    :ivar envelope: of the transaction that is open.
    :ivar over: whether the connection is closed after the current reply.
    """

    limits: SMTPLimits = field(default_factory=SMTPLimits)
    helo: str = ""
    extended: bool = False
    user: str | None = None
    envelope: Envelope | None = None
    over: bool = False
    errors: int = 0
    junk: int = 0
    failed_logins: int = 0

    @property
    def state(self) -> State:
        """How far the session has come."""
        if self.envelope is not None:
            return State.RECIPIENTS if self.envelope.recipients else State.MAIL
        return State.GREETED if self.helo else State.CONNECTED

    def greet(self, name: str, *, extended: bool) -> None:
        """The client said hello; that ends a transaction (RFC 5321, 4.1.4)."""
        self.helo = name
        self.extended = extended
        self.envelope = None

    def reset(self) -> None:
        """Forget the transaction."""
        self.envelope = None

    def restart(self) -> None:
        """Forget all the client said, after STARTTLS (RFC 3207, section 4.2).

        What it did wrong so far stays counted.
        """
        self.helo = ""
        self.extended = False
        self.user = None
        self.envelope = None

    def accepted(self) -> None:
        """A message was taken: a client that brings mail may err now and then."""
        self.errors = 0
        self.junk = 0

    def settle(self, reply: Reply, *, junk: bool = False) -> Reply:
        """Count *reply*; the one to send, which is another at a limit."""
        if junk:
            self.junk += 1
            if self.junk > self.limits.junk:
                reply = replies.TOO_MUCH_JUNK
        if reply.code >= 500:
            self.errors += 1
            if self.errors > self.limits.errors:
                reply = replies.TOO_MANY_ERRORS
        if reply.code == 421:
            self.over = True
        return reply

    def failed_login(self, reply: Reply) -> Reply:
        """Count a failed login; the reply to send."""
        self.failed_logins += 1
        if self.failed_logins >= self.limits.failed_logins:
            return replies.TOO_MANY_LOGINS
        return reply
