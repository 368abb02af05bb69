"""DNS from the server's side, for tests: records and answers as octets."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from mailhub.mail.dns import RecordType
from mailhub.net.dns_message import encode_name

RESPONSE, TRUNCATED, AUTHENTIC = 0x8180, 0x0200, 0x0020


def record(name: str | bytes, kind: int, data: bytes, ttl: int = 300) -> bytes:
    """One record; *name* as text, or as octets that stand there as they are."""
    owner = encode_name(name) if isinstance(name, str) else name
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def address(name: str | bytes, text: str, ttl: int = 300) -> bytes:
    """An A or AAAA record."""
    packed = ip_address(text).packed
    kind = RecordType.A if len(packed) == 4 else RecordType.AAAA
    return record(name, kind, packed, ttl)


def mx(name: str | bytes, preference: int, host: str, ttl: int = 300) -> bytes:
    """An MX record."""
    data = preference.to_bytes(2, "big") + encode_name(host)
    return record(name, RecordType.MX, data, ttl)


def cname(name: str, target: str, ttl: int = 300) -> bytes:
    """A CNAME record."""
    return record(name, RecordType.CNAME, encode_name(target), ttl)


def txt(name: str, *strings: bytes, ttl: int = 300) -> bytes:
    """A TXT record."""
    data = b"".join(bytes((len(string),)) + string for string in strings)
    return record(name, RecordType.TXT, data, ttl)


def soa(zone: str, minimum: int, ttl: int = 3600) -> bytes:
    """The SOA record of a negative answer."""
    data = encode_name("ns.example") + encode_name("admin.example")
    data += struct.pack("!IIIII", 1, 7200, 3600, 86400, minimum)
    return record(zone, RecordType.SOA, data, ttl)


def question_of(query: bytes) -> bytes:
    """The question section of a query."""
    end = query.index(b"\0", 12) + 5
    return query[12:end]


def name_asked(query: bytes) -> str:
    """The name that a query asks for, in lower case."""
    labels, rest = [], question_of(query)
    while rest[0]:
        labels.append(rest[1 : rest[0] + 1].decode().lower())
        rest = rest[rest[0] + 1 :]
    return ".".join(labels)


def kind_asked(query: bytes) -> RecordType:
    """The type that a query asks for."""
    return RecordType(int.from_bytes(question_of(query)[-4:-2], "big"))


def reply(
    query: bytes,
    *answers: bytes,
    code: int = 0,
    flags: int = 0,
    authority: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    """An answer to *query*.

    :param flags: more of them: ``AUTHENTIC``, ``TRUNCATED``.
    :param authority: one record, likewise *extra*.
    """
    header = query[:2] + struct.pack(
        "!HHHHH",
        RESPONSE | flags | code,
        1,
        len(answers),
        1 if authority else 0,
        1 if extra else 0,
    )
    return header + question_of(query) + b"".join(answers) + authority + extra
