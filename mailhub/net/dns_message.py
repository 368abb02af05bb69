"""DNS messages: questions written, answers read (RFC 1035, section 4; RFC 6891).

Pure.  Only what a stub resolver needs: one question, and of an answer the records
that belong to it.  Everything in an answer is somebody else's, so each name and each
record is checked against its own end, and all of it is read in linear time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from socket import AF_INET, AF_INET6, inet_ntop

from ..errors import SyntaxFault
from ..mail.dns import MX, TLSA, RecordType

#: Octets of a UDP answer that we ask for: fits into every path's packets, so that none
#: comes in fragments, which could be forged (RFC 9715, section 3).
UDP_SIZE = 1232
#: Records in an answer; nobody has so many servers, and a list may fill 64 KiB (attack:
#: 10,000 MX).
MAX_RECORDS = 512
#: Octets of a name, all lengths and the root included (RFC 1035, section 2.3.4).
MAX_NAME = 255
MAX_LABEL = 63
#: Pointers followed in one name; names written by any server need one or two.
MAX_POINTERS = 16

_HEADER = struct.Struct("!HHHHHH")
_TWO = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_INTERNET = 1
_OPT = 41
_RESPONSE, _OPCODE, _TRUNCATED = 0x8000, 0x7800, 0x0200
_RECURSE, _AUTHENTIC = 0x0100, 0x0020
_RCODE = 0x000F
#: TTLs from 2**31 on mean zero (RFC 2181, section 8).
_TTL_SIGN = 1 << 31


class Code(IntEnum):
    """What servers say of a question (RFC 1035, section 4.1.1; RFC 6891, 9)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says about the name that was asked for.

    :ivar code: a number of ``Code``, or another.
    :ivar name: where its CNAMEs led to.
    :ivar records: of the type that was asked for, as in ``mailhub.mail.dns.Answer``.
    :ivar ttl: the least of all records that led here; of a negative answer what its
        SOA says besides (RFC 2308, section 5), 0 where it has none.
    :ivar links: CNAMEs that were followed.
    :ivar complete: ``False`` where they led to a name of which nothing is said, so
        that it has to be asked for.
    """

    code: int
    truncated: bool
    authentic: bool
    name: str
    records: tuple[object, ...]
    ttl: int
    links: int
    complete: bool = True


def encode_name(name: str) -> bytes:
    """*name* as labels with their lengths.

    :param name: as A-labels, without the final dot; ``""`` is the root.
    :raises SyntaxFault: no such name can exist.
    """
    if not name:
        return b"\0"
    try:
        labels = name.encode("ascii").split(b".")
    except UnicodeEncodeError:
        raise SyntaxFault("a name that is not in A-labels") from None
    written = b"".join(bytes((len(label) & 0xFF,)) + label for label in labels) + b"\0"
    if len(written) > MAX_NAME or not all(map(_is_label, labels)):
        raise SyntaxFault("no name of DNS")
    return written


def _is_label(label: bytes) -> bool:
    return 0 < len(label) <= MAX_LABEL and label.isalnum() or _is_odd_label(label)


def _is_odd_label(label: bytes) -> bool:
    """With hyphens, underscores and what else is visible, but for escapes."""
    return (
        0 < len(label) <= MAX_LABEL
        and min(label) > 0x20
        and max(label) < 0x7F
        and b"\\" not in label
    )


def encode_question(name: bytes, kind: int) -> bytes:
    """The question section for a name as :func:`encode_name` gives it."""
    return name + _TWO.pack(kind, _INTERNET)


def encode_query(ident: int, question: bytes, edns: bool = True) -> bytes:
    """The message that asks *question* of a resolver.

    AD in it asks for AD in the answer (RFC 6840, section 5.7), without the signatures
    that DO would bring along.

    :param edns: whether to say that answers may be ``UDP_SIZE`` long (RFC 6891).
    """
    header = _HEADER.pack(ident, _RECURSE | _AUTHENTIC, 1, 0, 0, 1 if edns else 0)
    option = b"\0" + _RECORD.pack(_OPT, UDP_SIZE, 0, 0) if edns else b""
    return header + question + option


def is_reply_to(message: bytes, ident: int, question: bytes) -> bool:
    """Whether *message* is an answer to what was asked with *ident*.

    The question comes back letter by letter in the case that it was asked in.
    """
    if len(message) < _HEADER.size:
        return False
    found, flags, questions, _, _, _ = _HEADER.unpack_from(message)
    return (
        found == ident
        and flags & (_RESPONSE | _OPCODE) == _RESPONSE
        and questions == 1
        and message.startswith(question, _HEADER.size)
    )


def decode_reply(message: bytes, question: bytes) -> Reply:
    """What *message*, which ``is_reply_to`` *question*, says.

    What belongs to other names than the one asked for and those that its CNAMEs lead
    to is passed over: nobody has asked for it.

    :raises SyntaxFault: it is damaged, or has more than ``MAX_RECORDS``.
    """
    _, flags, _, answers, authorities, extras = _HEADER.unpack_from(message)
    kind, _ = _TWO.unpack_from(question, len(question) - _TWO.size)
    name, _ = _name_at(question, 0)
    position = _HEADER.size + len(question)
    truncated = bool(flags & _TRUNCATED)
    code = flags & _RCODE
    if truncated:
        return Reply(code, True, False, name, (), 0, 0)
    if answers > MAX_RECORDS or authorities > MAX_RECORDS or extras > MAX_RECORDS:
        raise SyntaxFault("an answer with too many records")
    found, position = _records(message, position, answers)
    owners, position = _records(message, position, authorities)
    options, _ = _records(message, position, extras)
    for option in options:
        if option.kind == _OPT:
            code |= option.ttl >> 24 << 4
    name, ttls, links = _follow(message, name, kind, found)
    values: list[object] = []
    read = READERS[kind]
    for record in found:
        if record.kind == kind and record.owner(message) == name:
            values.append(read(message, record.start, record.end))
            ttls.append(record.ttl)
    complete = True
    if not values:
        nothing = _negative_ttl(message, name, owners)
        complete = nothing is not None or not links or code != Code.NOERROR
        if complete:
            ttls.append(nothing or 0)
    authentic = bool(flags & _AUTHENTIC)
    return Reply(
        code, False, authentic, name, tuple(values), min(ttls), links, complete
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """Where a record stands in a message."""

    at: int
    kind: int
    ttl: int
    start: int
    end: int

    def owner(self, message: bytes) -> str:
        return _name_at(message, self.at)[0]


def _records(message: bytes, position: int, count: int) -> tuple[list[_Record], int]:
    """*count* records, those of other classes left out, and where they end."""
    found = []
    for _ in range(count):
        at = position
        position = _after_name(message, position)
        start = position + _RECORD.size
        if start > len(message):
            raise SyntaxFault("a record without its end")
        kind, group, ttl, length = _RECORD.unpack_from(message, position)
        position = start + length
        if position > len(message):
            raise SyntaxFault("a record without its end")
        if group == _INTERNET or kind == _OPT:
            if kind != _OPT and ttl >= _TTL_SIGN:
                ttl = 0
            found.append(_Record(at, kind, ttl, start, position))
    return found, position


def _follow(
    message: bytes, name: str, kind: int, found: list[_Record]
) -> tuple[str, list[int], int]:
    """Where CNAMEs lead to from *name*, the TTLs on the way, and how many they are.

    Each is followed once, so a ring of them ends where it began.
    """
    ttls: list[int] = []
    if kind == RecordType.CNAME:
        return name, ttls, 0
    links = {
        record.owner(message): record
        for record in found
        if record.kind == RecordType.CNAME
    }
    while (record := links.pop(name, None)) is not None:
        name = _name_within(message, record.start, record.end)
        ttls.append(record.ttl)
    return name, ttls, len(ttls)


def _negative_ttl(message: bytes, name: str, owners: list[_Record]) -> int | None:
    """How long to remember that there is nothing; ``None``: nobody says."""
    for record in owners:
        if record.kind != RecordType.SOA:
            continue
        zone = record.owner(message)
        if zone and name != zone and not name.endswith("." + zone):
            continue
        after = _after_name(message, _after_name(message, record.start))
        if after + 20 != record.end:
            raise SyntaxFault("an SOA record of another length")
        minimum = int.from_bytes(message[after + 16 : after + 20], "big")
        return min(record.ttl, minimum)
    return None


def _after_name(message: bytes, position: int) -> int:
    """Where the name at *position* ends, without a look at where it points to."""
    limit = position + MAX_NAME
    while position < len(message) and position < limit:
        length = message[position]
        if length == 0:
            return position + 1
        if length >= 0xC0:
            return position + 2
        if length > MAX_LABEL:
            break
        position += length + 1
    raise SyntaxFault("a name without its end")


def _name_at(message: bytes, position: int) -> tuple[str, int]:
    """The name at *position* in lower case, and where it ends there.

    A pointer may only lead to before all that was read so far, so that none leads
    round in a ring (attack: compression loops).
    """
    labels: list[str] = []
    room, pointers, lowest = MAX_NAME - 1, 0, position
    end = 0
    while position < len(message):
        length = message[position]
        if length == 0:
            return ".".join(labels), end or position + 1
        if length >= 0xC0:
            if position + 2 > len(message):
                break
            end = end or position + 2
            position = (length & 0x3F) << 8 | message[position + 1]
            pointers += 1
            if position >= lowest or pointers > MAX_POINTERS:
                raise SyntaxFault("a name that leads nowhere")
            lowest = position
            continue
        stop = position + 1 + length
        room -= length + 1
        if length > MAX_LABEL or room < 0 or stop > len(message):
            break
        labels.append(_label_text(message[position + 1 : stop]))
        position = stop
    raise SyntaxFault("a name without its end")


def _label_text(label: bytes) -> str:
    """*label* in lower case; what is not plain stands there as ``\\DDD``.

    So a dot or a line's end inside of a label stays inside; and such a name cannot be
    asked for (attack: answers with names that mean something else elsewhere).
    """
    if label.isalnum() or (_is_odd_label(label) and b"." not in label):
        return label.decode("ascii").lower()
    return "".join(
        chr(octet) if 0x20 < octet < 0x7F and octet not in b".\\" else f"\\{octet:03d}"
        for octet in label
    ).lower()


def _name_within(message: bytes, start: int, end: int) -> str:
    """The name that is all of ``message[start:end]``."""
    name, stop = _name_at(message, start)
    if stop != end:
        raise SyntaxFault("a name of another length than its record")
    return name


def _read_a(message: bytes, start: int, end: int) -> str:
    if end - start != 4:
        raise SyntaxFault("an A record of another length")
    return inet_ntop(AF_INET, message[start:end])


def _read_aaaa(message: bytes, start: int, end: int) -> str:
    if end - start != 16:
        raise SyntaxFault("an AAAA record of another length")
    return inet_ntop(AF_INET6, message[start:end])


def _read_mx(message: bytes, start: int, end: int) -> MX:
    if end - start < 3:
        raise SyntaxFault("an MX record of another length")
    preference = message[start] << 8 | message[start + 1]
    return MX(preference, _name_within(message, start + 2, end))


def _read_txt(message: bytes, start: int, end: int) -> bytes:
    strings = []
    while start < end:
        stop = start + 1 + message[start]
        if stop > end:
            raise SyntaxFault("a TXT record with a string without its end")
        strings.append(message[start + 1 : stop])
        start = stop
    return b"".join(strings)


def _read_tlsa(message: bytes, start: int, end: int) -> TLSA:
    if end - start < 3:
        raise SyntaxFault("a TLSA record of another length")
    usage, selector, matching = message[start : start + 3]
    return TLSA(usage, selector, matching, message[start + 3 : end])


def _read_soa(message: bytes, start: int, end: int) -> str:
    return _name_at(message, start)[0]


#: How the contents of each type are read.
READERS: dict[int, Callable[[bytes, int, int], object]] = {
    RecordType.A: _read_a,
    RecordType.NS: _name_within,
    RecordType.CNAME: _name_within,
    RecordType.SOA: _read_soa,
    RecordType.PTR: _name_within,
    RecordType.MX: _read_mx,
    RecordType.TXT: _read_txt,
    RecordType.AAAA: _read_aaaa,
    RecordType.TLSA: _read_tlsa,
}
