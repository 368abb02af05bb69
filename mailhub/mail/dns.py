"""Answers of DNS, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class RecordType(IntEnum):
    """Types of records that mail needs, with their numbers (RFC 1035 and others)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    TLSA = 52


@dataclass(frozen=True, slots=True)
class MX:
    """RFC 1035, section 3.3.9; *host* ``""`` is the null MX (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class TLSA:
    """RFC 6698, section 2.1."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says of a name.

    :ivar name: where CNAMEs led to.
    :ivar records: ``str`` for A, AAAA (canonical text), CNAME, NS and PTR; ``bytes``
        for TXT, its strings joined; :class:`MX`; :class:`TLSA`.  In no order.
    :ivar authentic: a resolver that is trusted has validated it (the AD bit: RFC
        4035, section 3.2.3).
    :ivar ttl: seconds that it may be kept for.
    """

    name: str
    records: tuple[object, ...]
    authentic: bool
    ttl: int
