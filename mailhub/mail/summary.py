"""What IMAP shows of a message, prepared once: the answers to FETCH (RFC 3501).

ENVELOPE, BODYSTRUCTURE and BODY come out as octets that go on the wire as they
are (section 7.4.2).  Text from the message is in them as it stands: header fields
unfolded, encoded words not decoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .addresslist import GroupEnd, GroupStart, Listed, Mailbox, parse_address_list
from .dates import parse_day
from .headers import Fields, Octets, header_end, unfold
from .mime import (
    DUMPED_MEDIA,
    DUMPED_SPAN,
    Part,
    charset_of,
    dump,
    parse_body,
    read_media,
)
from .parameters import Parameters, parse_parameters, raw_parameter
from .scan import count_lines

#: Longer strings are sent as literals.
MAX_QUOTED = 1000
#: Octets of address fields that are read, of all messages inside a message
#: (attack: thousands of them, each with a list of nonsense).
MAX_INNER_ADDRESSES = 256 * 1024
#: Address fields up to this length are remembered, as people write to the same
#: people; likewise all that describes a body, which programs write alike.
_MAX_CACHED = 200

_QUOTABLE = bytes(code for code in range(1, 128) if code not in b'\r\n"\\')
_TO_ESCAPE = re.compile(rb'(["\\])')
_NOT_IN_QUOTES = re.compile(rb"[\0\r\n\x80-\xff]")
_LANGUAGES = re.compile(rb"[^\s,;()\"]+")
_NO_FIELDS = Fields(b"")
_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_TEXT_FIELDS = (b"subject", b"in-reply-to", b"message-id")
#: The fields that a body's description is made of.
_BODY_FIELDS = (
    b"content-type", b"content-transfer-encoding", b"content-id",
    b"content-description", b"content-md5", b"content-disposition",
    b"content-language", b"content-location",
)
_COMPOSITE = frozenset((b"multipart", b"message"))


@dataclass(frozen=True, slots=True)
class Summary:
    """What a store keeps of a message beside its octets.

    :ivar envelope: ENVELOPE, wire-ready, as are *bodystructure* and *body*.
    :ivar header: the message's header with the empty line that ends it.
    :ivar parts: the tree of parts as :func:`mailhub.mail.mime.dump` gives it.
    :ivar sent: the day of the Date field as written, in days since 1970-01-01.
    """

    envelope: bytes
    bodystructure: bytes
    body: bytes
    header: bytes
    parts: bytes
    sent: int | None


def summarise(prefix: bytes, content: Octets) -> Summary:
    """The summary of the message that is *prefix* followed by *content*.

    :param prefix: header lines that the server puts on top, CRLF-ended.
    """
    body_start = header_end(content)
    header = prefix + bytes(content[:body_start])
    fields = Fields(header)
    outline = _outline_of(fields)
    if outline is None:
        tree = parse_body(content, len(prefix), body_start, fields)
        structure, body = _Description().describe(tree.parts[0])
        parts = dump(tree)
    else:
        structure, body, parts = outline.fill(content, len(prefix), body_start)
    date = fields.first(b"date")
    return Summary(
        _envelope(fields, date),
        structure,
        body,
        header,
        parts,
        None if date is None else parse_day(date),
    )


@dataclass(frozen=True, slots=True)
class _Outline:
    """A body without parts, but for its size.

    :ivar start: BODYSTRUCTURE and BODY up to the size.
    :ivar end: BODYSTRUCTURE from behind the size, or the lines of a text.
    :ivar media: as :func:`mailhub.mail.mime.dump` writes it.
    """

    start: bytes
    end: bytes
    media: bytes
    is_text: bool

    def fill(
        self, content: Octets, shift: int, body_start: int
    ) -> tuple[bytes, bytes, bytes]:
        """BODYSTRUCTURE, BODY and the tree of a message with such a body."""
        stop = len(content)
        start = b"%b %d" % (self.start, stop - body_start)
        lines = 0
        if self.is_text:
            lines = count_lines(content, body_start, stop)
            start = b"%b %d" % (start, lines)
        span = 0, body_start + shift, stop + shift, lines, 0
        return start + self.end, start + b")", DUMPED_SPAN % (*span, self.media)


def _outline_of(fields: Fields) -> _Outline | None:
    """The outline of a message's body; ``None`` if it may have parts."""
    raw = tuple(map(fields.raw.get, _BODY_FIELDS))
    if sum([len(value) for value in raw if value]) > _MAX_CACHED:
        return _make_outline(raw)
    return _cached_outline(raw)


def _make_outline(raw: tuple[bytes | None, ...]) -> _Outline | None:
    header = b"\n".join([
        name + b":" + unfold(value)
        for name, value in zip(_BODY_FIELDS, raw, strict=True) if value is not None
    ])
    fields = Fields(header)
    kind, subtype, parameters, encoding = read_media(fields)
    if kind in _COMPOSITE:
        return None
    charset = charset_of(kind, parameters).encode()
    start, end = _frame(kind, subtype, parameters, encoding, fields)
    media = DUMPED_MEDIA % (kind, subtype, charset, encoding)
    return _Outline(start, end, media, kind == b"text")


_cached_outline = lru_cache(maxsize=1024)(_make_outline)


def _frame(
    kind: bytes, subtype: bytes, parameters: Parameters, encoding: bytes, fields: Fields
) -> tuple[bytes, bytes]:
    """The description of a part before its size, and behind size and lines."""
    if kind == b"text" and not raw_parameter(parameters, b"charset"):
        # RFC 2046, section 4.1.2.
        parameters += ((b"charset", b"us-ascii"),)
    start = b"(%b %b %b %b %b %b" % (
        _string(kind),
        _string(subtype),
        _parameters(parameters),
        _nstring(fields.first(b"content-id")),
        _nstring(fields.first(b"content-description")),
        _string(encoding),
    )
    md5 = _nstring(fields.first(b"content-md5"))
    return start, b" %b %b)" % (md5, _extension(fields))


class _Description:
    """BODYSTRUCTURE and BODY, written from the innermost part out."""

    def __init__(self) -> None:
        self._addresses_left = MAX_INNER_ADDRESSES
        self._envelopes: dict[int, bytes] = {}
        self._described: dict[int, tuple[bytes, bytes]] = {}

    def describe(self, message: Part) -> tuple[bytes, bytes]:
        """BODYSTRUCTURE and BODY of a message of :func:`mailhub.mail.mime.parse`."""
        if not message.parts:
            return self._describe_single(message)
        parts = list(message.walk())
        for part in parts:
            if part.message is not None:
                self._envelopes[id(part)] = self._inner_envelope(part.message)
        for part in reversed(parts):
            self._described[id(part)] = (
                self._describe_multipart(part) if part.type == b"multipart"
                else self._describe_single(part)
            )
        return self._described[id(message)]

    def _describe_multipart(self, part: Part) -> tuple[bytes, bytes]:
        inside = [self._described.pop(id(child)) for child in part.parts]
        structures = b"".join([structure for structure, _ in inside])
        bodies = b"".join([body for _, body in inside])
        subtype = _string(part.subtype)
        parameters = _parameters(part.parameters)
        extension = _extension(part.fields or _NO_FIELDS)
        return (
            b"(%b %b %b %b)" % (structures, subtype, parameters, extension),
            b"(%b %b)" % (bodies, subtype),
        )

    def _describe_single(self, part: Part) -> tuple[bytes, bytes]:
        start, end = _frame(
            part.type, part.subtype, part.parameters, part.encoding,
            part.fields or _NO_FIELDS,
        )
        start += b" %d" % (part.stop - part.body_start)
        if part.type == b"text":
            start += b" %d" % part.lines
        inner = part.message
        if inner is None:
            return start + end, start + b")"
        structure, body = self._described.pop(id(inner))
        envelope = self._envelopes[id(part)]
        return (
            b"%b %b %b %d%b" % (start, envelope, structure, part.lines, end),
            b"%b %b %b %d)" % (start, envelope, body, part.lines),
        )

    def _inner_envelope(self, message: Part) -> bytes:
        fields = message.fields or _NO_FIELDS
        for name in _ADDRESS_FIELDS:
            self._addresses_left -= len(fields.joined(name))
        if self._addresses_left < 0:
            fields = _NO_FIELDS
        return _envelope(fields, fields.first(b"date"))


def _extension(fields: Fields) -> bytes:
    """Disposition, language and location: body-fld-dsp, -lang, -loc."""
    disposition = fields.first(b"content-disposition")
    if disposition:
        kind, parameters = parse_parameters(disposition)
        shown = b"(%b %b)" % (_string(kind), _parameters(parameters))
    else:
        shown = b"NIL"
    languages = _LANGUAGES.findall(fields.first(b"content-language") or b"")
    if len(languages) > 1:
        language = b"(%b)" % b" ".join(map(_string, languages))
    else:
        language = _string(languages[0]) if languages else b"NIL"
    location = _nstring(fields.first(b"content-location"))
    return b"%b %b %b" % (shown, language, location)


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join(
        [b"%b %b" % (_string(name), _string(value)) for name, value in parameters]
    )


def _envelope(fields: Fields, date: bytes | None) -> bytes:
    """An envelope: Sender and Reply-To are From where they are absent or empty."""
    raw = fields.raw
    author, sender, reply_to, to, cc, bcc = [
        _addresses(fields.joined(name)) if name in raw else b"NIL"
        for name in _ADDRESS_FIELDS
    ]
    written, subject, in_reply_to, message_id = [
        _nstring(value) for value in (date, *map(fields.first, _TEXT_FIELDS))
    ]
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        written,
        subject,
        author,
        author if sender == b"NIL" else sender,
        author if reply_to == b"NIL" else reply_to,
        to,
        cc,
        bcc,
        in_reply_to,
        message_id,
    )


def _addresses(value: bytes) -> bytes:
    """The value of an address field as a list of addresses, or NIL."""
    if not value:
        return b"NIL"
    return _write_addresses(value) if len(value) > _MAX_CACHED else _cached(value)


def _write_addresses(value: bytes) -> bytes:
    shown = b"".join(map(_address, parse_address_list(value)))
    return b"(%b)" % shown if shown else b"NIL"


_cached = lru_cache(maxsize=2048)(_write_addresses)


def _address(listed: Listed) -> bytes:
    match listed:
        case Mailbox(name, route, local, domain):
            # NIL for a host would mean a group; what is missing is empty.
            return b"(%b %b %b %b)" % (
                _string(name) if name else b"NIL",
                _string(route) if route else b"NIL",
                _string(local),
                _string(domain),
            )
        case GroupStart(name):
            return b"(NIL NIL %b NIL)" % _string(name)
        case GroupEnd():
            return b"(NIL NIL NIL NIL)"


def _nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else _string(value)


def _string(value: bytes) -> bytes:
    """A quoted string where it may be one, else a literal (RFC 3501, 4.3).

    NUL, which neither can hold, is left out.
    """
    if not value.translate(None, _QUOTABLE) and len(value) <= MAX_QUOTED:
        return b'"%b"' % value
    if len(value) <= MAX_QUOTED and not _NOT_IN_QUOTES.search(value):
        return b'"%b"' % _TO_ESCAPE.sub(rb"\\\1", value)
    value = value.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(value), value)
