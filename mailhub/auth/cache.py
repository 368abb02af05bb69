"""Logins that just succeeded: their next hash need not be computed."""

from __future__ import annotations

import hmac
import os
from collections import OrderedDict
from typing import Any

#: Seconds that a success stays known: mail clients open several connections at
#: once and poll; long enough for the first, short enough to forget soon.
CACHE_SECONDS = 60.0
#: Successes kept; the oldest go first.
CACHE_SIZE = 10_000


class SuccessCache:
    """Remembers that a password matched a stored hash.

    Kept is an HMAC, with a key that never leaves this process, of identity,
    stored hash and password together.  So a changed hash or another identity
    can never hit (attacks: cached wrong user, password changed meanwhile), and
    no password is in memory.

    :param clock: an ``IReactorTime``.
    """

    def __init__(
        self, clock: Any, *, seconds: float = CACHE_SECONDS, size: int = CACHE_SIZE
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._size = size
        self._key = os.urandom(32)
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def knows(self, identity: str, stored: str, password: bytes) -> bool:
        """Whether this password matched this hash a short time ago."""
        self._forget_old()
        entry = self._entries.get(identity)
        if entry is None:
            return False
        return hmac.compare_digest(entry[0], self._tag(identity, stored, password))

    def remember(self, identity: str, stored: str, password: bytes) -> None:
        """*password* was found to match *stored*.

        :param identity: the full canonical identity, its source included.
        """
        self._forget_old()
        self._entries.pop(identity, None)
        if len(self._entries) >= self._size:
            self._entries.popitem(last=False)
        expires = self._clock.seconds() + self._seconds
        self._entries[identity] = self._tag(identity, stored, password), expires

    def _tag(self, identity: str, stored: str, password: bytes) -> bytes:
        parts = identity.encode(), stored.encode(errors="replace"), password
        framed = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        return hmac.digest(self._key, framed, "sha256")

    def _forget_old(self) -> None:
        """Entries stand in the order in which they expire."""
        now = self._clock.seconds()
        while self._entries:
            identity, (_, expires) = next(iter(self._entries.items()))
            if expires > now:
                break
            del self._entries[identity]
