"""Time for a queue, whatever somebody does to the machine's clock."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

#: Seconds by which a clock may be corrected without being said to have jumped.
STEP = 30.0


class QueueTime:
    """Seconds since the epoch, made of a clock that may jump and one that may not.

    A clock that jumps ahead must not send mail back early, and one that jumps back
    must not let it wait for that long again.

    :param wall: the machine's clock, such as :func:`time.time`.
    :param steady: a clock that only goes forward, such as :func:`time.monotonic`.
    :ivar jumps: how often :meth:`now` has gone ahead by a jump.
    """

    log = Logger()

    def __init__(
        self, wall: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        self.wall = wall
        self._steady = steady
        self._offset = self._furthest = wall() - steady()
        #: Jumps ahead that nobody has taken back: up to which time there was mail
        #: before, and how far it went.
        self._ahead: list[tuple[float, float]] = []
        self._behind = 0.0
        self.jumps = 0

    def now(self) -> float:
        """By which it is decided what is due: it follows jumps ahead, and goes on
        from there when the clock jumps back.
        """
        steady = self._steady()
        offset = self.wall() - steady
        if offset != self._offset:
            if abs(offset - self._offset) > STEP:
                self._jump(steady + self._furthest, offset - self._offset)
                self.jumps += offset > self._furthest
            self._offset = offset
            if offset > self._furthest:
                self._furthest = offset
        return steady + self._furthest

    def is_over(self, deadline: float, since: float) -> bool:
        """Whether *deadline* has passed for what began at *since*.

        A jump ahead that happened meanwhile does not count.
        """
        self.now()
        slip = sum(jump for before, jump in self._ahead if since <= before)
        return self.wall() - slip >= deadline

    def _jump(self, before: float, jump: float) -> None:
        self.log.warn(
            "the clock has jumped by {seconds:.0f} seconds", seconds=jump
        )
        if jump > 0:
            paid = min(jump, self._behind)
            self._behind -= paid
            if jump > paid:
                self._ahead.append((before, jump - paid))
            return
        back = -jump
        while back > 0 and self._ahead:
            since, ahead = self._ahead.pop()
            if ahead > back:
                self._ahead.append((since, ahead - back))
            back = max(0.0, back - ahead)
        self._behind += back
