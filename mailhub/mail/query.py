"""A search as a value: what IMAP SEARCH asks and a store answers.

Sequence numbers never appear here: the IMAP session turns them (and
``RECENT``, ``NEW``, ``OLD``) into UIDs before it asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of *terms* hold; ``And(())`` holds always."""

    terms: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of *terms* holds."""

    terms: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """*term* does not hold."""

    term: Query


@dataclass(frozen=True, slots=True)
class HasFlag:
    """The message carries *flag* (keywords compare without case)."""

    flag: str


@dataclass(frozen=True, slots=True)
class UidSet:
    """The UID lies in one of the inclusive, sorted, disjoint *ranges*."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Larger:
    """RFC822.SIZE is more than *octets*."""

    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """RFC822.SIZE is less than *octets*."""

    octets: int


class When(Enum):
    """How a date compares (RFC 3501, section 6.4.4): by calendar day."""

    BEFORE = "before"
    ON = "on"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class InternalDate:
    """The internal date, disregarding time and timezone (UTC days)."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class SentDate:
    """The Date: field, disregarding time and timezone."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class Header:
    """Some field *name* contains *text* (any value if *text* is empty)."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """The decoded body contains *text*."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """The decoded header or body contains *text*."""

    text: str


Query = (
    All | And | Or | Not | HasFlag | UidSet | Larger | Smaller
    | InternalDate | SentDate | Header | Body | Text
)
