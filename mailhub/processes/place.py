"""A worker's place: whoever serves in it, and who comes after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..config.listening import Bound
from .member import Member, State

#: Seconds before a worker that died young is replaced, doubled up to the most.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


class Place:
    """One of the places that workers take, one after the other.

    A worker that died is replaced at once, but those that die young less and less
    often.  One that serves may get a successor, which takes over when it is ready.

    :param hire: makes a member for a slot that listens on some sockets.
    :ivar sockets: what the next worker here listens on.
    :ivar now: who serves, or is about to, or has died.
    :ivar next: the successor, while it starts.
    :ivar restarts: how many have taken over so far.
    """

    def __init__(
        self,
        slot: int,
        sockets: Sequence[Bound],
        hire: Callable[[int, Sequence[Bound]], Member],
    ) -> None:
        self.slot = slot
        self.sockets = sockets
        self.restarts = 0
        self._hire = hire
        self._pause = 0.0
        self.now = hire(slot, sockets)
        self.next: Member | None = None

    def members(self) -> list[Member]:
        """All who have to do with it."""
        return [self.now] if self.next is None else [self.now, self.next]

    def fill(self) -> None:
        """Begin anew, after who was here has died."""
        self.restarts += 1
        self.now = self._hire(self.slot, self.sockets)
        self.now.start()

    def follow(self) -> Member:
        """Start a successor.  -> it"""
        self.next = successor = self._hire(self.slot, self.sockets)
        successor.start()
        return successor

    def hand_over(self) -> Member:
        """Let the successor be the one who serves.  -> who has served"""
        assert self.next is not None
        before, self.now, self.next = self.now, self.next, None
        self.restarts += 1
        return before

    def pause(self, lived: float) -> float:
        """Seconds until the next worker may start.

        :param lived: seconds that the last one has lived.
        """
        if lived > LONGEST_PAUSE or self._pause == 0.0:
            self._pause = FIRST_PAUSE
            return 0.0
        pause = self._pause
        self._pause = min(2 * pause, LONGEST_PAUSE)
        return pause

    @property
    def is_served(self) -> bool:
        """Whether somebody serves here."""
        return self.now.state is State.READY
