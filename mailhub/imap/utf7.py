"""Modified UTF-7: mailbox names on the wire (RFC 3501, section 5.1.3).

Only the canonical form is read.  Any other spelling of a name would make two
names of one mailbox, or smuggle ``..``, ``/`` or a line break past a check
(attack: modified UTF-7 tricks).
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from ..errors import SyntaxFault

#: What has to be shifted: all but printable ASCII.
_SHIFTED = re.compile(r"[^\x20-\x7e]+")
_ENCODED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_DIRECT = re.compile(rb"[\x20-\x7e]*\Z")
#: Never in a name, however it is written: controls and Unicode's line ends.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def encode(name: str) -> bytes:
    """*name* in modified UTF-7, printable ASCII only.

    :raises UnicodeEncodeError: a lone surrogate; no mailbox has such a name.
    """
    name = name.replace("&", "&-")
    if not name.isascii() or not name.isprintable():
        name = _SHIFTED.sub(_shift, name)
    return name.encode("ascii")


def _shift(run: re.Match[str]) -> str:
    base64 = b2a_base64(run[0].encode("utf-16-be"), newline=False)
    return "&" + base64.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def decode(data: bytes) -> str:
    """The name that *data* spells.

    :raises SyntaxFault: not modified UTF-7, not its canonical form, or with a
        control character in it.
    """
    if _DIRECT.match(data) is None:
        raise SyntaxFault(f"not printable ASCII in a mailbox name: {data[:64]!r}")
    if b"&" not in data:
        return data.decode("ascii")
    direct = _ENCODED.split(data)
    name = "".join(
        _unshift(piece) if index % 2 else piece.decode("ascii")
        for index, piece in enumerate(direct)
    )
    if _CONTROL.search(name) is not None:
        raise SyntaxFault(f"control character in a mailbox name: {data[:64]!r}")
    if encode(name) != data:
        raise SyntaxFault(f"not canonical modified UTF-7: {data[:64]!r}")
    return name


def _unshift(base64: bytes) -> str:
    if not base64:
        return "&"
    padded = base64.replace(b",", b"/") + b"=" * (-len(base64) % 4)
    try:
        return a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except (Base64Error, UnicodeDecodeError):
        raise SyntaxFault(f"not base64 of UTF-16: {base64[:64]!r}") from None
