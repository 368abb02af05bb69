"""crypt(3) of the system, called so that threads can hash at the same time.

``ctypes`` gives up the interpreter's lock during the call, and ``crypt_r`` keeps
its state in memory that each call brings along.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache

from ..errors import LocalFault

#: Octets of ``struct crypt_data``: 32 KiB in libxcrypt, 128 KiB in old glibc.
_CRYPT_DATA = 256 * 1024


class CryptUnavailable(LocalFault):
    """This system has no libcrypt, which the stored hash needs."""


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """The hash of *password* with the method and salt of *setting*.

    ``None`` if the system does not know the method, or for a NUL in the
    password, at which C would stop reading.

    :raises CryptUnavailable: there is no libcrypt.
    """
    crypt_r = _find_crypt_r()
    if crypt_r is None:
        raise CryptUnavailable("hashes of crypt(3) need libcrypt (Debian: libcrypt1)")
    if b"\0" in password or b"\0" in setting:
        return None
    hashed = crypt_r(password, setting, ctypes.create_string_buffer(_CRYPT_DATA))
    # Errors are NULL, or a text that no setting can be: "*0" or "*1".
    return None if hashed is None or hashed.startswith(b"*") else hashed


@cache
def _find_crypt_r() -> Callable[..., bytes | None] | None:
    names = ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt"))
    for name in filter(None, names):
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
        function.restype = ctypes.c_char_p
        return function
    return None
