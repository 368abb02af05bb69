"""Values with parameters: Content-Type, Content-Disposition (RFC 2045, 2183, 2231).

Reading gives the parameters as they stand, which IMAP shows to its clients;
:func:`decode_parameters` makes text of them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote_to_bytes

from .charset import decode
from .words import decode_text

#: Parameters of one value that are read (attack: a hundred thousand pieces of
#: one parameter).  No honest message comes near it.
MAX_PARAMETERS = 128
#: Values up to this length are remembered: a few are in nearly all mail.
_MAX_CACHED = 128

#: ``(name in lower case, value without its quotes)``, in order.
Parameters = tuple[tuple[bytes, bytes], ...]

_TOKEN = rb"[^\0- \x7f()<>@,;:\\\"/\[\]?=]"
_PARAMETER = re.compile(
    rb";[ \t\r\n]*+(" + _TOKEN + rb"++)[ \t\r\n]*+=[ \t\r\n]*+"
    rb'(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)|([^;"]*+))',
    re.DOTALL,
)
#: RFC 6838, section 4.2, allows 127 octets for each name.
_TYPE_NAME = rb"([!#$%&'*+.0-9A-Z^_`a-z{|}~-]{1,127})"
_MEDIA_TYPE = re.compile(_TYPE_NAME + rb"/" + _TYPE_NAME)
_QUOTED_PAIR = re.compile(rb"\\(.?)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*+\)")
#: ``name*0*``: piece 0 of ``name``, percent-encoded (RFC 2231, sections 3, 4).
_PIECE_NAME = re.compile(rb"([^*]++)(?:\*(0|[1-9][0-9]{0,2}))?(\*)?")


def parse_parameters(value: bytes) -> tuple[bytes, Parameters]:
    """A value's first word, in lower case and without comments, and parameters.

    :param value: unfolded.
    """
    if len(value) > _MAX_CACHED:
        return _parse(value)
    return _parse_cached(value)


def _parse(value: bytes) -> tuple[bytes, Parameters]:
    word, separator, _ = value.partition(b";")
    if b"(" in word:
        word = _COMMENT.sub(b"", word)
    word = word.strip().lower()
    if not separator:
        return word, ()
    return word, tuple(
        (found[1].lower(), _plain_value(found))
        for found in islice(_PARAMETER.finditer(value), MAX_PARAMETERS)
    )


_parse_cached = lru_cache(maxsize=1024)(_parse)


def _plain_value(found: re.Match[bytes]) -> bytes:
    if found[2] is not None:
        quoted = found[2]
        return _QUOTED_PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
    # Not only a token: file names with blanks come without quotes, too.
    value = found[3].strip()
    return _COMMENT.sub(b"", value).strip() if value.endswith(b")") else value


def parse_media_type(value: bytes) -> tuple[bytes, bytes, Parameters]:
    """Type and subtype, in lower case, and parameters of a Content-Type.

    What makes no sense is ``text/plain`` (RFC 2045, section 5.2), unless it has
    the name of a file.
    """
    word, parameters = parse_parameters(value)
    if found := _MEDIA_TYPE.fullmatch(word):
        return found[1], found[2], parameters
    if any(name == b"name" for name, _ in parameters):
        return b"application", b"octet-stream", parameters
    return b"text", b"plain", ()


def raw_parameter(parameters: Parameters, name: bytes) -> bytes:
    """The first value of *name* as it stands, or ``b""``.

    One that RFC 2231 split or encoded is given whole and decoded.
    """
    is_extended = False
    for other, value in parameters:
        if other == name:
            return value
        is_extended = is_extended or other.startswith(name + b"*")
    if is_extended:
        return decode_parameters(parameters).get(name.decode(), "").encode()
    return b""


def decode_parameters(parameters: Parameters) -> dict[str, str]:
    """The parameters as text: joined and decoded (RFC 2231), by name.

    Of several spellings of one parameter the one in pieces counts first, then
    the encoded one (``name*``), then the first.  Encoded words inside values,
    which RFC 2047 forbids and half the world sends, are decoded, too.
    """
    plain: dict[bytes, str] = {}
    encoded: dict[bytes, str] = {}
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for name, value in parameters:
        found = _PIECE_NAME.fullmatch(name)
        if found is None:
            continue
        base, number, star = found.groups()
        if number is not None:
            pieces.setdefault(base, {}).setdefault(int(number), (value, bool(star)))
        elif star:
            encoded.setdefault(base, _decode_extended(value))
        else:
            plain.setdefault(base, decode_text(value))
    joined = {
        base: _join(numbered) for base, numbered in pieces.items() if 0 in numbered
    }
    return {
        name.decode("latin-1"): text
        for name, text in (plain | encoded | joined).items()
    }


def _join(numbered: dict[int, tuple[bytes, bool]]) -> str:
    """The pieces up to the first that is missing (RFC 2231, section 4.1)."""
    first, is_encoded = numbered[0]
    charset = ""
    if is_encoded:
        charset, first = _split_charset(first)
        first = unquote_to_bytes(first)
    values = [first]
    while (piece := numbered.get(len(values))) is not None:
        value, is_encoded = piece
        values.append(unquote_to_bytes(value) if is_encoded else value)
    data = b"".join(values)
    return decode(data, charset) if charset else decode_text(data)


def _decode_extended(value: bytes) -> str:
    charset, value = _split_charset(value)
    return decode(unquote_to_bytes(value), charset)


def _split_charset(value: bytes) -> tuple[str, bytes]:
    """``charset'language'text``; a text without the quotes has no charset."""
    charset, _, rest = value.partition(b"'")
    _, quote, text = rest.partition(b"'")
    return (charset.decode("latin-1"), text) if quote else ("", value)
