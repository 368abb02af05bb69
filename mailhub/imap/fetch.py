"""FETCH: what a client asks of messages, and the answer (RFC 3501, 6.4.5).

The session reads the command once, then works through the messages some hundred
at a time::

    plan = parse_fetch(scanner, by_uid=...)
    rows = await mailbox.fetch(uids, plan.columns)      # not if columns are empty
    if not plan.reads_content:
        send(plan.render(numbers, uids, flags, rows))
    else:                                               # for each message:
        content = plan.content(row)
        if content.size <= SMALL_MESSAGE:
            octets = await content.read(0, content.size)
            send(plan.whole(number, uid, flags, row, octets))
        else:
            nested = [await content.read(*span) for span in plan.nested_headers(row)]
            for piece in plan.pieces(number, uid, flags, row, nested):
                if isinstance(piece, bytes):
                    send(piece)
                else:                                   # (start, stop)
                    ...                                 # send content.read(...) of it

Nothing is parsed there: rows hold prepared octets, and answers are made of them
with one format for each plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol, TypeGuard, cast

from ..errors import LimitReached
from ..mail.flags import Flags
from ..mail.mailbox import Column
from .internaldate import format_dates
from .sections import Section, SectionText, Span, parse_section
from .syntax import FLAG_TEXTS, Scanner

if TYPE_CHECKING:
    from ..mail.mime import Part

#: Different items one FETCH may ask for; those that are the same count once
#: (attack: ``(BODY[] BODY[] ...)``).  Clients that fetch part by part need one
#: for each part of a message.
MAX_ITEMS = 250
#: Of these, sections of headers: they are put together in memory, and a header
#: may have megabytes.
MAX_HEADER_ITEMS = 10
#: Clients ask the same of one message after the other; plans of items up to this
#: many octets are kept.
_MAX_CACHED = 512
#: Messages up to this size are read at once.
SMALL_MESSAGE = 64 * 1024

#: What a message's answer is made of: octets, or a span of the message.
Piece = bytes | Span

#: A row of ``IMailbox.fetch``: the UID, then the values of the plan's columns.
Row = tuple[object, ...]

#: Of a row and the nested headers that are left; ``None`` for no such part.
_Finder = Callable[[Row, Iterator[bytes]], Piece | None]


class Sized(Protocol):
    """An ``IContent``, as far as it matters here."""

    @property
    def size(self) -> int: ...


class Attribute(Enum):
    """An item that is one prepared value."""

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"


Item = Attribute | Section

_COLUMNS = {
    Attribute.INTERNALDATE: Column.INTERNAL_DATE,
    Attribute.SIZE: Column.SIZE,
    Attribute.ENVELOPE: Column.ENVELOPE,
    Attribute.BODY: Column.BODY,
    Attribute.BODYSTRUCTURE: Column.BODYSTRUCTURE,
}
_NUMERIC = {Attribute.UID, Attribute.SIZE}

_FAST = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
_MACROS: dict[str, tuple[Attribute, ...]] = {
    "FAST": _FAST,
    "ALL": (*_FAST, Attribute.ENVELOPE),
    "FULL": (*_FAST, Attribute.ENVELOPE, Attribute.BODY),
}
_ATTRIBUTES = {attribute.value: attribute for attribute in Attribute}
#: The older spellings of sections, and whether they set ``\\Seen``.
_RFC822 = {
    "RFC822": (Section(b"RFC822"), True),
    "RFC822.HEADER": (Section(b"RFC822.HEADER", SectionText.HEADER), False),
    "RFC822.TEXT": (Section(b"RFC822.TEXT", SectionText.TEXT), True),
}


@dataclass(frozen=True, slots=True)
class Run:
    """Attributes of the answer up to the next section, or to its end.

    :ivar pick: gives *format*'s values, out of the message's number, UID, flags
        and columns.
    :ivar find: gives the section's octets, or says where they lie.
    """

    format: bytes
    pick: Callable[[list[object]], object]
    find: _Finder | None


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What to answer for each message.  Make it with :func:`plan_of`.

    :ivar items: in the order of the answer, each once.
    :ivar columns: what ``IMailbox.fetch`` has to give; maybe nothing.
    :ivar sets_seen: messages are ``\\Seen`` by this; if that is news for one of
        them, answer with :meth:`with_flags`.
    :ivar reads_content: octets of the messages are needed: use :meth:`whole` or
        :meth:`pieces`, not :meth:`render`.
    :ivar format: of an answer whose sections are all of the header.
    :ivar runs: the parts of any answer.
    :ivar nested: sections that choose fields in a message inside the message.
    """

    items: tuple[Item, ...]
    columns: tuple[Column, ...]
    sets_seen: bool
    reads_content: bool
    format: bytes = field(compare=False)
    runs: tuple[Run, ...] = field(compare=False)
    nested: tuple[Section, ...] = field(compare=False)

    @property
    def needs_flags(self) -> bool:
        """The flags of the messages are part of the answer."""
        return Attribute.FLAGS in self.items

    def with_flags(self) -> FetchPlan:
        """The same with FLAGS in the answer (RFC 3501, section 6.4.5: ``\\Seen``
        set by a fetch is told in it).
        """
        if self.needs_flags:
            return self
        return plan_of((*self.items, Attribute.FLAGS), sets_seen=self.sets_seen)

    @property
    def header_items(self) -> int:
        """How many sections have to be put together from headers."""
        return sum(map(_makes_header, self.items))

    def divided(self) -> list[FetchPlan]:
        """A plan for each item: what is told of a message may come in any number of
        answers (RFC 3501, section 7.4.2).
        """
        with_uid = (Attribute.UID,) if Attribute.UID in self.items else ()
        return [
            plan_of((*with_uid, item), sets_seen=self.sets_seen)
            for item in self.items if item is not Attribute.UID
        ]  # fmt: skip

    # Metadata, many messages at once.

    def render(
        self,
        numbers: Iterable[int],
        uids: Sequence[int],
        flags: Iterable[Flags],
        rows: Sequence[Row],
    ) -> bytes:
        """The answers for some messages, given as parallel sequences.

        Messages that *rows* lack, as they have gone, are in none of them.  Flags
        and rows are not looked at where the plan does not need them.
        """
        columns = _transposed(rows, len(self.columns))
        values = dict(zip(self.columns, columns, strict=True))
        arguments: list[Iterable[object]] = [numbers]
        for item in self.items:
            match item:
                case Attribute.UID:
                    arguments.append(uids)
                case Attribute.FLAGS:
                    arguments.append(map(FLAG_TEXTS.__getitem__, flags))
                case Attribute.INTERNALDATE:
                    moments = cast("Sequence[int]", values[Column.INTERNAL_DATE])
                    arguments.append(format_dates(moments))
                case Section():
                    headers = cast("Sequence[bytes]", values[Column.HEADER])
                    texts = [item.select(header) for header in headers]
                    arguments += map(len, texts), texts
                case _:
                    arguments.append(values[_COLUMNS[item]])
        return b"".join(map(self.format.__mod__, zip(*arguments, strict=True)))

    # Octets of messages, one message at a time.

    def content(self, row: Row) -> Sized:
        """The ``IContent`` in *row*, where the plan reads content."""
        return cast(Sized, row[self.columns.index(Column.CONTENT) + 1])

    def nested_headers(self, row: Row) -> list[Span]:
        """What to read before :meth:`pieces`; mostly nothing.

        Fields are chosen from these spans: headers of messages in the message.
        """
        if not self.nested:
            return []
        parts = cast("Part", row[self.columns.index(Column.PARTS) + 1])
        spans = [section.span_in(parts) for section in self.nested]
        return [span for span in spans if span is not None]

    def whole(
        self, number: int, uid: int, flags: Flags, row: Row, octets: bytes
    ) -> bytes:
        """The answer for one message, of which all *octets* are at hand."""
        nested = [octets[start:stop] for start, stop in self.nested_headers(row)]
        return b"".join(
            [
                piece if isinstance(piece, bytes) else octets[piece[0] : piece[1]]
                for piece in self.pieces(number, uid, flags, row, nested)
            ]
        )

    def pieces(
        self,
        number: int,
        uid: int,
        flags: Flags,
        row: Row,
        nested: Sequence[bytes] = (),
    ) -> list[Piece]:
        """The answer for one message, in the order of the wire.

        :param nested: the octets of :meth:`nested_headers`, in that order.
        """
        values = [number, uid, FLAG_TEXTS[flags], *row[1:]]
        if Column.INTERNAL_DATE in self.columns:
            place = _FIRST_COLUMN + self.columns.index(Column.INTERNAL_DATE)
            [values[place]] = format_dates([cast(int, values[place])])
        headers = iter(nested)
        pieces: list[Piece] = []
        text = b""
        for run in self.runs:
            text += run.format % run.pick(values)
            if run.find is None:
                continue
            found = run.find(row, headers)
            if found is None:
                text += b" NIL"
            elif isinstance(found, bytes):
                text += b" {%d}\r\n%b" % (len(found), found)
            else:
                pieces.append(text + b" {%d}\r\n" % (found[1] - found[0]))
                pieces.append(found)
                text = b""
        pieces.append(text)
        return pieces


def _transposed(rows: Sequence[Row], columns: int) -> list[tuple[object, ...]]:
    """The columns of *rows*, without the UIDs."""
    if not columns or not rows:
        return [()] * columns
    return list(zip(*rows, strict=True))[1:]


# Making a plan.

#: Where values stand that :attr:`Run.pick` picks from.
_NUMBER, _UID, _FLAGS, _FIRST_COLUMN = range(4)


def plan_of(items: Iterable[Item], *, sets_seen: bool = False) -> FetchPlan:
    """The plan that answers with *items*; those given twice count once.

    :raises LimitReached: more than ``MAX_ITEMS`` or ``MAX_HEADER_ITEMS``.
    """
    chosen = tuple(dict.fromkeys(items))
    if len(chosen) > MAX_ITEMS:
        raise LimitReached(f"FETCH of more than {MAX_ITEMS} items")
    if sum(map(_makes_header, chosen)) > MAX_HEADER_ITEMS:
        raise LimitReached(f"FETCH of more than {MAX_HEADER_ITEMS} header sections")
    columns = tuple(
        dict.fromkeys(column for item in chosen for column in _columns_of(item))
    )
    formats = b" ".join(_format_of(item) for item in chosen)
    return FetchPlan(
        items=chosen,
        columns=columns,
        sets_seen=sets_seen,
        reads_content=Column.CONTENT in columns,
        format=b"* %d FETCH (" + formats + b")\r\n",
        runs=_runs(chosen, columns),
        nested=tuple(item for item in chosen if _selects_nested(item)),
    )


def _columns_of(item: Item) -> tuple[Column, ...]:
    if isinstance(item, Attribute):
        return (_COLUMNS[item],) if item in _COLUMNS else ()
    if item.of_header:
        return (Column.HEADER,)
    if item.path:
        return Column.PARTS, Column.CONTENT
    if item.text is SectionText.TEXT:
        return Column.HEADER, Column.CONTENT
    return (Column.CONTENT,)


def _makes_header(item: Item) -> bool:
    return isinstance(item, Section) and (item.of_header or bool(item.fields))


def _selects_nested(item: Item) -> TypeGuard[Section]:
    return isinstance(item, Section) and bool(item.path and item.fields)


def _format_of(item: Item) -> bytes:
    if isinstance(item, Section):
        return _escaped(item) + b" {%d}\r\n%b"
    return _attribute_format(item)


def _attribute_format(item: Attribute) -> bytes:
    return item.value.encode("ascii") + (b" %d" if item in _NUMERIC else b" %b")


def _escaped(section: Section) -> bytes:
    return section.label.replace(b"%", b"%%")


def _runs(items: Iterable[Item], columns: tuple[Column, ...]) -> tuple[Run, ...]:
    """*items* in runs that end with a section, or with the answer."""
    runs = []
    text = b"* %d FETCH"
    places = [_NUMBER]
    separator = b" ("
    for item in items:
        text += separator
        separator = b" "
        if isinstance(item, Section):
            find = _finder(item, columns)
            runs.append(Run(text + _escaped(item), _picker(places), find))
            text, places = b"", []
            continue
        text += _attribute_format(item)
        if item is Attribute.UID:
            places.append(_UID)
        elif item is Attribute.FLAGS:
            places.append(_FLAGS)
        else:
            places.append(_FIRST_COLUMN + columns.index(_COLUMNS[item]))
    runs.append(Run(text + b")\r\n", _picker(places), None))
    return tuple(runs)


def _picker(places: list[int]) -> Callable[[list[object]], object]:
    """Gives the values at *places*: one alone as it is, others as a tuple."""
    return itemgetter(*places) if places else _nothing


def _nothing(_values: list[object]) -> tuple[object, ...]:
    return ()


def _finder(section: Section, columns: tuple[Column, ...]) -> _Finder:
    """How to find the octets of *section*, for rows with these *columns*."""
    places = {column: place for place, column in enumerate(columns, 1)}
    if section.of_header:
        header = places[Column.HEADER]
        return lambda row, nested: section.select(cast(bytes, row[header]))
    if section.path:
        parts = places[Column.PARTS]
        return lambda row, nested: _find_part(section, cast("Part", row[parts]), nested)
    content = places[Column.CONTENT]
    if section.text is SectionText.TEXT:
        header = places[Column.HEADER]

        def find_text(row: Row, nested: Iterator[bytes]) -> Span:
            size = cast(Sized, row[content]).size
            return section.cut((min(len(cast(bytes, row[header])), size), size))

        return find_text
    return lambda row, nested: section.cut((0, cast(Sized, row[content]).size))


def _find_part(section: Section, parts: Part, nested: Iterator[bytes]) -> Piece | None:
    span = section.span_in(parts)
    if span is None:
        return None
    return section.select(next(nested)) if section.fields else section.cut(span)


def parse_fetch(scanner: Scanner, *, by_uid: bool = False) -> FetchPlan:
    """What follows the sequence set of FETCH: a macro, an item, or a list.

    :param by_uid: UID FETCH, whose answers tell the UID unasked (RFC 3501,
        section 6.4.8).
    :raises mailhub.errors.SyntaxFault:
    :raises mailhub.errors.LimitReached: too many items or header fields.
    """
    text = scanner.rest
    if len(text) > _MAX_CACHED:
        return _parse(scanner, by_uid)
    plan, length = _parse_cached(text, by_uid)
    scanner.position += length
    return plan


@lru_cache(maxsize=512)
def _parse_cached(text: bytes, by_uid: bool) -> tuple[FetchPlan, int]:
    """The plan at the start of *text*, and its length."""
    scanner = Scanner(text)
    return _parse(scanner, by_uid), scanner.position


def _parse(scanner: Scanner, by_uid: bool) -> FetchPlan:
    items: list[Item] = [Attribute.UID] if by_uid else []
    sets_seen = False
    in_list = scanner.take(0x28)
    while True:
        word = scanner.word()
        if word in _MACROS and not in_list:
            items += _MACROS[word]
        elif word in _RFC822:
            section, seen = _RFC822[word]
            items.append(section)
            sets_seen |= seen
        elif word == "BODY.PEEK" or (word == "BODY" and scanner.peek() == 0x5B):
            items.append(parse_section(scanner))
            sets_seen |= word == "BODY"
        elif word in _ATTRIBUTES:
            items.append(_ATTRIBUTES[word])
        else:
            raise scanner.fault("an item of FETCH")
        if not in_list or scanner.take(0x29):
            return plan_of(items, sets_seen=sets_seen)
        scanner.space()

