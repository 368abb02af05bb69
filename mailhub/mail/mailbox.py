"""Mailboxes as values: names, listings, status, entries, columns."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import Enum
from unicodedata import normalize

from ..errors import InvalidMailboxName
from .flags import Flags

INBOX = "INBOX"
SEPARATOR = "/"
#: Longest mailbox name in UTF-8 octets, and its levels: both far beyond what
#: people use, and small enough that a listing stays cheap.
MAX_NAME_OCTETS = 1000
MAX_NAME_LEVELS = 50

#: The mailboxes every account starts with, and their use (RFC 6154, section 2).
SPECIAL_MAILBOXES = {
    "Drafts": "\\Drafts",
    "Sent": "\\Sent",
    "Junk": "\\Junk",
    "Trash": "\\Trash",
    "Archive": "\\Archive",
}


def canonical_name(name: str) -> str:
    """*name* as it is stored: INBOX in capitals, also as the first level.

    Composed and decomposed spellings (NFC, NFD) are one name (RFC 9051, section
    5.1, asks for Net-Unicode).

    Names are data, never paths: ``..`` is refused only because no honest client
    asks for it (attack: mailbox name traversal).

    :raises InvalidMailboxName: empty, empty levels, control characters,
        wildcards, too long or too deep.
    """
    if not name.isascii():
        name = normalize("NFC", name)
    first, separator, rest = name.partition(SEPARATOR)
    if first.upper() == INBOX:
        name = INBOX + separator + rest
    levels = name.split(SEPARATOR)
    if "" in levels or "." in levels or ".." in levels:
        raise InvalidMailboxName(f"empty or dotted level in {name!r}")
    if any(c in "%*" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name):
        raise InvalidMailboxName(f"wildcard or control character in {name!r}")
    try:
        octets = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidMailboxName(f"lone surrogate in {name!r}") from None
    if octets > MAX_NAME_OCTETS or len(levels) > MAX_NAME_LEVELS:
        raise InvalidMailboxName(f"name of {octets} octets, {len(levels)} levels")
    return name


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """One row of a mailbox listing.

    :ivar exists: ``False`` for a name that is only subscribed, or only the
        parent of mailboxes (it cannot be selected).
    :ivar special_use: such as ``\\Sent``, or ``None``.
    """

    name: str
    exists: bool = True
    subscribed: bool = False
    special_use: str | None = None


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """Counters of a mailbox, kept by the store (never counted on asking).

    :ivar size: octets of all its messages.
    :ivar recent: messages that no session was told of yet.
    """

    name: str
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    unseen: int
    recent: int
    size: int


@dataclass(slots=True)
class Entries:
    """The messages of a mailbox in UID order, as parallel arrays.

    :ivar flags: one flag set per message; equal sets are the same object.
    """

    uids: array[int] = field(default_factory=lambda: array("I"))
    modseqs: array[int] = field(default_factory=lambda: array("Q"))
    flags: list[Flags] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to a mailbox after some modseq.

    :ivar modseq: the mailbox's highest modseq now; ask again from here.
    :ivar entries: messages that are new, or whose flags changed.
    :ivar vanished: UIDs expunged since, ascending.
    """

    modseq: int
    entries: Entries
    vanished: list[int]


@dataclass(frozen=True, slots=True)
class Outline:
    """What is in a mailbox, told without a look at each message.

    :ivar modseq: the mailbox's highest; ask for changes from here.
    :ivar ranges: the UIDs of all messages, as inclusive ranges; ascending, and
        neither overlapping nor touching.
    :ivar first_unseen: the UID of the first message without ``\\Seen``; ``None`` if
        there is none, or it would take long to find.
    :ivar keywords: all that messages carry, and maybe more.
    """

    modseq: int
    ranges: tuple[tuple[int, int], ...]
    first_unseen: int | None
    keywords: Flags


class Column(Enum):
    """What :meth:`IMailbox.fetch` can give of a message; the value's type."""

    #: ``int``: seconds since the epoch, UTC.
    INTERNAL_DATE = "internal_date"
    #: ``int``: octets, trace headers included (RFC822.SIZE).
    SIZE = "size"
    #: ``bytes``: an IMAP envelope (RFC 3501, section 7.4.2), wire-ready.
    ENVELOPE = "envelope"
    #: ``bytes``: BODYSTRUCTURE, wire-ready.
    BODYSTRUCTURE = "bodystructure"
    #: ``bytes``: BODY without extension data, wire-ready.
    BODY = "body"
    #: ``bytes``: the whole header, the empty line that ends it included.
    HEADER = "header"
    #: :class:`mailhub.mail.mime.Part`: the tree of byte spans in the content.
    PARTS = "parts"
    #: An ``IContent``: the message's octets.
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of APPEND, COPY and MOVE (RFC 4315: APPENDUID, COPYUID).

    :ivar uids: UIDs in the source, ascending (empty for an append).
    :ivar new_uids: UIDs in the target, in the same order.
    """

    uidvalidity: int
    uids: list[int]
    new_uids: list[int]
