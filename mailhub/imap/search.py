"""SEARCH: what a client looks for, as a query (RFC 3501, section 6.4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import LimitReached, MailError
from ..mail.charset import codec_for
from ..mail.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from ..mail.query import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    InternalDate,
    Larger,
    Not,
    Or,
    Query,
    SentDate,
    Smaller,
    Text,
    UidSet,
    When,
)
from .numset import ranges_of
from .syntax import Scanner

#: Keys of one search; each may be asked of every message.
MAX_KEYS = 1000

_CHARSET = re.compile(rb"(?i:CHARSET) ")


class UnknownCharset(MailError):
    """The texts of a search are in a charset that is not known here."""


class SearchView(Protocol):
    """The mailbox as the client knows it; sequence numbers refer to this.

    :ivar uids: of all messages, ascending.
    :ivar recent: UIDs of those with ``\\Recent``, ascending.
    """

    @property
    def uids(self) -> Sequence[int]: ...

    @property
    def recent(self) -> Sequence[int]: ...


def parse_search(scanner: Scanner, view: SearchView) -> Query:
    """What follows SEARCH and a space, to the end of the command.

    :raises mailhub.errors.SyntaxFault: also for text that is not in its charset.
    :raises UnknownCharset: ``NO [BADCHARSET]`` is the answer.
    :raises mailhub.errors.LimitReached: more than ``MAX_KEYS``.
    """
    reader = _Reader(scanner, view, _charset(scanner))
    query = reader.keys()
    scanner.end()
    return query


def _charset(scanner: Scanner) -> str:
    """The codec of the texts: UTF-8, of which US-ASCII is a part, if not told."""
    if scanner.match(_CHARSET) is None:
        return "utf-8"
    name = scanner.astring()
    codec = codec_for(name.decode("ascii")) if name.isascii() else None
    if codec is None:
        raise UnknownCharset(f"SEARCH in the charset {name[:64]!r}")
    scanner.space()
    return codec


_Key = Callable[["_Reader"], Query]


class _Reader:
    """Reads the keys of one search."""

    def __init__(self, scanner: Scanner, view: SearchView, codec: str) -> None:
        self.scanner = scanner
        self.view = view
        self.codec = codec
        self.count = 0

    def keys(self) -> Query:
        """One key or more: all of them hold."""
        terms = [self.key()]
        while self.scanner.take(0x20):
            terms.append(self.key())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def key(self) -> Query:
        """One key, with what belongs to it."""
        self.count += 1
        if self.count > MAX_KEYS:
            raise LimitReached(f"SEARCH with more than {MAX_KEYS} keys")
        scanner = self.scanner
        octet = scanner.peek()
        if octet == 0x28:
            scanner.open()
            query = self.keys()
            scanner.close()
            return query
        if octet == 0x2A or 0x30 <= octet <= 0x39:
            return self.sequence()
        read = _KEYS.get(scanner.keyword())
        if read is None:
            raise scanner.fault("a search key before this")
        return read(self)

    def nested(self) -> Query:
        """A space and a key, one level down."""
        self.scanner.space()
        self.scanner.deeper()
        query = self.key()
        self.scanner.shallower()
        return query

    def text(self) -> str:
        """A space and a text in the search's charset."""
        self.scanner.space()
        octets = self.scanner.astring()
        try:
            text = octets.decode(self.codec)
            # UTF-7 can spell lone surrogates, which are no text.
            text.encode("utf-8")
        except UnicodeError:
            raise self.scanner.fault(f"text in {self.codec} before this") from None
        return text

    def number(self) -> int:
        """A space and a number."""
        self.scanner.space()
        return self.scanner.number()

    def flag(self) -> HasFlag:
        """A space and a keyword."""
        self.scanner.space()
        return HasFlag(self.scanner.keyword_flag())

    def internal_date(self, when: When) -> Query:
        """A space and a day to compare the internal date with."""
        self.scanner.space()
        return InternalDate(when, self.scanner.date())

    def sent_date(self, when: When) -> Query:
        """A space and a day to compare the Date: field with."""
        self.scanner.space()
        return SentDate(when, self.scanner.date())

    def header(self) -> Query:
        """A space, a field name, a space and a text."""
        self.scanner.space()
        name = self.scanner.astring()
        if not name.isascii():
            raise self.scanner.fault("a header field's name before this")
        return Header(name.decode("ascii"), self.text())

    def either(self) -> Query:
        """The two keys of OR."""
        return Or((self.nested(), self.nested()))

    def sequence(self) -> Query:
        """Sequence numbers, as the UIDs between which they lie in the view."""
        uids = self.view.uids
        places = self.scanner.sequence_set().positions(len(uids))
        return UidSet(tuple((uids[run.start], uids[run.stop - 1]) for run in places))

    def uid_set(self) -> Query:
        """A space and UIDs."""
        self.scanner.space()
        numbers = self.scanner.sequence_set()
        uids = self.view.uids
        return UidSet(numbers.within(uids[-1] if uids else 0))

    def recent(self) -> Query:
        """The messages that are recent in this session."""
        return UidSet(ranges_of(self.view.recent))


def _not(key: _Key) -> _Key:
    return lambda reader: Not(key(reader))


def _flag(flag: str) -> _Key:
    query = HasFlag(flag)
    return lambda reader: query


def _header(name: str) -> _Key:
    return lambda reader: Header(name, reader.text())


def _internal(when: When) -> _Key:
    return lambda reader: reader.internal_date(when)


def _sent(when: When) -> _Key:
    return lambda reader: reader.sent_date(when)


_KEYS: dict[str, _Key] = {
    "ALL": lambda reader: All(),
    "ANSWERED": _flag(ANSWERED),
    "BCC": _header("bcc"),
    "BEFORE": _internal(When.BEFORE),
    "BODY": lambda reader: Body(reader.text()),
    "CC": _header("cc"),
    "DELETED": _flag(DELETED),
    "DRAFT": _flag(DRAFT),
    "FLAGGED": _flag(FLAGGED),
    "FROM": _header("from"),
    "HEADER": _Reader.header,
    "KEYWORD": _Reader.flag,
    "LARGER": lambda reader: Larger(reader.number()),
    "NEW": lambda reader: And((reader.recent(), Not(HasFlag(SEEN)))),
    "NOT": lambda reader: Not(reader.nested()),
    "OLD": _not(_Reader.recent),
    "ON": _internal(When.ON),
    "OR": _Reader.either,
    "RECENT": _Reader.recent,
    "SEEN": _flag(SEEN),
    "SENTBEFORE": _sent(When.BEFORE),
    "SENTON": _sent(When.ON),
    "SENTSINCE": _sent(When.SINCE),
    "SINCE": _internal(When.SINCE),
    "SMALLER": lambda reader: Smaller(reader.number()),
    "SUBJECT": _header("subject"),
    "TEXT": lambda reader: Text(reader.text()),
    "TO": _header("to"),
    "UID": _Reader.uid_set,
    "UNANSWERED": _not(_flag(ANSWERED)),
    "UNDELETED": _not(_flag(DELETED)),
    "UNDRAFT": _not(_flag(DRAFT)),
    "UNFLAGGED": _not(_flag(FLAGGED)),
    "UNKEYWORD": _not(_Reader.flag),
    "UNSEEN": _not(_flag(SEEN)),
}
