"""Header fields: found, unfolded, chosen and written (RFC 5322, section 2.2).

Reading accepts CRLF and bare LF, lines that are no field, a header without the
empty line, and never fails.  Writing (:func:`header_line`) is strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap

from ..errors import SyntaxFault

#: What a message may be given as: octets that can be searched without a copy.
Octets = bytes | memoryview | mmap

#: Octets of a header that are looked at; what follows counts as body.  Real
#: headers end below 100 KiB; the limit keeps hostile ones out of memory.
MAX_HEADER = 10 * 1024 * 1024
#: Octets of one field that are looked at (attack: the endless field).
MAX_FIELD = 1024 * 1024
#: Fields of a header that are looked at (attack: a million empty fields).
MAX_FIELDS = 10_000
#: RFC 5322, section 2.1.1: lines SHOULD have 78 characters at most, and MUST
#: have no more than 998, CRLF not counted.
FOLD_AT = 78
MAX_LINE = 998

_EMPTY_LINE = re.compile(rb"\n\r?\n")
_FIRST_LINE_EMPTY = re.compile(rb"\r?\n")
# Possessive repeats (++, *+) never try again shorter, so no input is quadratic.
_REST_OF_FIELD = rb"[^\n]*+(?:\n[ \t][^\n]*+)*+"
_FIELD_START = re.compile(rb"\n([!-9;-~]++)[ \t]*+:")
_FIELD = re.compile(_FIELD_START.pattern + _REST_OF_FIELD)
_LINE_BREAK = re.compile(rb"\n(?![ \t])")
_FORBIDDEN = re.compile(rb"[\r\n\0]")
_WORD = re.compile(rb"[ \t]*[^ \t]+")
_NAME_OCTETS = bytes(code for code in range(33, 127) if code != ord(":"))


def header_end(data: Octets, start: int = 0, stop: int | None = None) -> int:
    """The offset of the body in ``data[start:stop]``.

    That is after the empty line; without one everything is header.  A header
    longer than :data:`MAX_HEADER` is cut there, after a whole line if it can be.
    """
    if stop is None:
        stop = len(data)
    limit = min(stop, start + MAX_HEADER)
    if found := _FIRST_LINE_EMPTY.match(data, start, limit):
        return found.end()
    if found := _EMPTY_LINE.search(data, start, limit):
        return found.end()
    if limit == stop:
        return stop
    last_line_end = bytes(data[start:limit]).rfind(b"\n")
    return limit if last_line_end < 0 else start + last_line_end + 1


def unfold(value: bytes) -> bytes:
    """A field's value on one line, without blanks around it.

    Line breaks before white space go (RFC 5322, section 2.2.3); at any other
    line break the value ends.
    """
    if len(value) > MAX_FIELD:
        value = value[:MAX_FIELD]
    if b"\n" in value:
        if end := _LINE_BREAK.search(value):
            value = value[: end.start()]
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip()


class Fields:
    """The fields of a header, in order; names are compared in lower case.

    :param header: the octets up to the body.
    :ivar raw: the first value of each name as it stands, folded and with blanks.
    """

    __slots__ = ("_names", "_values", "raw")

    def __init__(self, header: bytes) -> None:
        pieces = _FIELD_START.split(b"\n" + header[:MAX_HEADER], MAX_FIELDS)
        self._names = [name.lower() for name in pieces[1::2]]
        self._values = pieces[2::2]
        self.raw: dict[bytes, bytes] = dict(
            zip(reversed(self._names), reversed(self._values), strict=True)
        )

    def first(self, name: bytes) -> bytes | None:
        """The unfolded value of the first field *name* (lower case)."""
        value = self.raw.get(name)
        return None if value is None else unfold(value)

    def all(self, name: bytes) -> list[bytes]:
        """The unfolded values of every field *name* (lower case), in order."""
        if name not in self.raw:
            return []
        return [value for other, value in self if other == name]

    def joined(self, name: bytes) -> bytes:
        """The values of every field *name* as one list, with commas between."""
        value = self.raw.get(name)
        if value is None:
            return b""
        if self._names.count(name) == 1:
            return unfold(value)
        return b", ".join(self.all(name))[:MAX_FIELD]

    def __contains__(self, name: bytes) -> bool:
        return name in self.raw

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """``(name in lower case, unfolded value)`` of every field."""
        for name, value in zip(self._names, self._values, strict=True):
            yield name, unfold(value)


@dataclass(frozen=True, slots=True)
class FieldSpan:
    """Where a field lies: ``header[start:stop]`` with its last line end.

    :ivar name: in lower case.
    :ivar value: the offset after the colon.
    """

    name: bytes
    start: int
    value: int
    stop: int


def field_spans(header: bytes) -> Iterator[FieldSpan]:
    """Where each field of a header lies, folded lines included."""
    padded = b"\n" + header[:MAX_HEADER]
    for found in _FIELD.finditer(padded):
        # One octet of padding: an offset in it is that of the next in the header.
        start, stop = found.start(), min(found.end(), len(header))
        name = found[1].lower()
        yield FieldSpan(name, start, padded.index(b":", start), stop)


def select_fields(header: bytes, names: frozenset[bytes], exclude: bool) -> bytes:
    """The fields of *header* in *names*, or all others, with the empty line.

    What ``BODY[HEADER.FIELDS (...)]`` and ``.NOT`` give (RFC 3501, section
    6.4.5): the fields as they stand, then the empty line unless the header has
    none.

    :param names: in lower case; any octets.
    """
    if not header.endswith(b"\n"):
        header += b"\r\n" if header else b""
    dropped = _dropped_lines(names, exclude)
    if exclude:
        return dropped.sub(b"", b"\n" + header)[1:]
    # A first line that continues nothing is no field.
    start = b"\n-" if header.startswith((b" ", b"\t")) else b"\n"
    kept = dropped.sub(b"", start + header)[1:]
    if kept:
        kept += b"\n"
    if header.endswith((b"\n\r\n", b"\n\n")) or header in (b"\r\n", b"\n"):
        return kept + (b"\r\n" if header.endswith(b"\r\n") else b"\n")
    return kept


@lru_cache(maxsize=256)
def _dropped_lines(names: frozenset[bytes], exclude: bool) -> re.Pattern[bytes]:
    """What to take out of a header: the fields of these names, or all else."""
    choice = b"|".join(re.escape(name) for name in sorted(names)) or b"(?!)"
    named = b"(?i:" + choice + rb")[ \t]*+:"
    # A line that continues a field that is kept is kept with it.
    first = named if exclude else rb"(?![ \t]|" + named + rb")"
    return re.compile(rb"\n" + first + _REST_OF_FIELD)


def header_line(name: bytes, value: bytes) -> bytes:
    """A header field as it goes on the wire, CRLF included, folded at 78.

    Made so that no value, whatever it was decoded from, can start a field of its
    own (attack: header injection).

    :param value: ASCII, or UTF-8 where the message may carry it (RFC 6532).
    :raises SyntaxFault: a name that is none, CR, LF or NUL in the value, or a
        word too long for a line.
    """
    if not name or name.translate(None, _NAME_OCTETS):
        raise SyntaxFault(f"no header field name: {name!r}")
    if _FORBIDDEN.search(value):
        raise SyntaxFault(f"CR, LF or NUL in the value of {name!r}")
    first, *words = _WORD.findall(b" " + value.strip(b" \t")) or [b""]
    lines = []
    line = name + b":" + first
    for word in words:
        if len(line) + len(word) > FOLD_AT:
            lines.append(line)
            line = word
        else:
            line += word
    lines.append(line)
    if max(map(len, lines)) > MAX_LINE:
        raise SyntaxFault(f"a word of {name!r} is too long for a line")
    return b"\r\n".join(lines) + b"\r\n"
