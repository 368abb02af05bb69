"""The words of IMAP commands and responses (RFC 3501, section 9).

A command is read as a whole: the connection puts its lines and literals
together as they came, and a :class:`Scanner` goes over the octets once.  Every
read method takes what it names at the present place and stands behind it, or
raises ``SyntaxFault``; none skips spaces unasked.
"""

from __future__ import annotations

import datetime
import re
import unicodedata

from ..errors import SyntaxFault
from ..mail.flags import SYSTEM_FLAGS, Flags
from ..mail.mailbox import SEPARATOR, canonical_name
from . import utf7
from .numset import MAX_NUMBER, NumberSet

#: Parentheses, NOT and OR within each other; Dovecot's CVE-2026-27857 is what
#: happens without a limit, and no client needs more than a few.
MAX_DEPTH = 50
#: Digits of the largest number of 63 bits (RFC 9051, number64).
_MAX_SIZE_DIGITS = 19
_MAX_SIZE = 2**63 - 1

#: The session's own flag (RFC 3501, section 2.3.2); clients cannot set it.
RECENT = "\\Recent"

MONTHS = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun",
    b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(MONTHS, 1)}

_ATOM = rb"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"
_TAG_WORD = re.compile(rb"[" + _ATOM.replace(b"+", b"") + rb"\]]+")
_ATOM_WORD = re.compile(rb"[" + _ATOM + rb"]+")
_ASTRING_WORD = re.compile(rb"[" + _ATOM + rb"\]]+")
_DOTTED_WORD = re.compile(rb"[A-Za-z0-9.]+")
_LIST_WORD = re.compile(rb"[" + _ATOM + rb"\]%*]+")
#: Octets above 127 are let in: clients send UTF-8 this way (RFC 9051 allows it).
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]++|\\["\\])*+)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_LITERAL = re.compile(rb"\{([0-9]+)\+?\}\r\n")
_DIGITS = re.compile(rb"[0-9]+")
_SEQUENCE_SET = re.compile(rb"[0-9:,*]+")
_FLAG = re.compile(rb"\\?[" + _ATOM + rb"]+")
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4})'
    rb" ([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"
    rb' ([+-])([01][0-9]|2[0-3])([0-5][0-9])"'
)
_DAY_SECONDS = 86_400
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
#: The last second that a date of four-digit year can name.
_LAST_SECOND = (datetime.date.max.toordinal() - _EPOCH_DAY + 1) * _DAY_SECONDS - 1
_FIRST_SECOND = (datetime.date.min.toordinal() - _EPOCH_DAY) * _DAY_SECONDS


class Scanner:
    """Reads the words of one command.

    :param data: the command with its literals in place, without the final CRLF:
        ``a LOGIN {5}\\r\\nalice {3+}\\r\\npwd``.
    :ivar position: the offset of the next octet.
    """

    __slots__ = ("data", "depth", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.depth = 0

    def fault(self, expected: str) -> SyntaxFault:
        """The error to raise: *expected* is not what stands here."""
        here = self.data[self.position : self.position + 32]
        return SyntaxFault(f"expected {expected} at {self.position}, got {here!r}")

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Take what *pattern* matches here, if it does."""
        found = pattern.match(self.data, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def _expect(self, pattern: re.Pattern[bytes], expected: str) -> bytes:
        found = pattern.match(self.data, self.position)
        if found is None:
            raise self.fault(expected)
        self.position = found.end()
        return found[0]

    # Places.

    def peek(self) -> int:
        """The next octet, not taken; -1 at the end."""
        return self.data[self.position] if self.position < len(self.data) else -1

    def take(self, octet: int) -> bool:
        """Take the next octet if it is *octet* (``scanner.take(0x28)``)."""
        if self.position < len(self.data) and self.data[self.position] == octet:
            self.position += 1
            return True
        return False

    def space(self) -> None:
        """Exactly one space."""
        if not self.take(0x20):
            raise self.fault("a space")

    def end(self) -> None:
        """The end of the command."""
        if self.position != len(self.data):
            raise self.fault("the end of the command")

    @property
    def rest(self) -> bytes:
        """What has not been taken."""
        return self.data[self.position :]

    # Nesting.

    def deeper(self) -> None:
        """One level of nesting more; :meth:`shallower` ends it.

        :raises SyntaxFault: more than ``MAX_DEPTH`` levels.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxFault(f"more than {MAX_DEPTH} levels of nesting")

    def shallower(self) -> None:
        """The end of what began with :meth:`deeper`."""
        self.depth -= 1

    def open(self) -> None:
        """An opening parenthesis, counted as a level."""
        if not self.take(0x28):
            raise self.fault("(")
        self.deeper()

    def close(self) -> None:
        """The closing parenthesis of :meth:`open`."""
        if not self.take(0x29):
            raise self.fault(")")
        self.shallower()

    # Words.

    def tag(self) -> bytes:
        """A command's tag."""
        return self._expect(_TAG_WORD, "a tag")

    def atom(self) -> bytes:
        """An atom, as it is spelled."""
        return self._expect(_ATOM_WORD, "an atom")

    def keyword(self) -> str:
        """An atom that is a word of the protocol, in upper case."""
        return self._expect(_ATOM_WORD, "a word").decode("ascii").upper()

    def word(self) -> str:
        """Letters, digits and dots (``RFC822.SIZE``), in upper case."""
        return self._expect(_DOTTED_WORD, "a word").decode("ascii").upper()

    def string(self) -> bytes:
        """A quoted string or a literal: what it stands for."""
        if self.peek() == 0x7B:
            return self._literal()
        quoted = self.match(_QUOTED)
        if quoted is None:
            raise self.fault("a string")
        return _unescaped(quoted[1])

    def astring(self) -> bytes:
        """An atom (``]`` allowed), a quoted string or a literal."""
        word = self.match(_ASTRING_WORD)
        return self.string() if word is None else word[0]

    def nstring(self) -> bytes | None:
        """A string, or ``None`` for NIL."""
        if self.peek() in (0x22, 0x7B):
            return self.string()
        if self._expect(_ATOM_WORD, "a string or NIL").upper() != b"NIL":
            raise SyntaxFault("neither a string nor NIL")
        return None

    def _literal(self) -> bytes:
        marker = self.match(_LITERAL)
        if marker is None or len(marker[1]) > _MAX_SIZE_DIGITS:
            raise self.fault("a literal")
        start = self.position
        stop = start + int(marker[1])
        if stop > len(self.data):
            raise SyntaxFault("literal is longer than the command")
        self.position = stop
        value = self.data[start:stop]
        if b"\0" in value:
            raise SyntaxFault("NUL in a literal")
        return value

    # Numbers.

    def number(self) -> int:
        """0 to 2**32-1."""
        digits = self._expect(_DIGITS, "a number")
        if len(digits) > 10 or int(digits) > MAX_NUMBER:
            raise SyntaxFault(f"number of more than 32 bits: {digits[:32]!r}")
        return int(digits)

    def nz_number(self) -> int:
        """1 to 2**32-1, without leading zeros."""
        if self.peek() == 0x30:
            raise self.fault("a number above zero")
        return self.number()

    def sequence_set(self) -> NumberSet:
        """Message sequence numbers or UIDs."""
        return NumberSet.parse(self._expect(_SEQUENCE_SET, "a set of numbers"))

    # Mailboxes.

    def mailbox(self) -> str:
        """The canonical name of a mailbox.

        :raises SyntaxFault: not an astring of canonical modified UTF-7.
        :raises mailhub.errors.InvalidMailboxName: well spelled, but no mailbox
            can have the name.
        """
        return canonical_name(utf7.decode(self.astring()))

    def new_mailbox(self) -> str:
        """Like :meth:`mailbox`, with one separator allowed at the end.

        CREATE announces a parent that way (RFC 3501, section 6.3.3).
        """
        return canonical_name(utf7.decode(self.astring()).removesuffix(SEPARATOR))

    def list_mailbox(self) -> str:
        """A reference or pattern of LIST, which may be empty; INBOX as spelled."""
        word = self.match(_LIST_WORD)
        pattern = utf7.decode(self.string() if word is None else word[0])
        return unicodedata.normalize("NFC", pattern)

    # Flags.

    def flag(self) -> str:
        """A flag that a client may set: a system flag or a keyword.

        :raises SyntaxFault: also for ``\\Recent`` and unknown system flags.
        """
        spelled = self._expect(_FLAG, "a flag").decode("ascii")
        if not spelled.startswith("\\"):
            return spelled
        try:
            return SYSTEM_FLAGS[spelled.lower()]
        except KeyError:
            raise SyntaxFault(f"not a flag to set: {spelled[:64]!r}") from None

    def keyword_flag(self) -> str:
        """A keyword, as it is spelled."""
        return self.atom().decode("ascii")

    def flag_list(self) -> Flags:
        """Flags in parentheses (maybe none), or, as in STORE, bare ones.

        Of keywords that differ only in case the first counts.
        """
        flags: dict[str, str] = {}
        if not self.take(0x28):
            self._flags(flags)
        elif not self.take(0x29):
            self._flags(flags)
            if not self.take(0x29):
                raise self.fault(")")
        return frozenset(flags.values())

    def _flags(self, flags: dict[str, str]) -> None:
        while True:
            flag = self.flag()
            flags.setdefault(flag.lower(), flag)
            if not self.take(0x20):
                return

    # Dates.

    def date(self) -> datetime.date:
        """A calendar day: ``1-Feb-1994``, quoted or not."""
        found = self.match(_DATE)
        if found is None:
            raise self.fault("a date")
        return _day(found[2], found[3], found[4])

    def date_time(self) -> int:
        """A date, time and zone: seconds since the epoch, UTC."""
        found = self.match(_DATE_TIME)
        if found is None:
            raise self.fault("a date and time")
        day, month, year, hours, minutes, seconds, sign, east, more = found.groups()
        days = _day(day, month, year).toordinal() - _EPOCH_DAY
        local = (int(hours) * 60 + int(minutes)) * 60 + min(int(seconds), 59)
        zone = (int(east) * 60 + int(more)) * 60
        moment = days * _DAY_SECONDS + local - (zone if sign == b"+" else -zone)
        if not _FIRST_SECOND <= moment <= _LAST_SECOND:
            raise SyntaxFault("date out of the calendar")
        return moment


def _day(day: bytes, month: bytes, year: bytes) -> datetime.date:
    """The day of these words, each already known to be digits or three letters."""
    try:
        return datetime.date(int(year), _MONTH_NUMBERS[month.lower()], int(day))
    except (KeyError, ValueError):
        raise SyntaxFault(f"no such day: {day!r}-{month!r}-{year!r}") from None


def _unescaped(quoted: bytes) -> bytes:
    return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted


def literal_marker(line: bytes) -> tuple[int, bool] | None:
    """The literal that *line*, without its CRLF, announces at its end.

    ``(octets, synchronising)``: a synchronising one waits for ``+`` before it is
    sent (RFC 3501, section 4.3; RFC 7888 for those that do not).  ``None`` for a
    line that announces none.

    :raises SyntaxFault: something in braces that is no size; as nothing can be
        said about what follows, do not guess at a literal.
    """
    if not line.endswith(b"}"):
        return None
    start = line.rfind(b"{")
    if start < 0:
        return None
    size = line[start + 1 : -1]
    digits = size.removesuffix(b"+")
    if not digits.isdigit() or len(digits) > _MAX_SIZE_DIGITS:
        raise SyntaxFault(f"not the size of a literal: {size[:32]!r}")
    octets = int(digits)
    if octets > _MAX_SIZE:
        raise SyntaxFault(f"literal of more than 63 bits: {size!r}")
    return octets, not size.endswith(b"+")


# Writing.

_UNQUOTABLE = re.compile(rb"[\0\r\n\x80-\xff]")
_SPECIAL = re.compile(rb'(["\\])')
#: Longer strings go as literals, which every client reads without a limit.
_MAX_QUOTED = 1000


def quoted(value: bytes) -> bytes:
    """*value* in double quotes; printable ASCII of our own, not a peer's octets.

    :raises ValueError: CR, LF, NUL or eight-bit octets; use :func:`string`.
    """
    if _UNQUOTABLE.search(value) is not None:
        raise ValueError("octets that a quoted string cannot hold")
    if b'"' in value or b"\\" in value:
        value = _SPECIAL.sub(rb"\\\1", value)
    return b'"' + value + b'"'


def string(value: bytes) -> bytes:
    """*value* as a quoted string where that can hold it, else as a literal."""
    if len(value) <= _MAX_QUOTED and _UNQUOTABLE.search(value) is None:
        return quoted(value)
    return b"{%d}\r\n%b" % (len(value), value)


def astring(value: bytes) -> bytes:
    """*value* bare where that is possible, else as :func:`string` has it."""
    if _ATOM_WORD.fullmatch(value) is None or value.upper() == b"NIL":
        return string(value)
    return value


def mailbox_name(name: str) -> bytes:
    """A mailbox's name in modified UTF-7: INBOX bare, others as they need."""
    return astring(utf7.encode(name))


class _FlagTexts(dict[Flags, bytes]):
    """Flag lists as they are sent; made once for each combination.

    Clients choose keywords, so combinations may be many: it starts anew when
    ``MOST`` are kept.
    """

    MOST = 4096

    def __missing__(self, flags: Flags) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
        text = "(" + " ".join(sorted(flags, key=_system_first)) + ")"
        self[flags] = encoded = text.encode("ascii")
        return encoded


def _system_first(flag: str) -> tuple[bool, str]:
    return not flag.startswith("\\"), flag


#: ``FLAG_TEXTS[flags]`` is :func:`flags` without the cost of a call.
FLAG_TEXTS = _FlagTexts()


def flags(names: Flags) -> bytes:
    """A flag list, sorted: ``(\\Answered \\Seen todo)``."""
    return FLAG_TEXTS[names]
