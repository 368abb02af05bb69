"""The schemes new hashes are made with: Argon2id, and scrypt without it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from functools import cache
from types import ModuleType

from ..errors import LocalFault, SyntaxFault

#: Cost of new hashes.  Argon2id with 19 MiB, two passes and one lane is the
#: least that is generally advised; 20 ms of one core.
ARGON2_MEMORY_KIB = 19 * 1024
ARGON2_PASSES = 2
ARGON2_LANES = 1
#: Without argon2-cffi: scrypt of like strength, 16 MiB and 0.1 s.
SCRYPT_LOG_N = 14
SCRYPT_R = 8
SCRYPT_P = 5
SALT_OCTETS = 16
HASH_OCTETS = 32

# Ceilings of what a stored hash may ask for, each about one second of a core or
# 256 MiB (attack: a stored hash with hostile parameters stops all logins).
MAX_ARGON2_MEMORY_KIB = 256 * 1024
MAX_ARGON2_WORK = 1024 * 1024  # KiB times passes
MAX_ARGON2_LANES = 16
MAX_SCRYPT_MEMORY = 256 * 1024 * 1024
MAX_SCRYPT_WORK = 1 << 22  # N times r times p


class SchemeUnavailable(LocalFault):
    """The stored hash needs a library that is not installed."""


def make(secret: bytes) -> str:
    """A hash with a new random salt, at the costs above."""
    salt, argon2 = os.urandom(SALT_OCTETS), find_argon2()
    if argon2 is None:
        hashed = _scrypt(secret, salt, SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
        return _scrypt_text(salt, hashed)
    text: bytes = argon2.hash_secret(
        secret, salt, ARGON2_PASSES, ARGON2_MEMORY_KIB, ARGON2_LANES, HASH_OCTETS,
        argon2.Type.ID,
    )
    return "{ARGON2ID}" + text.decode()


def unmatchable() -> str:
    """A hash that costs as much as a new one to verify and matches nothing."""
    salt, hashed = os.urandom(SALT_OCTETS), os.urandom(HASH_OCTETS)
    if find_argon2() is None:
        return _scrypt_text(salt, hashed)
    cost = f"m={ARGON2_MEMORY_KIB},t={ARGON2_PASSES},p={ARGON2_LANES}"
    return "{ARGON2ID}$argon2id$v=19$" + f"{cost}${_unpadded(salt)}${_unpadded(hashed)}"


def is_strong(stored: str) -> bool:
    """Whether *stored* is no weaker than what :func:`make` makes."""
    name, _, data = stored.partition("}")
    if find_argon2() is None:
        scheme, form = "{SCRYPT", _SCRYPT
        wanted = (SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
    else:
        scheme, form = "{ARGON2ID", _ARGON2
        wanted = (ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES)
    found = form.fullmatch(data.encode(errors="replace"))
    if name != scheme or found is None:
        return False
    costs = map(int, found.group("cost1", "cost2", "cost3"))
    return all(cost >= want for cost, want in zip(costs, wanted, strict=True))


@cache
def find_argon2() -> ModuleType | None:
    """argon2-cffi, if it is installed."""
    try:
        from argon2 import low_level
    except ImportError:
        return None
    return low_level


_B64_TEXT = rb"[A-Za-z0-9+/]{8,172}"
_ARGON2 = re.compile(
    rb"\$argon2(?P<kind>id?)\$v=19"
    rb"\$m=(?P<cost1>[0-9]{1,8}),t=(?P<cost2>[0-9]{1,8}),p=(?P<cost3>[0-9]{1,4})"
    rb"\$" + _B64_TEXT + rb"\$" + _B64_TEXT
)


def check_argon2(kind: bytes, data: bytes, password: bytes) -> bool:
    """Argon2id (*kind* ``id``) or Argon2i (``i``), in the reference's spelling."""
    found = _ARGON2.fullmatch(data)
    if found is None or found["kind"] != kind:
        raise SyntaxFault("malformed Argon2 hash")
    memory, passes, lanes = map(int, found.group("cost1", "cost2", "cost3"))
    if (
        memory > MAX_ARGON2_MEMORY_KIB
        or memory * passes > MAX_ARGON2_WORK
        or lanes > MAX_ARGON2_LANES
    ):
        raise SyntaxFault("Argon2 hash asks for too much work")
    argon2 = find_argon2()
    if argon2 is None:
        raise SchemeUnavailable("Argon2 hashes need the package argon2-cffi")
    type_ = argon2.Type.ID if kind == b"id" else argon2.Type.I
    from argon2.exceptions import VerificationError, VerifyMismatchError

    try:
        return bool(argon2.verify_secret(data, password, type_))
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        raise SyntaxFault(f"unusable Argon2 hash: {error}") from None


_SCRYPT = re.compile(
    rb"\$scrypt"
    rb"\$ln=(?P<cost1>[0-9]{1,2}),r=(?P<cost2>[0-9]{1,3}),p=(?P<cost3>[0-9]{1,3})"
    rb"\$(?P<salt>" + _B64_TEXT + rb")\$(?P<hash>" + _B64_TEXT + rb")"
)


def check_scrypt(data: bytes, password: bytes) -> bool:
    """Ours: ``$scrypt$ln=N,r=N,p=N$salt$hash``, base64 without padding."""
    found = _SCRYPT.fullmatch(data)
    if found is None:
        raise SyntaxFault("malformed scrypt hash")
    log_n, r, p = map(int, found.group("cost1", "cost2", "cost3"))
    if not (0 < log_n < 32 and r and p):
        raise SyntaxFault("scrypt hash with impossible costs")
    if (128 * r << log_n) > MAX_SCRYPT_MEMORY or (r * p << log_n) > MAX_SCRYPT_WORK:
        raise SyntaxFault("scrypt hash asks for too much work")
    salt, hashed = map(_padded, found.group("salt", "hash"))
    made = _scrypt(password, salt, log_n, r, p, len(hashed))
    return hmac.compare_digest(made, hashed)


def _scrypt(
    password: bytes, salt: bytes, log_n: int, r: int, p: int, length: int = HASH_OCTETS
) -> bytes:
    memory = 128 * r * ((1 << log_n) + p + 2) + 1024
    return hashlib.scrypt(
        password, salt=salt, n=1 << log_n, r=r, p=p, maxmem=memory, dklen=length
    )


def _scrypt_text(salt: bytes, hashed: bytes) -> str:
    cost = f"ln={SCRYPT_LOG_N},r={SCRYPT_R},p={SCRYPT_P}"
    return "{SCRYPT}$scrypt$" + f"{cost}${_unpadded(salt)}${_unpadded(hashed)}"


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


def _padded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise SyntaxFault("malformed scrypt hash") from None
