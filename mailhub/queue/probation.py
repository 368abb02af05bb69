"""Mail that was under way when the server failed: who among it is to blame?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .lanes import Errand

#: A message that makes the server fail so often is held (attack: poison message).
MAX_FAULTS = 3
#: From so many on nobody else who is suspected is under way at the same time.
ALONE = 2
#: Those who are suspected for the first time and are under way at the same time: few
#: enough to be tried one by one if the server fails again.
TOGETHER = 20
#: Those who wait in memory.
MAX_WAITING = 1000


class Probation:
    """Lets suspects go a few at a time, those who are suspected again one by one.

    Whoever ends the process with ``kill -9`` makes suspects of all that is under way.
    They are sent at once when the server is back, but so that the next failure leaves
    fewer; who is answered by the other server is none any more.

    :param go: called with an errand that may go now.
    """

    def __init__(self, go: Callable[[Errand], object]) -> None:
        self._go = go
        self._waiting: deque[Errand] = deque()
        self._away: set[Errand] = set()
        self._is_going = False

    def add(self, errand: Errand) -> bool:
        """Let *errand* go when it is its turn.  -> ``False``: too many wait"""
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(errand)
        self._next()
        return True

    def end(self, errand: Errand) -> None:
        """*errand* has ended, and that is durable."""
        self._away.discard(errand)
        self._next()

    def empty(self) -> list[Errand]:
        """Take away those who wait."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _next(self) -> None:
        if self._is_going:
            return
        self._is_going = True
        try:
            while self._waiting and self._has_room(self._waiting[0]):
                errand = self._waiting.popleft()
                self._away.add(errand)
                self._go(errand)
        finally:
            self._is_going = False

    def _has_room(self, errand: Errand) -> bool:
        if errand.faults >= ALONE:
            return not self._away
        if len(self._away) >= TOGETHER:
            return False
        return all(each.faults < ALONE for each in self._away)
