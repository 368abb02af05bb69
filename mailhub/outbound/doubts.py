"""Which servers could not be reached lately.

A domain whose best server is down would have each message wait for that one first, as
long as a connection may take, although another takes it at once.
"""

from __future__ import annotations

from collections.abc import Callable

from .places import Place

#: Seconds that a server which could not be reached is asked after the others.
LENGTH = 60.0
#: Servers that are remembered.
MOST = 10_000

_Server = tuple[str, int]


class Doubts:
    """Servers by address and port, whichever domains they are for.

    :param now: the time, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: dict[_Server, float] = {}

    def add(self, place: Place) -> None:
        """*place* could not be reached."""
        server = place.address, place.port
        self._until.pop(server, None)
        if len(self._until) >= MOST:
            del self._until[next(iter(self._until))]
        self._until[server] = self._now() + LENGTH

    def end(self, place: Place) -> None:
        """*place* could."""
        self._until.pop((place.address, place.port), None)

    def is_about(self, place: Place) -> bool:
        """Whether *place* is better asked after others."""
        until = self._until.get((place.address, place.port))
        return until is not None and until > self._now()
