"""Which messages no session has been told of yet (RFC 3501, section 2.3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .change import Change, Key

#: Seconds after which claims are written down.  What a crash loses of them makes
#: some messages recent once more, which is harmless.
_LAZY = 5.0


class Recents:
    """Claims of recent messages: in memory at once, in the database later.

    :param write: makes a change.
    :param clock: provides ``callLater``.
    """

    def __init__(
        self, write: Callable[[Callable[[Change], None]], Any], clock: Any
    ) -> None:
        self._write = write
        self._clock = clock
        self._claimed: dict[Key, int] = {}
        self._call: Any = None

    def claimed(self, key: Key) -> int:
        """Messages below this UID are not recent, as far as is known here."""
        return self._claimed.get(key, 0)

    def claim(self, key: Key, uidnext: int) -> None:
        """From now on messages below *uidnext* are not recent."""
        self._claimed[key] = uidnext
        if self._call is None:
            self._call = self._clock.callLater(_LAZY, self._write_down)

    def stop(self) -> None:
        """Write down what has been claimed; nothing is claimed after this."""
        if self._call is not None:
            self._call.cancel()
            self._write_down()

    def _write_down(self) -> None:
        self._call = None
        claims = dict(self._claimed)

        def forget(_: object) -> None:
            for key, uidnext in claims.items():
                if self._claimed.get(key) == uidnext:
                    del self._claimed[key]

        # A fault keeps them in memory; the next claim tries again.
        self._write(lambda change: _note(change, claims)).addCallbacks(
            forget, lambda _: None
        )


def _note(change: Change, claims: dict[Key, int]) -> None:
    change.connection.executemany(
        "update mailbox set recent_from = max(recent_from, ?) where account_id = ?"
        " and mailbox_id = ?",
        [(uidnext, *key) for key, uidnext in claims.items()],
    )
