"""From what a program writes to a message: recipients, missing fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import SyntaxFault
from ...mail.addresslist import Mailbox, parse_address_list
from ...mail.headers import field_spans, header_end, header_line

_RECIPIENT_FIELDS = frozenset((b"to", b"cc", b"bcc"))
_RESENT_FIELDS = frozenset((b"resent-to", b"resent-cc", b"resent-bcc"))
_HIDDEN = frozenset((b"bcc", b"resent-bcc"))


@dataclass(frozen=True, slots=True)
class Draft:
    """The header of a message as it was written.

    :ivar header: without ``Bcc``, and without the empty line.
    :ivar recipients: addresses that it names, in their order, each once.
    :ivar names: of its fields, in lower case.
    """

    header: bytes
    recipients: tuple[bytes, ...]
    names: frozenset[bytes]


def read_header(octets: bytes) -> tuple[Draft, bytes]:
    """The header at the start of *octets*, and the rest with its empty line.

    Lines that a program has put before the first field that makes sense are the
    body's first: such a message has no header.
    """
    end = header_end(octets)
    header = octets[:end]
    rest = b"\r\n" + octets[end:]
    header = header.removesuffix(b"\r\n") if header.endswith(b"\r\n\r\n") else header
    if header == b"\r\n":
        header = b""
    spans = list(field_spans(header))
    if header and (not spans or spans[0].start):
        return Draft(b"", (), frozenset()), b"\r\n" + octets
    names = frozenset(span.name for span in spans)
    is_resent = not names.isdisjoint(_RESENT_FIELDS)
    wanted = _RESENT_FIELDS if is_resent else _RECIPIENT_FIELDS
    values = [header[s.value : s.stop] for s in spans if s.name in wanted]
    kept = b"".join([header[s.start : s.stop] for s in spans if s.name not in _HIDDEN])
    return Draft(kept, tuple(_addresses(values)), names), rest


def _addresses(values: Iterable[bytes]) -> dict[bytes, None]:
    found: dict[bytes, None] = {}
    for value in values:
        # A field is a line for whoever folds it.
        for each in parse_address_list(value.replace(b"\r\n", b"").strip()):
            if isinstance(each, Mailbox) and each.local:
                found[_spelled(each)] = None
    return found


def _spelled(mailbox: Mailbox) -> bytes:
    return mailbox.local + (b"@" + mailbox.domain if mailbox.domain else b"")


def from_field(address: str, name: str | None) -> bytes:
    """``From:`` of somebody who did not write one.

    :raises SyntaxFault: a name that no field can have.
    """
    if not name:
        return header_line(b"From", address.encode())
    if not name.isprintable():
        raise SyntaxFault(f"no name: {name!r}")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    if name.isascii():
        return header_line(b"From", f'"{quoted}" <{address}>'.encode())
    from email.header import Header  # for the few who need it

    encoded = Header(name, "utf-8", maxlinelen=60).encode(linesep="\r\n")
    return f"From: {encoded} <{address}>\r\n".encode()
