"""Password hashes in Dovecot's spelling: ``{SCHEME}hash``.

Everything here takes time and memory on purpose; call it in a thread
(:mod:`mailhub.auth.workers`).  ``.b64`` or ``.hex`` after a scheme's name says
how the hash is written.  A hash without a scheme is one of crypt(3).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..errors import AuthenticationFailed, SyntaxFault
from . import memory_hard
from .identity import canonical_password
from .memory_hard import check_argon2, check_scrypt
from .old_schemes import (
    CRYPT_FORMS,
    check_crypt,
    check_digest,
    check_pbkdf2,
    check_plain,
)

#: Longest stored hash in characters: twice what any scheme here needs.
MAX_STORED = 1024


def hash_password(password: str | bytes) -> str:
    """A ``{SCHEME}`` hash for storing *password*, with a new random salt.

    :raises AuthenticationFailed: no usable password (empty, too long, NUL).
    """
    given = password.encode() if isinstance(password, str) else password
    return memory_hard.make(canonical_password(given))


def verify(stored: str, password: bytes) -> bool:
    """Whether *password* is the one that *stored* was made of.

    :raises SyntaxFault: *stored* is malformed, of an unknown scheme, or asks
        for more work than its scheme's ceilings allow.
    :raises LocalFault: a library that the scheme needs is not installed.
    """
    scheme, data = _parse(stored)
    try:
        secret = canonical_password(password)
    except AuthenticationFailed:
        return False
    # Hashes made elsewhere are of the octets as typed, not of prepared ones.
    return scheme.check(data, secret) or (
        secret != password and scheme.check(data, password)
    )


def needs_rehash(stored: str) -> bool:
    """Whether *stored* is weaker than what :func:`hash_password` makes."""
    return not memory_hard.is_strong(stored)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How a scheme's hashes are written by default, and how they are checked."""

    encoding: str
    check: Callable[[bytes, bytes], bool]


_LABEL = re.compile(r"\{([A-Za-z0-9-]{1,20})(?:\.([A-Za-z0-9]{1,6}))?\}")


def _parse(stored: str) -> tuple[_Scheme, bytes]:
    if len(stored) > MAX_STORED:
        raise SyntaxFault(f"stored hash of {len(stored)} characters")
    label = _LABEL.match(stored)
    name, encoding = (label[1].upper(), label[2]) if label else ("CRYPT", None)
    scheme = _SCHEMES.get(name)
    if scheme is None:
        raise SyntaxFault(f"unknown password scheme {name}")
    decode = _DECODERS.get((encoding or scheme.encoding).lower())
    if decode is None:
        raise SyntaxFault(f"unknown encoding of a password hash: {encoding}")
    text = stored[label.end():] if label else stored
    try:
        return scheme, decode(text.encode())
    except (binascii.Error, UnicodeEncodeError):
        raise SyntaxFault(f"malformed {name} hash") from None


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "text": bytes,
    "b64": partial(base64.b64decode, validate=True),
    "base64": partial(base64.b64decode, validate=True),
    "hex": binascii.unhexlify,
}


def _digest(algorithm: str, *, salted: bool, encoding: str = "b64") -> _Scheme:
    return _Scheme(encoding, partial(check_digest, algorithm, salted))


def _crypt(*forms: str) -> _Scheme:
    return _Scheme("text", partial(check_crypt, forms))


_SCHEMES = {
    "ARGON2ID": _Scheme("text", partial(check_argon2, b"id")),
    "ARGON2I": _Scheme("text", partial(check_argon2, b"i")),
    "SCRYPT": _Scheme("text", check_scrypt),
    "PBKDF2": _Scheme("text", check_pbkdf2),
    "BLF-CRYPT": _crypt("bcrypt"),
    "SHA256-CRYPT": _crypt("sha256"),
    "SHA512-CRYPT": _crypt("sha512"),
    "MD5-CRYPT": _crypt("md5"),
    "DES-CRYPT": _crypt("des"),
    "CRYPT": _crypt(*CRYPT_FORMS),
    "SSHA": _digest("sha1", salted=True),
    "SSHA256": _digest("sha256", salted=True),
    "SSHA512": _digest("sha512", salted=True),
    "SMD5": _digest("md5", salted=True),
    "SHA": _digest("sha1", salted=False),
    "SHA1": _digest("sha1", salted=False),
    "SHA256": _digest("sha256", salted=False),
    "SHA512": _digest("sha512", salted=False),
    "LDAP-MD5": _digest("md5", salted=False),
    "PLAIN-MD5": _digest("md5", salted=False, encoding="hex"),
    "PLAIN": _Scheme("text", check_plain),
    "CLEARTEXT": _Scheme("text", check_plain),
}
