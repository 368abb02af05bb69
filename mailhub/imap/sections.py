"""Sections of messages: ``BODY[1.HEADER.FIELDS (TO)]<0.100>`` (RFC 3501, 6.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..errors import LimitReached
from ..mail.headers import select_fields
from .syntax import Scanner, astring

if TYPE_CHECKING:
    from ..mail.mime import Part

#: Header fields one section may name; each one costs time for every message.
MAX_FIELDS = 250

_PATH = re.compile(rb"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*")
_TEXT = re.compile(
    rb"(?i:HEADER(?:\.FIELDS(?:\.NOT)?)?|TEXT|MIME)(?![A-Za-z0-9.])"
)

#: ``(start, stop)``: octets of the message.
Span = tuple[int, int]


class SectionText(Enum):
    """Which text of a message or part."""

    WHOLE = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


_OF_HEADER = SectionText.HEADER, SectionText.FIELDS, SectionText.FIELDS_NOT


@dataclass(frozen=True, slots=True)
class Section:
    """Some octets of a message.

    :ivar label: what it is called in the answer, such as ``BODY[1]<0>``.
    :ivar path: part numbers; empty for the message itself.
    :ivar fields: of FIELDS and FIELDS_NOT, in lower case.
    :ivar partial: ``(offset, octets)`` of the text, or ``None`` for all of it.
    """

    label: bytes
    text: SectionText = SectionText.WHOLE
    path: tuple[int, ...] = ()
    fields: frozenset[bytes] = frozenset()
    partial: Span | None = None

    @property
    def of_header(self) -> bool:
        """The message's header is all that it needs."""
        return not self.path and self.text in _OF_HEADER

    def select(self, header: bytes) -> bytes:
        """The text, out of the header that it is about."""
        if self.text is not SectionText.HEADER:
            exclude = self.text is SectionText.FIELDS_NOT
            header = select_fields(header, self.fields, exclude)
        if self.partial is not None:
            start, count = self.partial
            return header[start : start + count]
        return header

    def span_in(self, parts: Part) -> Span | None:
        """Where the octets are, before fields are selected and *partial* is cut.

        ``None`` if there is no such part, or no such text in it.
        """
        part = parts.find(self.path)
        if part is None:
            return None
        match self.text:
            case SectionText.WHOLE:
                return part.body_start, part.stop
            case SectionText.MIME:
                return part.start, part.body_start
        inner = part.message
        if inner is None:
            return None
        if self.text is SectionText.TEXT:
            return inner.body_start, inner.stop
        return inner.start, inner.body_start

    def cut(self, span: Span) -> Span:
        """*span* with *partial* applied; empty beyond its end."""
        if self.partial is None:
            return span
        offset, count = self.partial
        start = min(span[0] + offset, span[1])
        return start, min(start + count, span[1])


def parse_section(scanner: Scanner) -> Section:
    """What follows BODY or BODY.PEEK: ``[...]`` and maybe ``<offset.octets>``.

    :raises mailhub.errors.SyntaxFault:
    :raises mailhub.errors.LimitReached: more than ``MAX_FIELDS`` fields.
    """
    if not scanner.take(0x5B):
        raise scanner.fault("[")
    label = b"BODY["
    path: tuple[int, ...] = ()
    text = SectionText.WHOLE
    numbers = scanner.match(_PATH)
    if numbers is not None:
        path = tuple(int(number) for number in numbers[0].split(b"."))
        label += numbers[0]
        if scanner.take(0x2E):
            label += b"."
            text = _text(scanner)
    elif scanner.peek() != 0x5D:
        text = _text(scanner)
        if text is SectionText.MIME:
            raise scanner.fault("a part number before MIME")
    label += text.value.encode("ascii")
    names: list[bytes] = []
    if text in (SectionText.FIELDS, SectionText.FIELDS_NOT):
        names = _field_names(scanner)
        label += b" (" + b" ".join(map(astring, names)) + b")"
    if not scanner.take(0x5D):
        raise scanner.fault("]")
    partial = _partial(scanner)
    label += b"]" if partial is None else b"]<%d>" % partial[0]
    fields = frozenset(name.lower() for name in names)
    return Section(label, text, path, fields, partial)


def _text(scanner: Scanner) -> SectionText:
    word = scanner.match(_TEXT)
    if word is None:
        raise scanner.fault("a section")
    return SectionText(word[0].upper().decode("ascii"))


def _field_names(scanner: Scanner) -> list[bytes]:
    scanner.space()
    scanner.open()
    names = [scanner.astring()]
    while scanner.take(0x20):
        names.append(scanner.astring())
        if len(names) > MAX_FIELDS:
            raise LimitReached(f"more than {MAX_FIELDS} header fields")
    scanner.close()
    return names


def _partial(scanner: Scanner) -> Span | None:
    if not scanner.take(0x3C):
        return None
    offset = scanner.number()
    if not scanner.take(0x2E):
        raise scanner.fault(".")
    count = scanner.nz_number()
    if not scanner.take(0x3E):
        raise scanner.fault(">")
    return offset, count
