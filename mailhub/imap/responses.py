"""What the server says: prepared responses, and the words for errors.

A *status* is what follows the tag: ``OK``, ``NO`` or ``BAD``, a response code in
brackets (RFC 3501, section 7.1; RFC 5530), a text; no line end.  Clients look at
the code; the text is for people who read logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import (
    AuthenticationFailed,
    Busy,
    EncryptionRequired,
    InvalidMailboxName,
    LimitReached,
    LocalFault,
    MailboxExists,
    MailboxInUse,
    MailError,
    MessageTooLarge,
    NoSuchMailbox,
    NotPermitted,
    OverQuota,
    ReadOnlyMailbox,
    Refused,
    SyntaxFault,
    TooManyAttempts,
    UnknownRecipient,
)
from ..mail.flags import SYSTEM_FLAGS, Flags
from ..mail.mailbox import Copied, MailboxStatus
from . import syntax
from .numset import format_uids
from .search import UnknownCharset

# Statuses of commands.

SELECTED = b"OK [READ-WRITE] SELECT completed"
EXAMINED = b"OK [READ-ONLY] EXAMINE completed"
LOGGED_OUT = b"OK LOGOUT completed"
EXPUNGE_ISSUED = b"OK [EXPUNGEISSUED] Some of the messages have gone"
TRY_CREATE = b"NO [TRYCREATE] There is no such mailbox"
BAD_SPECIAL_USE = b"NO [USEATTR] A mailbox cannot have this special use"
STARTING_TLS = b"OK Begin TLS negotiation now"
NO_TLS = b"BAD TLS cannot be started here"
NO_SUCH_MECHANISM = b"NO [CANNOT] This mechanism is not offered"
LITERAL_OVER_LIMIT = b"BAD A literal beyond the limits"
NO_SUCH_COMMAND = b"BAD Unknown command"
WRONG_STATE = b"BAD Not in this state"
BAD_TAG = b"BAD Expected a tag and a command"
BARE_NEWLINE = b"BAD Lines end with CR and LF"
SERVER_BUG = b"NO [SERVERBUG] Internal error; it has been logged"

# Untagged statuses.

_BYE = b"* BYE "
LOGGING_OUT = _BYE + b"Logging out\r\n"
LINE_TOO_LONG = _BYE + b"Line too long\r\n"
LINE_ENDS = _BYE + b"Lines end with CR and LF\r\n"
LITERAL_REFUSED = _BYE + b"A literal was refused, and not read\r\n"
TOO_MANY_ERRORS = _BYE + b"Too many errors\r\n"
TOO_MANY_COMMANDS = _BYE + b"Too many commands without a login\r\n"
TOO_MANY_LOGINS = _BYE + b"Too many failed logins\r\n"
MAILBOX_GONE = _BYE + b"The selected mailbox was deleted\r\n"
SHUTTING_DOWN = _BYE + b"[UNAVAILABLE] Server shutting down\r\n"
IDLE_TOO_LONG = _BYE + b"Idle for too long\r\n"
TOO_SLOW = _BYE + b"Input arrives too slowly\r\n"
CROWDED = _BYE + b"[UNAVAILABLE] Too many connections\r\n"
INTERNAL_FAULT = _BYE + b"[SERVERBUG] Internal error\r\n"

# Continuations.

GO_AHEAD = b"+ Ready for the literal\r\n"
IDLING = b"+ idling\r\n"

#: What tells of each kind of error; the first that fits counts.
_STATUSES: tuple[tuple[type[MailError], bytes], ...] = (
    (UnknownCharset, b"NO [BADCHARSET (UTF-8 US-ASCII)] This charset is not known"),
    (SyntaxFault, b"BAD The arguments are not right"),
    (TooManyAttempts, b"NO [UNAVAILABLE] Too many attempts; try again later"),
    (AuthenticationFailed, b"NO [AUTHENTICATIONFAILED] Authentication failed"),
    (EncryptionRequired, b"NO [PRIVACYREQUIRED] Start TLS before you log in"),
    (NoSuchMailbox, b"NO [NONEXISTENT] There is no such mailbox"),
    (MailboxExists, b"NO [ALREADYEXISTS] There is a mailbox of this name"),
    (InvalidMailboxName, b"NO [CANNOT] No mailbox can have this name"),
    (MailboxInUse, b"NO [INUSE] The mailbox is in use"),
    (ReadOnlyMailbox, b"NO [READ-ONLY] The mailbox is open for reading only"),
    (NotPermitted, b"NO [CANNOT] This cannot be done"),
    (OverQuota, b"NO [OVERQUOTA] The account is full"),
    (MessageTooLarge, b"NO [TOOBIG] The message is too large"),
    (LimitReached, b"NO [LIMIT] A limit of this server is reached"),
    (UnknownRecipient, b"NO [UNAVAILABLE] The account has gone"),
    (Busy, b"NO [UNAVAILABLE] The server is busy; try again later"),
    (LocalFault, b"NO [UNAVAILABLE] A fault of the server; try again later"),
)


def response_for(error: MailError) -> bytes:
    """The status that tells a client of *error*, and no more than that."""
    if isinstance(error, Refused):
        # A text in brackets would be read as a response code.
        text = error.text.lstrip("[ ")
        return b"NO " + text.encode("ascii", "replace")
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return b"NO This did not work"


def tagged(tag: bytes, status: bytes) -> bytes:
    """The line that ends a command."""
    return b"%b %b\r\n" % (tag, status)


def untagged(status: bytes) -> bytes:
    """A line that belongs to no command, or to one whose tag nobody knows."""
    return b"* %b\r\n" % status


def logged_in(capabilities: bytes) -> bytes:
    """The status of a login (RFC 3501, section 7.1: CAPABILITY as a code)."""
    return b"OK [CAPABILITY %b] Logged in" % capabilities


def greeting(capabilities: bytes, host_name: str) -> bytes:
    """What the server says first."""
    name = host_name.encode("ascii", "replace")
    return b"* OK [CAPABILITY %b] %b IMAP ready\r\n" % (capabilities, name)


# Mailboxes.

_SYSTEM = " ".join(sorted(SYSTEM_FLAGS.values()))


def flags(keywords: Iterable[str]) -> bytes:
    """FLAGS: what may be seen in a mailbox (RFC 3501, section 7.2.6)."""
    words = " ".join([_SYSTEM, *sorted(keywords)])
    return b"* FLAGS (%b)\r\n" % words.encode("ascii")


def permanent_flags(keywords: Flags, *, read_only: bool) -> bytes:
    """PERMANENTFLAGS: what STORE can set; ``\\*`` allows new keywords."""
    words = "" if read_only else " ".join([_SYSTEM, *sorted(keywords), "\\*"])
    return b"* OK [PERMANENTFLAGS (%b)] Flags kept\r\n" % words.encode("ascii")


def exists(messages: int, recent: int) -> bytes:
    """EXISTS and RECENT."""
    return b"* %d EXISTS\r\n* %d RECENT\r\n" % (messages, recent)


def unseen(number: int) -> bytes:
    """UNSEEN: the first message without ``\\Seen``."""
    return b"* OK [UNSEEN %d] First unseen\r\n" % number


def uid_facts(status: MailboxStatus, last_uid: int) -> bytes:
    """UIDVALIDITY, and UIDNEXT above *last_uid*, which may be newer."""
    return (
        b"* OK [UIDVALIDITY %d] UIDs valid\r\n* OK [UIDNEXT %d] Predicted next UID\r\n"
        % (status.uidvalidity, max(status.uidnext, last_uid + 1))
    )


def listing(kind: bytes, attributes: Sequence[bytes], name: str) -> bytes:
    """A row of LIST or LSUB (*kind*)."""
    return b'* %b (%b) "/" %b\r\n' % (
        kind, b" ".join(attributes), syntax.mailbox_name(name),
    )  # fmt: skip


def status(name: str, items: Sequence[tuple[bytes, int]]) -> bytes:
    """STATUS (RFC 3501, section 7.2.4)."""
    values = b" ".join(b"%b %d" % item for item in items)
    return b"* STATUS %b (%b)\r\n" % (syntax.mailbox_name(name), values)


def search(numbers: Sequence[int]) -> bytes:
    """SEARCH; sent also when nothing was found."""
    if not numbers:
        return b"* SEARCH\r\n"
    return b"* SEARCH %b\r\n" % " ".join(map(str, numbers)).encode("ascii")


def append_uid(copied: Copied) -> bytes:
    """The status of an APPEND: APPENDUID (RFC 4315, section 3)."""
    return b"OK [APPENDUID %d %b] APPEND completed" % (
        copied.uidvalidity, format_uids(copied.new_uids),
    )  # fmt: skip


def copy_uid(copied: Copied, text: bytes) -> bytes:
    """The status of a copy that copied something: COPYUID (RFC 4315)."""
    return b"OK [COPYUID %d %b %b] %b" % (
        copied.uidvalidity, format_uids(copied.uids), format_uids(copied.new_uids),
        text,
    )  # fmt: skip
