"""Messages for servers that take seven bits only (RFC 6152, section 3).

Each part with other octets is written in quoted-printable or base64, and says so in
its header; what a part holds stays the same.  What must not be touched, as somebody
has signed it, is not.
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp

from ..errors import MailError, Status
from .headers import Fields
from .mime import Part, parse

#: Octets that one line of base64 stands for (RFC 2045, section 6.8: 76 characters).
_LINE = 57
_IDENTITY = frozenset((b"7bit", b"8bit", b"binary"))
_ENCODING = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_EMPTY_LINE = re.compile(rb"(?:\A|\n)(\r?\n)\Z")


class Unconvertible(MailError):
    """A message that stays as it is, or is no longer what it was."""

    status = Status.CONVERSION_NEEDED


def in_seven_bits(message: bytes) -> bytes:
    """*message* with seven-bit bodies.  Octets of headers stay as they are.

    :raises Unconvertible: that would break it.
    """
    if message.isascii():
        return message
    root = parse(message)
    edits: list[tuple[int, int, bytes]] = []
    signed_until = 0
    for part in root.walk():
        if part is root:
            continue
        if part.start < signed_until:
            if not message[part.start : part.stop].isascii():
                raise Unconvertible("a signed part has octets that are not ASCII")
            continue
        if part.type == b"multipart" and part.subtype == b"signed":
            signed_until = part.stop
        if part.parts:
            _relabel(message, part, edits)
        elif not message[part.body_start : part.stop].isascii():
            _encode(message, part, edits, is_top=part is root.message)
    changed = _edited(message, edits)
    if edits and _outline(parse(changed)) != _outline(root):
        # A line that was broken anew looks like a delimiter (attack: parts that
        # appear on the way).
        raise Unconvertible("its parts would become others")
    return changed


def _outline(root: Part) -> list[tuple[bytes, bytes]]:
    return [(part.type, part.subtype) for part in root.walk()]


def _relabel(
    message: bytes, part: Part, edits: list[tuple[int, int, bytes]]
) -> None:
    """What holds other parts is as they are (RFC 2045, section 6.4)."""
    if part.encoding in _IDENTITY and part.encoding != b"7bit":
        edits.append(_labelled(message, part, b"7bit"))


def _encode(
    message: bytes, part: Part, edits: list[tuple[int, int, bytes]], *, is_top: bool
) -> None:
    """A part without parts."""
    if part.encoding not in _IDENTITY:
        raise Unconvertible(f"octets that are not ASCII in {part.encoding!r}")
    declared = (part.fields or Fields(b"")).first(b"content-type") or b""
    kind = declared.partition(b"/")[0].strip().lower()
    if kind == b"multipart" or (kind == b"message" and part.subtype != b"global"):
        # RFC 2046, section 5: neither may be encoded as a whole.
        raise Unconvertible(f"a part of type {declared[:80]!r} is not ASCII")
    body = message[part.body_start : part.stop]
    is_text = part.type == b"text"
    encoding = b"quoted-printable" if is_text else b"base64"
    more = b"" if declared or not is_top else _type_of(body)
    edits.append(_labelled(message, part, encoding, more))
    encoded = b2a_qp(body, istext=True) if is_text else _base64(body)
    edits.append((part.body_start, part.stop, encoded))


def _type_of(body: bytes) -> bytes:
    """The header fields of a text that has none, from before MIME (RFC 1428)."""
    try:
        body.decode()
    except UnicodeDecodeError:
        charset = b"unknown-8bit"
    else:
        charset = b"utf-8"
    return (
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=" + charset + b"\r\n"
    )


def _labelled(
    message: bytes, part: Part, encoding: bytes, more: bytes = b""
) -> tuple[int, int, bytes]:
    """The edit that gives a part's header another Content-Transfer-Encoding."""
    header = message[part.start : part.body_start]
    field = more + b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    header = _ENCODING.sub(b"", header)
    if end := _EMPTY_LINE.search(header):
        header = header[: end.start(1)] + field + end[1]
    elif not header:
        header = field + b"\r\n"
    else:
        header += (b"" if header.endswith(b"\n") else b"\r\n") + field
    return part.start, part.body_start, header


def _base64(body: bytes) -> bytes:
    return b"\r\n".join(
        b2a_base64(body[start : start + _LINE], newline=False)
        for start in range(0, len(body), _LINE)
    )


def _edited(message: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    pieces = []
    position = 0
    for start, stop, replacement in sorted(edits):
        pieces += [message[position:start], replacement]
        position = stop
    return b"".join([*pieces, message[position:]])
