"""Encoded words: text in header fields (RFC 2047)."""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator

from ..errors import SyntaxFault
from .charset import UNDECLARED, decode

#: RFC 2047, section 2: octets of an encoded word, and what its frame takes.
MAX_WORD = 75
_FRAME = len(b"=?utf-8?q??=")

#: ``=?charset*language?B?text?=`` and the blanks behind it.  Blanks inside the
#: text are against the rules and often seen.
_WORD = re.compile(
    rb"=\?([!-)+->@-~]++)(?:\*[!->@-~]*+)?\?([BbQq])\?([^?\r\n]*+)\?=([ \t\r\n]*+)"
)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*+")
_Q_SAFE = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)
_NEEDS_ENCODING = re.compile(r"[^ -~\t]|=\?")
_CONTROL = re.compile(r"[\0-\x08\x0a-\x1f\x7f]")


def decode_text(value: bytes) -> str:
    """The text of an unstructured field: encoded words decoded, others left.

    White space between two encoded words is none.  Words of one charset in a
    row are decoded together, as senders split inside characters.  Octets
    outside of words are UTF-8 or, failing that, Latin-1.  Never raises.
    """
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    if b"=?" not in value:
        return decode(value, UNDECLARED)
    pieces: list[str] = []
    run: list[bytes] = []
    run_charset = ""
    end = next_start = 0
    for found in _WORD.finditer(value):
        data = _decode_word(found)
        if data is None:
            continue
        charset = found[1].decode("ascii").lower()
        gap = b"" if run and found.start() == next_start else value[end : found.start()]
        if gap or charset != run_charset:
            pieces += decode(b"".join(run), run_charset), decode(gap, UNDECLARED)
            run = []
        run.append(data)
        run_charset = charset
        end, next_start = found.start(4), found.end()
    pieces += decode(b"".join(run), run_charset), decode(value[end:], UNDECLARED)
    return "".join(pieces)


def _decode_word(found: re.Match[bytes]) -> bytes | None:
    """The octets of an encoded word, or ``None`` if it is broken."""
    text = found[3]
    if found[2] in b"Qq":
        text = text.replace(b"_", b" ")
        return _HEX.sub(lambda pair: bytes.fromhex(pair[1].decode("ascii")), text)
    digits = text.replace(b" ", b"").rstrip(b"=")
    if len(digits) % 4 == 1 or not _BASE64.fullmatch(digits):
        return None
    return a2b_base64(digits + b"=" * (-len(digits) % 4))


def encode_text(text: str) -> bytes:
    """*text* as ASCII, in encoded words of UTF-8 where it must be.

    The words are separated by blanks, where a line may be folded, and are fit
    for a display name, too (RFC 2047, section 5).

    :raises SyntaxFault: control characters: decoded by someone else, they could
        start a header field (attack: encoded line breaks).
    """
    if _CONTROL.search(text):
        raise SyntaxFault(f"control characters in {text!r}")
    if not _NEEDS_ENCODING.search(text):
        return text.encode("ascii")
    octets = [character.encode(errors="replace") for character in text]
    quoted = [b"".join(map(_quote, octet)) for octet in octets]
    room = MAX_WORD - _FRAME
    if sum(map(len, quoted)) <= sum(map(len, octets)) * 4 // 3:
        words = [b"=?utf-8?q?%b?=" % word for word in _grouped(quoted, room)]
    else:
        words = [
            b"=?utf-8?b?%b?=" % b2a_base64(word, newline=False)
            for word in _grouped(octets, room // 4 * 3)
        ]
    return b" ".join(words)


def _quote(code: int) -> bytes:
    if code == 0x20:
        return b"_"
    return b"%c" % code if code in _Q_SAFE else b"=%02X" % code


def _grouped(pieces: Iterable[bytes], room: int) -> Iterator[bytes]:
    """The pieces joined to groups of *room* octets at most."""
    group: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > room:
            yield b"".join(group)
            group, size = [], 0
        group.append(piece)
        size += len(piece)
    yield b"".join(group)
