"""Every reply of the POP3 server, by name, as it goes over the wire.

Codes in brackets are those of RFC 2449, section 8, and RFC 3206.
:func:`reply_for` is the one place where a
:class:`~mailhub.errors.MailError` becomes a reply.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import (
    AuthenticationFailed,
    EncryptionRequired,
    LocalFault,
    MailboxInUse,
    MailError,
    Refused,
    SyntaxFault,
    TooManyAttempts,
)

#: The last line of a reply of several lines (RFC 1939, section 3).
END = b".\r\n"

OK = b"+OK\r\n"
LOGGED_IN = b"+OK Logged in.\r\n"
#: The same whether the user exists or not (attack: user enumeration).
SEND_PASSWORD = b"+OK Send the password.\r\n"
MARKED = b"+OK Marked for deletion\r\n"
LOGGING_OUT = b"+OK Logging out.\r\n"
#: RFC 2595, section 4.
BEGIN_TLS = b"+OK Begin TLS negotiation now.\r\n"
CAPABILITIES = b"+OK Capability list follows.\r\n"
TOP_FOLLOWS = b"+OK Top of message follows.\r\n"
UIDS_FOLLOW = b"+OK Unique identifiers follow.\r\n"

UNKNOWN_COMMAND = b"-ERR Unknown command.\r\n"
LOG_IN_FIRST = b"-ERR Log in first.\r\n"
LOGGED_IN_ALREADY = b"-ERR Not possible after the login.\r\n"
USER_FIRST = b"-ERR Send USER first.\r\n"
MALFORMED = b"-ERR Malformed command.\r\n"
LINE_TOO_LONG = b"-ERR Line too long.\r\n"
BARE_NEWLINE = b"-ERR A line ends with CR LF and has no other CR or LF.\r\n"
TOO_MANY_ERRORS = b"-ERR Too many errors.\r\n"
TOO_MANY_COMMANDS = b"-ERR Too many commands without a login.\r\n"
NO_SUCH_MESSAGE = b"-ERR No such message.\r\n"
#: Another session, by IMAP, has removed it.
MESSAGE_GONE = b"-ERR The message has been removed meanwhile.\r\n"
DELETED_ALREADY = b"-ERR Message is marked for deletion.\r\n"
SOME_NOT_DELETED = b"-ERR [SYS/TEMP] Some deleted messages were not removed.\r\n"
NO_TLS = b"-ERR TLS is not offered here.\r\n"
TLS_ALREADY = b"-ERR Command not permitted when TLS active.\r\n"
#: RFC 2595, section 4; attack: STLS command injection.
INPUT_BEHIND_STLS = b"-ERR Nothing may follow STLS in clear text.\r\n"
UNKNOWN_MECHANISM = b"-ERR Unknown authentication mechanism.\r\n"

WRONG_LOGIN = b"-ERR [AUTH] Wrong user or password.\r\n"
TOO_MANY_LOGINS = b"-ERR [SYS/TEMP] Too many failed logins; try again later.\r\n"
NEED_TLS = b"-ERR [SYS/PERM] No password without TLS: use STLS, or port 995.\r\n"
IN_USE = b"-ERR [IN-USE] Another session has the maildrop.\r\n"
TEMPORARY = b"-ERR [SYS/TEMP] Not possible now; try again later.\r\n"
PERMANENT = b"-ERR [SYS/PERM] Not possible.\r\n"

SHUTTING_DOWN = b"-ERR [SYS/TEMP] The server is shutting down.\r\n"
TOO_SLOW = b"-ERR Input arrives too slowly.\r\n"
FLOODED = b"-ERR A line without an end.\r\n"
CROWDED = b"-ERR [SYS/TEMP] Too many connections.\r\n"


class NoSuchMessage(MailError):
    """There is no message of that number in the maildrop."""


class DeletedMessage(NoSuchMessage):
    """The message is marked for deletion; RSET brings it back."""


class MessageGone(NoSuchMessage):
    """Another session removed the message; its number stays unused."""


class NotDeleted(LocalFault):
    """QUIT could not remove what was marked (RFC 1939, section 6)."""


#: The first that fits; those that are more special stand first.
_REPLIES: tuple[tuple[type[MailError], bytes], ...] = (
    (TooManyAttempts, TOO_MANY_LOGINS),
    (AuthenticationFailed, WRONG_LOGIN),
    (EncryptionRequired, NEED_TLS),
    (MailboxInUse, IN_USE),
    (DeletedMessage, DELETED_ALREADY),
    (MessageGone, MESSAGE_GONE),
    (NoSuchMessage, NO_SUCH_MESSAGE),
    (NotDeleted, SOME_NOT_DELETED),
    (SyntaxFault, MALFORMED),
)


def reply_for(error: MailError) -> bytes:
    """The reply that tells a POP3 client of *error*, and no more than that."""
    if isinstance(error, Refused):
        code = b"[SYS/PERM]" if error.permanent else b"[SYS/TEMP]"
        return b"-ERR %b %b\r\n" % (code, error.text.encode("ascii", "replace")[:400])
    for kind, reply in _REPLIES:
        if isinstance(error, kind):
            return reply
    return PERMANENT if error.permanent else TEMPORARY


def greeting(host_name: str) -> bytes:
    """The first words.  No ``<...>`` in it: that would offer APOP."""
    return b"+OK %b POP3 server ready.\r\n" % host_name.encode("ascii", "replace")


def status(count: int, octets: int) -> bytes:
    """The drop listing of STAT."""
    return b"+OK %d %d\r\n" % (count, octets)


def listing(count: int, octets: int) -> bytes:
    """The first line of LIST."""
    return b"+OK %d messages (%d octets)\r\n" % (count, octets)


def scan(number: int, octets: int) -> bytes:
    """The answer to LIST with a number."""
    return b"+OK %d %d\r\n" % (number, octets)


def unique_id(number: int, uidvalidity: int, uid: int) -> bytes:
    """The answer to UIDL with a number."""
    return b"+OK %d %d.%d\r\n" % (number, uidvalidity, uid)


def message(octets: int) -> bytes:
    """The first line of RETR."""
    return b"+OK %d octets\r\n" % octets


def several(first: bytes, lines: Iterable[bytes]) -> bytes:
    """A reply of several lines; none of *lines* may start with a dot."""
    return first + b"".join([line + b"\r\n" for line in lines]) + END


def challenge(encoded: bytes) -> bytes:
    """A step of a SASL exchange (RFC 5034, section 4)."""
    return b"+ %b\r\n" % encoded
