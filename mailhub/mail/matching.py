"""Searching: whether a message is what a query asks for, exactly.

A store compiles a query once and asks it of its messages.  What costs little is
asked first; a store that has to fetch columns can do so stage by stage, for the
messages that are left::

    matcher = compile_query(query)
    for stage in matcher.stages:
        ...                     # make what stage.need says available
        messages = [message for message in messages if stage.match(message)]
"""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from .bodytext import body_has
from .flags import SYSTEM_FLAGS, Flags
from .needle import Needle
from .query import (
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

if TYPE_CHECKING:
    from .headers import Octets
    from .mime import Part

_DAY_SECONDS = 86_400
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_REST_OF_FIELD = rb"[^\n]*+(?:\n[ \t][^\n]*+)*+"


class Need(IntEnum):
    """What has to be known of a message; each includes those before it."""

    #: ``uid`` and ``flags``.
    ENTRY = 0
    #: ``internal_date``, ``size`` and ``sent``.
    ROW = 1
    #: ``header``.
    HEADER = 2
    #: ``parts`` and ``content``.
    CONTENT = 3


class Candidate(Protocol):
    """A message as a search looks at it.

    Attributes are read only where a query needs them, so they may be properties
    that fetch.

    :ivar internal_date: seconds since the epoch.
    :ivar sent: the day of the Date: field as written, in days since 1970-01-01
        (:func:`mailhub.mail.dates.parse_day`); ``None`` without one.
    :ivar header: with the empty line that ends it.
    :ivar content: the message's octets, or something that gives slices of them.
    """

    @property
    def uid(self) -> int: ...

    @property
    def flags(self) -> Flags: ...

    @property
    def internal_date(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def sent(self) -> int | None: ...

    @property
    def header(self) -> bytes: ...

    @property
    def parts(self) -> Part: ...

    @property
    def content(self) -> Octets: ...


Match = Callable[[Candidate], bool]


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a query that must hold, and what it needs."""

    need: Need
    match: Match


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled query.

    :ivar stages: all of them must hold; what needs little comes first.  Empty
        for a query that every message matches.
    """

    stages: tuple[Stage, ...]

    @property
    def need(self) -> Need:
        """All that is needed to decide about any message."""
        return self.stages[-1].need if self.stages else Need.ENTRY

    def match(self, message: Candidate) -> bool:
        """Whether *message* is what the query asks for.  Never raises for what
        stands in the message.
        """
        return all(stage.match(message) for stage in self.stages)


def compile_query(query: Query) -> Matcher:
    """*query* in a form that is quick to ask of many messages."""
    by_need: dict[Need, list[Stage]] = {need: [] for need in Need}
    for term in _conjuncts(query):
        stage = _compile(term)
        by_need[stage.need].append(stage)
    return Matcher(tuple(_all_of(terms) for terms in by_need.values() if terms))


def _conjuncts(query: Query) -> Iterable[Query]:
    """Terms that all must hold, with nested And and All resolved."""
    if isinstance(query, And):
        for term in query.terms:
            yield from _conjuncts(term)
    elif not isinstance(query, All):
        yield query


def _compile(query: Query) -> Stage:
    match query:
        case All() | Body(text="") | Text(text=""):
            return Stage(Need.ENTRY, lambda message: True)
        case And():
            return _all_of(_compile(term) for term in query.terms)
        case Or():
            return _any_of(_compile(term) for term in query.terms)
        case Not():
            return _not(_compile(query.term))
        case Header():
            return Stage(Need.HEADER, _header_match(query.name, query.text))
        case Body():
            return Stage(Need.CONTENT, _body_match(query.text))
        case Text():
            return Stage(Need.CONTENT, _text_match(query.text))
        case _:
            return _compile_metadata(query)


def _compile_metadata(
    query: HasFlag | UidSet | Larger | Smaller | InternalDate | SentDate,
) -> Stage:
    match query:
        case HasFlag():
            return Stage(Need.ENTRY, _flag_match(query.flag))
        case UidSet():
            return Stage(Need.ENTRY, _uid_match(query.ranges))
        case Larger():
            most = query.octets
            return Stage(Need.ROW, lambda message: message.size > most)
        case Smaller():
            least = query.octets
            return Stage(Need.ROW, lambda message: message.size < least)
        case InternalDate():
            return Stage(Need.ROW, _internal_match(query.when, query.day))
        case SentDate():
            return Stage(Need.ROW, _sent_match(query.when, query.day))


# Combining.


def _all_of(stages: Iterable[Stage]) -> Stage:
    ordered = sorted(stages, key=_need)
    if len(ordered) == 1:
        return ordered[0]
    matches = [stage.match for stage in ordered]
    need = max(map(_need, ordered), default=Need.ENTRY)
    return Stage(need, lambda message: all(match(message) for match in matches))


def _any_of(stages: Iterable[Stage]) -> Stage:
    ordered = sorted(stages, key=_need)
    matches = [stage.match for stage in ordered]
    need = max(map(_need, ordered), default=Need.ENTRY)
    return Stage(need, lambda message: any(match(message) for match in matches))


def _not(stage: Stage) -> Stage:
    match = stage.match
    return Stage(stage.need, lambda message: not match(message))


def _need(stage: Stage) -> Need:
    return stage.need


# Terms.


class _HasKeyword(dict[Flags, bool]):
    """Whether flag sets hold a keyword in any case; asked once of each set."""

    def __init__(self, keyword: str) -> None:
        super().__init__()
        self._keyword = keyword.lower()

    def __missing__(self, flags: Flags) -> bool:
        self[flags] = found = self._keyword in {flag.lower() for flag in flags}
        return found


def _flag_match(flag: str) -> Match:
    if flag in SYSTEM_FLAGS.values():
        return lambda message: flag in message.flags
    known = _HasKeyword(flag)
    return lambda message: known[message.flags]


def _uid_match(ranges: tuple[tuple[int, int], ...]) -> Match:
    if len(ranges) == 1:
        [(first, last)] = ranges
        return lambda message: first <= message.uid <= last
    firsts = [first for first, _ in ranges]
    lasts = [0, *[last for _, last in ranges]]
    return lambda message: message.uid <= lasts[bisect_right(firsts, message.uid)]


def _internal_match(when: When, day: datetime.date) -> Match:
    start = (day.toordinal() - _EPOCH_DAY) * _DAY_SECONDS
    stop = start + _DAY_SECONDS
    match when:
        case When.BEFORE:
            return lambda message: message.internal_date < start
        case When.ON:
            return lambda message: start <= message.internal_date < stop
        case When.SINCE:
            return lambda message: message.internal_date >= start


def _sent_match(when: When, day: datetime.date) -> Match:
    """A message without a date was sent at no time."""
    wanted = day.toordinal() - _EPOCH_DAY
    match when:
        case When.BEFORE:
            return lambda message: message.sent is not None and message.sent < wanted
        case When.ON:
            return lambda message: message.sent == wanted
        case When.SINCE:
            return lambda message: message.sent is not None and message.sent >= wanted


def _header_match(name: str, text: str) -> Match:
    octets = name.encode("utf-8", "surrogatepass")
    if _FIELD_NAME.fullmatch(octets) is None:
        return lambda message: False
    field = re.compile(
        rb"\n(?i:" + re.escape(octets) + rb")[ \t]*+:(" + _REST_OF_FIELD + rb")"
    )
    if not text:
        return lambda message: field.search(b"\n" + message.header) is not None
    in_value = Needle(text).in_value
    find = field.findall
    return lambda message: any(map(in_value, find(b"\n" + message.header)))


def _body_match(text: str) -> Match:
    needle = Needle(text)
    return lambda message: body_has(needle, message.parts, message.content)


def _text_match(text: str) -> Match:
    needle = Needle(text)
    return lambda message: (
        needle.in_header(message.header)
        or body_has(needle, message.parts, message.content, part_headers=True)
    )
