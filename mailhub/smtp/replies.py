"""Every reply of the SMTP and LMTP server, by name.

A reply's enhanced code takes its class digit from the reply code (RFC 2034,
section 4), so the two cannot disagree.  :func:`reply_for` is the one place where
a :class:`~mailhub.errors.MailError` becomes a reply.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from ..errors import (
    AuthenticationFailed,
    Busy,
    EncryptionRequired,
    LocalFault,
    MailError,
    MessageTooLarge,
    NoRouteYet,
    OverQuota,
    Refused,
    RelayDenied,
    RoutingLoop,
    Status,
    StorageFull,
    SyntaxFault,
    TooManyAttempts,
    UnknownRecipient,
)
from ..mail.address import MalformedAddress
from .parameters import UnknownParameter

#: Longest text in one line of a reply.  RFC 5321, section 4.5.3.1.5, allows 512
#: octets with codes and CRLF; longer texts go on in a further line.
MAX_TEXT = 480


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, ready to be sent.

    :ivar lines: printable text, one line each.
    :ivar status: ``None`` where RFC 2034, section 4, has no enhanced code: in
        the greeting, after HELO and EHLO, and in 3yz replies.
    :ivar wire: the octets, CRLF included.
    """

    code: int
    lines: tuple[str, ...]
    status: Status | None = None
    wire: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        status = f"{self.code // 100}.{self.status.value} " if self.status else ""
        *first, last = self.lines
        text = "".join(f"{self.code}-{status}{line}\r\n" for line in first)
        text += f"{self.code} {status}{last}\r\n"
        object.__setattr__(self, "wire", text.encode("ascii", "replace"))


def _reply(code: int, status: Status | None, text: str) -> Reply:
    return Reply(code, (text,), status)


# Success and go-ahead.

OK = _reply(250, Status.OTHER, "Ok")
SENDER_OK = _reply(250, Status.SENDER_OK, "Ok")
#: RFC 6710, section 4.1.
NOT_URGENT = _reply(
    250, Status.PRIORITY_CHANGED, "0 is the new priority assigned to the message"
)
RECIPIENT_OK = _reply(250, Status.RECIPIENT_OK, "Ok")
BYE = _reply(221, Status.OTHER, "Bye")
#: RFC 5321, section 3.5.3: no address is confirmed, none is denied.
CANNOT_VERIFY = _reply(
    252, Status.OTHER, "Cannot verify the user, but will try to deliver"
)
SEND_DATA = _reply(354, None, "End data with <CR><LF>.<CR><LF>")
#: RFC 3207, section 4.
START_TLS = _reply(220, Status.OTHER, "Ready to start TLS")
#: RFC 4954, section 6.
AUTHENTICATED = _reply(235, Status.SECURITY, "Authentication successful")

# The peer's syntax and order of commands (RFC 5321, section 4.2.4).

UNKNOWN_COMMAND = _reply(500, Status.SYNTAX, "Command not recognized")
LINE_TOO_LONG = _reply(500, Status.SYNTAX, "Command line too long")
BARE_NEWLINE = _reply(500, Status.SYNTAX, "Bare CR or LF in a command line")
NOT_IMPLEMENTED = _reply(502, Status.BAD_COMMAND, "Command not implemented")
NO_ARGUMENT = _reply(501, Status.BAD_ARGUMENTS, "This command takes no argument")
NEED_ARGUMENT = _reply(501, Status.BAD_ARGUMENTS, "An argument is missing")
NEED_HELLO = _reply(503, Status.BAD_COMMAND, "Send a greeting first")
NEED_MAIL = _reply(503, Status.BAD_COMMAND, "MAIL is needed first")
NESTED_MAIL = _reply(503, Status.BAD_COMMAND, "A transaction is open already")
#: RFC 2033, section 4.2: 503 in LMTP; RFC 5321, section 3.3: 503 or 554.
NO_RECIPIENTS = _reply(503, Status.BAD_COMMAND, "No valid recipients")
#: RFC 2920, section 3.1: what may only be last in a group of commands was not.
OUT_OF_STEP = _reply(554, Status.PROTOCOL, "Input was sent before its time")

# TLS and login.

#: RFC 3207, section 4.
NEED_TLS = _reply(530, Status.SECURITY, "Must issue a STARTTLS command first")
TLS_ACTIVE = _reply(503, Status.BAD_COMMAND, "TLS is active already")
#: RFC 4954, sections 4 and 6.
NEED_LOGIN = _reply(530, Status.SECURITY, "Authentication required")
LOGGED_IN = _reply(503, Status.BAD_COMMAND, "Already authenticated")
LOGIN_IN_MAIL = _reply(503, Status.BAD_COMMAND, "Not during a mail transaction")
UNKNOWN_MECHANISM = _reply(
    504, Status.BAD_ARGUMENTS, "Unrecognized authentication type"
)
BAD_BASE64 = _reply(501, Status.SYNTAX, "Cannot decode the response")
EXCHANGE_CANCELLED = _reply(501, Status.SECURITY, "Authentication cancelled")
EXCHANGE_TOO_LONG = _reply(
    500, Status.EXCHANGE_TOO_LONG, "Authentication exchange line is too long"
)
LOGIN_UNAVAILABLE = _reply(
    454, Status.SECURITY, "Temporary authentication failure"
)

# Addresses and data.

#: RFC 6531, section 3.5: 550 after MAIL, 553 after RCPT.
NON_ASCII_SENDER = _reply(
    550, Status.NON_ASCII_ADDRESS, "Non-ASCII address without SMTPUTF8"
)
NON_ASCII_RECIPIENT = _reply(
    553, Status.NON_ASCII_ADDRESS, "Non-ASCII address without SMTPUTF8"
)
#: RFC 5321, section 4.5.3.1.10.
TOO_MANY_RECIPIENTS = _reply(452, Status.TOO_MANY_RECIPIENTS, "Too many recipients")
BARE_NEWLINE_IN_DATA = _reply(
    550, Status.SYNTAX, "Bare CR, bare LF or NUL in the message"
)
TEXT_LINE_TOO_LONG = _reply(500, Status.SYNTAX, "Line of the message too long")

# ETRN (RFC 1985, section 5.1).

QUEUING_STARTED = _reply(250, Status.OTHER, "Ok, queuing for node started")
NOTHING_WAITS = _reply(251, Status.OTHER, "Ok, no messages waiting for node")
CANNOT_START = _reply(458, Status.SYSTEM, "Unable to queue messages for node")
NODE_NOT_ALLOWED = _reply(459, Status.NOT_ALLOWED, "Node not allowed")
BAD_NODE = _reply(501, Status.BAD_ARGUMENTS, "Not a domain")

# The end of a connection (RFC 5321, section 3.8).

SHUTTING_DOWN = _reply(421, Status.SYSTEM_BUSY, "Shutting down, try again later")
TIMED_OUT = _reply(421, Status.NETWORK, "Timeout, closing the connection")
FLOODED = _reply(421, Status.SYNTAX, "Line without an end, closing the connection")
CROWDED = _reply(421, Status.SECURITY, "Too many connections, try again later")
TOO_MANY_ERRORS = _reply(421, Status.SECURITY, "Too many errors")
TOO_MUCH_JUNK = _reply(421, Status.SECURITY, "Too many commands without mail")
TOO_MANY_LOGINS = _reply(421, Status.SECURITY, "Too many failed logins")
#: A web client that was talked into speaking to us (attack: ALPACA).
NOT_HTTP = _reply(421, Status.SECURITY, "This is not a web server")


def greeting(host: str, protocol: str) -> Reply:
    """What is said first; *protocol* is ``ESMTP`` or ``LMTP``."""
    return _reply(220, None, f"{host} {protocol}")


@lru_cache(maxsize=64)
def hello(host: str, keywords: tuple[str, ...] = ()) -> Reply:
    """The answer to HELO, or to EHLO and LHLO with the extensions' keywords."""
    return Reply(250, (host, *keywords))


def queued(envelope_id: str) -> Reply:
    """The message is durable: from here on it is ours (RFC 5321, 6.1)."""
    return _reply(250, Status.OTHER, f"Ok: queued as {envelope_id}")


def commands(verbs: Iterable[str]) -> Reply:
    """The answer to HELP."""
    return _reply(214, Status.OTHER, "Commands: " + " ".join(verbs))


def challenge(text: bytes) -> Reply:
    """A step of an AUTH exchange, *text* being base64 (RFC 4954, section 4)."""
    return _reply(334, None, text.decode("ascii"))


@dataclass(frozen=True, slots=True)
class _Wording:
    """How a kind of error is told: codes for good and for now, and a text."""

    permanent: int
    temporary: int
    text: str
    status: Status | None = None


_WORDINGS: dict[type[MailError], _Wording] = {
    MailError: _Wording(550, 451, "Requested action not taken"),
    SyntaxFault: _Wording(501, 451, "Syntax error"),
    MalformedAddress: _Wording(501, 451, "Bad address syntax"),
    # RFC 5321, section 4.1.1.11.
    UnknownParameter: _Wording(
        555, 451, "Parameter not recognized or not implemented"
    ),
    UnknownRecipient: _Wording(550, 450, "User unknown"),
    RelayDenied: _Wording(550, 450, "Relay access denied"),
    NoRouteYet: _Wording(550, 451, "No route to that address at present"),
    RoutingLoop: _Wording(554, 451, "Routing loop detected"),
    LocalFault: _Wording(451, 451, "Local error, try again later"),
    StorageFull: _Wording(452, 452, "Insufficient system storage"),
    Busy: _Wording(451, 451, "System busy, try again later"),
    OverQuota: _Wording(552, 452, "Mailbox full"),
    MessageTooLarge: _Wording(552, 452, "Message too large"),
    # RFC 4954, section 6.
    AuthenticationFailed: _Wording(535, 454, "Authentication credentials invalid"),
    TooManyAttempts: _Wording(
        535, 454, "Temporary authentication failure", Status.SECURITY
    ),
    EncryptionRequired: _Wording(538, 454, "Encryption required"),
}


def reply_for(error: MailError) -> Reply:
    """The reply that tells a client of *error*, and no more than that."""
    permanent = error.permanent
    if isinstance(error, Refused):
        code = error.code or 0
        if not 400 <= code < 600:
            code = 550 if permanent else 450
        return Reply(code, _wrapped(error.text), error.status)
    wording = next(
        _WORDINGS[kind] for kind in type(error).__mro__ if kind in _WORDINGS
    )
    code = wording.permanent if permanent else wording.temporary
    return _reply(code, wording.status or error.status, wording.text)


def _wrapped(text: str) -> tuple[str, ...]:
    """*text* in pieces that fit a reply line each."""
    starts = range(0, max(len(text), 1), MAX_TEXT)
    return tuple(text[start : start + MAX_TEXT] for start in starts)
