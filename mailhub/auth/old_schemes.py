"""Schemes that are read for those who come from elsewhere, never written.

At a user's next login the store's own checker replaces such a hash.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re

from ..errors import SyntaxFault
from .libcrypt import crypt

# Ceilings of what a stored hash may ask for: about one second of a core.
MAX_PBKDF2_ROUNDS = 4_000_000
MAX_CRYPT_ROUNDS = 1_000_000
MAX_BCRYPT_COST = 14
#: Longest password in octets that every libcrypt reads.
MAX_CRYPT_PASSWORD = 511

_PBKDF2 = re.compile(rb"\$1\$([^$]{1,64})\$([0-9]{1,7})\$([0-9a-fA-F]{40})")


def check_pbkdf2(data: bytes, password: bytes) -> bool:
    """Dovecot's: HMAC-SHA-1, the salt as it is written, the hash in hex."""
    found = _PBKDF2.fullmatch(data)
    if found is None:
        raise SyntaxFault("malformed PBKDF2 hash")
    salt, rounds, hashed = found.groups()
    if not 0 < int(rounds) <= MAX_PBKDF2_ROUNDS:
        raise SyntaxFault("PBKDF2 hash asks for too much work")
    made = hashlib.pbkdf2_hmac("sha1", password, salt, int(rounds))
    return hmac.compare_digest(made, binascii.unhexlify(hashed))


def check_digest(algorithm: str, salted: bool, data: bytes, password: bytes) -> bool:
    """``digest(password + salt) + salt``, or a digest alone."""
    digest = hashlib.new(algorithm, password, usedforsecurity=False)
    size = digest.digest_size
    if len(data) < size or (len(data) > size) is not salted:
        raise SyntaxFault(f"{algorithm} hash of {len(data)} octets")
    digest.update(data[size:])
    return hmac.compare_digest(digest.digest(), data[:size])


def check_plain(data: bytes, password: bytes) -> bool:
    """The password itself."""
    return hmac.compare_digest(data, password)


_SALT_AND = rb"\$[^$:\s]{0,16}\$[./0-9A-Za-z]"
_ROUNDS = rb"(?:\$rounds=(?P<rounds>[0-9]{1,9}))?"
#: What a hash of each method of crypt(3) looks like.
CRYPT_FORMS = {
    "des": re.compile(rb"[./0-9A-Za-z]{13}"),
    "md5": re.compile(rb"\$1" + _SALT_AND + rb"{22}"),
    "sha256": re.compile(rb"\$5" + _ROUNDS + _SALT_AND + rb"{43}"),
    "sha512": re.compile(rb"\$6" + _ROUNDS + _SALT_AND + rb"{86}"),
    "bcrypt": re.compile(rb"\$2[aby]\$(?P<cost>[0-9]{2})\$[./0-9A-Za-z]{53}"),
    # yescrypt as shadow(5) has it: block size 8 or 32, up to 256 MiB.
    "yescrypt": re.compile(
        rb"\$y\$j[./0-9A-D][5T]\$[./0-9A-Za-z]{0,86}\$[./0-9A-Za-z]{43}"
    ),
}


def check_crypt(forms: tuple[str, ...], data: bytes, password: bytes) -> bool:
    """crypt(3) with one of the methods named in *forms*."""
    found = next(filter(None, (CRYPT_FORMS[f].fullmatch(data) for f in forms)), None)
    if found is None:
        raise SyntaxFault("malformed crypt hash")
    asked = found.groupdict()
    if int(asked.get("rounds") or 0) > MAX_CRYPT_ROUNDS:
        raise SyntaxFault("crypt hash asks for too many rounds")
    if int(asked.get("cost") or 0) > MAX_BCRYPT_COST:
        raise SyntaxFault("bcrypt hash asks for too high a cost")
    if len(password) > MAX_CRYPT_PASSWORD or b"\0" in password:
        return False
    made = crypt(password, data)
    if made is None:
        raise SyntaxFault("crypt hash that this system does not know")
    return hmac.compare_digest(made, data)
