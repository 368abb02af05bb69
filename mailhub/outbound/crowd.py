"""How many talk to one server at the same time.

Many domains have one server, all of them where there is a smarthost; it would turn
away, or hold against us, more connections than a good neighbour makes.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred

from .places import Place

_Server = tuple[str, int]


class Crowd:
    """Lets so many through to each server; others wait for their turn, in order."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: dict[_Server, int] = {}
        self._waiting: dict[_Server, deque[Deferred[None]]] = {}

    async def enter(self, place: Place) -> None:
        """Wait for a turn; :meth:`leave` ends it."""
        server = place.address, place.port
        inside = self._inside.get(server, 0)
        if inside < self._most:
            self._inside[server] = inside + 1
            return
        waiting = self._waiting.setdefault(server, deque())
        turn: Deferred[None] = Deferred(waiting.remove)
        waiting.append(turn)
        await turn

    def leave(self, place: Place) -> None:
        """The turn is over, and the next one's begins."""
        server = place.address, place.port
        waiting = self._waiting.get(server)
        if waiting:
            waiting.popleft().callback(None)
            return
        if waiting is not None:
            del self._waiting[server]
        inside = self._inside[server] - 1
        if inside:
            self._inside[server] = inside
        else:
            del self._inside[server]
