"""Content-Transfer-Encodings of MIME, decoded leniently (RFC 2045, section 6).

Mail is never refused for bad base64: what makes sense is decoded, the rest is
skipped.  (SASL is strict instead, and has its own decoder.)
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp

#: Times that base64 starts anew behind padding; from then on "=" is skipped as
#: noise.  Some programs join encoded pieces; none joins so many.
MAX_PADDINGS = 1000
#: Octets of an unfinished line that a decoder keeps at most.
MAX_PENDING = 64 * 1024
#: Octets that are decoded in one go: no other thread runs meanwhile.
STEP = 1024 * 1024

_NOT_BASE64 = bytes(set(range(256)) - set(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
))
_SOFT_BREAK = re.compile(rb"=[ \t]++(?=\r?\n)")
_LONE_CR = re.compile(rb"=\r(?!\n)")


class Decoder:
    """Decodes octets as they come: 7bit, 8bit, binary, or anything unknown."""

    def feed(self, data: bytes) -> bytes:
        """What *data* adds to the decoded octets."""
        return data

    def finish(self) -> bytes:
        """The last octets."""
        return b""


class Base64Decoder(Decoder):
    """RFC 2045, section 6.8.  Octets that are no digits are skipped."""

    def __init__(self) -> None:
        self._pending = b""
        self._paddings = MAX_PADDINGS

    def feed(self, data: bytes) -> bytes:
        digits = data.translate(None, _NOT_BASE64)
        if b"=" not in digits:
            return self._decode(digits)
        *padded, last = digits.split(b"=", self._paddings)
        self._paddings -= len(padded)
        out = [self._decode(piece) + self.finish() for piece in padded]
        return b"".join(out) + self._decode(last.replace(b"=", b""))

    def finish(self) -> bytes:
        rest, self._pending = self._pending, b""
        if len(rest) < 2:
            return b""
        return a2b_base64(rest + b"=" * (4 - len(rest)))

    def _decode(self, digits: bytes) -> bytes:
        if self._pending:
            digits = self._pending + digits
        whole = len(digits) // 4 * 4
        self._pending = digits[whole:]
        return a2b_base64(digits[:whole])


class QuotedPrintableDecoder(Decoder):
    """RFC 2045, section 6.7.  A "=" that encodes nothing stays as it is."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        if self._pending:
            data = self._pending + data
        # What comes next decides on "=" at the end and what stands behind it.
        head = data.rstrip(b" \t\r")
        if head[-2:-1] == b"=":
            head = head[:-1]
        whole = len(head.rstrip(b"="))
        if len(data) - whole > MAX_PENDING:
            whole = len(data)
        self._pending = data[whole:]
        return _decode_quoted(data[:whole])

    def finish(self) -> bytes:
        rest, self._pending = self._pending, b""
        return _decode_quoted(rest)


def _decode_quoted(data: bytes) -> bytes:
    # binascii does not know blanks behind a soft line break.
    if b"= " in data or b"=\t" in data:
        data = _SOFT_BREAK.sub(b"=", data)
    # It also skips to the next LF behind "=" and a lone CR, which hides text.
    if data.count(b"=\r") != data.count(b"=\r\n"):
        data = _LONE_CR.sub(b"=\r\n", data)
    return a2b_qp(data)


_DECODERS: dict[bytes, type[Decoder]] = {
    b"base64": Base64Decoder,
    b"quoted-printable": QuotedPrintableDecoder,
}


def decoder_for(encoding: bytes) -> Decoder:
    """A new decoder for a Content-Transfer-Encoding (lower case)."""
    return _DECODERS.get(encoding, Decoder)()


def decode_transfer(data: bytes, encoding: bytes) -> bytes:
    """*data* decoded; as it is where *encoding* (lower case) is none we know."""
    decoder = decoder_for(encoding)
    if len(data) <= STEP:
        return decoder.feed(data) + decoder.finish()
    pieces = [
        decoder.feed(data[start : start + STEP]) for start in range(0, len(data), STEP)
    ]
    return b"".join(pieces) + decoder.finish()
