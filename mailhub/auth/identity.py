"""Login names and passwords in their one comparable form (RFC 8265)."""

from __future__ import annotations

import re
import unicodedata

from ..errors import AuthenticationFailed

#: Longest login name in octets: an address (RFC 5321, section 4.5.3.1.3).
MAX_LOGIN = 254
#: Longest password in octets: far above what people use, and cheap to hash
#: (attack: megabytes of password for the hash to chew on).
MAX_PASSWORD = 1024

_PLAIN_NAME = re.compile(rb"[!-~]+")


def canonical_login(name: bytes) -> str:
    """The one spelling of login name *name*: lower case, NFC, narrow.

    A subset of UsernameCaseMapped (RFC 8265, section 3.3): white space and
    control, format, private and unassigned characters are refused, so that no
    name can carry a line end, a NUL or an invisible difference into a look-up.

    :raises AuthenticationFailed: not a name that anybody can have.
    """
    if len(name) > MAX_LOGIN:
        raise AuthenticationFailed(f"login name of {len(name)} octets")
    if _PLAIN_NAME.fullmatch(name):
        return name.decode("ascii").lower()
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise AuthenticationFailed("login name is not UTF-8") from None
    text = unicodedata.normalize("NFC", "".join(map(_narrow, text)).lower())
    if not text or any(unicodedata.category(c)[0] in "CZ" for c in text):
        raise AuthenticationFailed("login name is empty or has control characters")
    if len(text.encode()) > MAX_LOGIN:
        raise AuthenticationFailed("login name is too long in its canonical form")
    return text


def canonical_password(password: bytes) -> bytes:
    """*password* as it is hashed: NFC, any white space as U+0020.

    OpaqueString (RFC 8265, section 4.2), for what is UTF-8; other octets are
    taken as they are, since old clients send other charsets.

    :raises AuthenticationFailed: empty, too long, or with a NUL, at which
        crypt(3) would silently stop reading.
    """
    if not password or len(password) > MAX_PASSWORD or b"\0" in password:
        raise AuthenticationFailed(f"unusable password of {len(password)} octets")
    if password.isascii():
        return password
    try:
        text = password.decode("utf-8")
    except UnicodeDecodeError:
        return password
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    return unicodedata.normalize("NFC", spaced).encode()


def _narrow(character: str) -> str:
    """*character* without its full or half width (RFC 8265, section 3.3.2)."""
    kind, _, code = unicodedata.decomposition(character).partition(" ")
    return chr(int(code, 16)) if kind in ("<wide>", "<narrow>") else character
