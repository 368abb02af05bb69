"""Time for a queue, whatever somebody does to the machine's clock."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

from twisted.logger import Logger

#: Seconds by which a clock may be corrected without being said to have jumped.
STEP = 30.0
#: Seconds between two processes after which nobody knows whether they have passed, or
#: whether the clock was wrong.
LONGEST_BREAK = 86_400.0
#: Jumps that are remembered (attack: a clock that is set to and fro for ever).
MAX_SLIPS = 1000


class Slip(NamedTuple):
    """Seconds that have not passed for what began between *first* and *last*.

    :ivar is_break: whether they may have passed while no process was running.
    """

    first: float
    last: float
    seconds: float
    is_break: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What a process knows of time when it ends, for the next one.

    :ivar wall: what the machine's clock said; *latest*: the latest time that it has.
    :ivar ahead: jumps ahead that nobody has taken back; *between*: what was paid back
        to who came while the clock was behind.
    :ivar behind: seconds by which the clock has gone back for the time being; it has
        said times from *low* to *high* since.
    """

    wall: float
    latest: float
    ahead: list[Slip]
    between: list[Slip]
    behind: float = 0.0
    low: float = 0.0
    high: float = 0.0


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
        #: Jumps ahead that nobody has taken back, and what came while it was behind.
        self._ahead: list[Slip] = []
        self._between: list[Slip] = []
        self._behind = self._low = self._high = self._latest = 0.0
        self._is_starting = False
        self.jumps = 0

    def now(self) -> float:
        """By which it is decided what is due: it follows jumps ahead, and goes on
        from there when the clock jumps back.
        """
        steady = self._steady()
        offset = self.wall() - steady
        if offset != self._offset:
            if abs(offset - self._offset) > STEP:
                self._jump(steady, offset - self._offset)
                self.jumps += offset > self._furthest
            self._offset = offset
            if offset > self._furthest:
                self._furthest = offset
        return steady + self._furthest

    def is_over(self, deadline: float, since: float, *, breaks: bool = False) -> bool:
        """Whether *deadline* has passed for what began at *since*.

        A jump ahead that happened meanwhile does not count.

        :param breaks: whether a long time without any process counts, which may have
            been a jump as well.
        """
        self.now()
        slip = sum(
            each.seconds
            for each in (*self._ahead, *self._between)
            if each.first <= since <= each.last and not (breaks and each.is_break)
        )
        return self.wall() - slip >= deadline

    def known(self) -> Known:
        """What another process may go on with."""
        latest = max(self.now(), self._latest)
        return Known(
            self.wall(), latest, [*self._ahead], [*self._between], self._behind,
            self._low, self._high,
        )

    def resume(self, known: Known) -> None:
        """Go on with what another process has known, but by the clock as it is."""
        self._ahead, self._between = [*known.ahead], [*known.between]
        self._behind, self._low, self._high = known.behind, known.low, known.high
        self._latest = known.latest
        steady = self._steady()
        passed = self.wall() - known.wall
        if not 0.0 <= passed <= LONGEST_BREAK:
            passed = 0.0
        self._offset = self._furthest = known.wall + passed - steady
        self._is_starting = True
        self.now()
        self._is_starting = False
        self._furthest = self._offset

    def _jump(self, steady: float, jump: float) -> None:
        self.log.warn(
            "the clock has jumped by {seconds:.0f} seconds", seconds=jump
        )
        before = steady + self._offset
        if jump > 0:
            self._go_ahead(before, steady + self._furthest, jump)
        else:
            self._go_back(before, -jump)
        del self._ahead[:-MAX_SLIPS], self._between[:-MAX_SLIPS]

    def _go_ahead(self, before: float, furthest: float, jump: float) -> None:
        paid = min(jump, self._behind)
        self._behind -= paid
        if paid:
            self._high = max(self._high, before)
            self._between.append(Slip(self._low, self._high, paid))
        if jump > paid:
            last = max(before, furthest, self._latest)
            self._ahead.append(Slip(0.0, last, jump - paid, self._is_starting))

    def _go_back(self, before: float, back: float) -> None:
        after = before - back
        while back > 0 and self._ahead:
            last = self._ahead.pop()
            if last.seconds > back:
                self._ahead.append(last._replace(seconds=last.seconds - back))
            back = max(0.0, back - last.seconds)
        if back > 0:
            is_new = not self._behind
            self._low = after if is_new else min(self._low, after)
            self._high = after if is_new else max(self._high, before)
            self._behind += back


class Memory:
    """A file with what the last process has known.

    It is not flushed: whoever finds an old one has a longer break behind it.

    :param path: in a folder that is there when it is written.
    """

    log = Logger()

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self) -> Known | None:
        """What is in it; ``None`` if it is not there, or damaged."""
        try:
            with open(self._path, encoding="ascii") as file:
                found = json.load(file)
            for name in ("ahead", "between"):
                found[name] = [Slip(*each) for each in found[name]]
            return Known(**found)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.log.warn(
                "{path} does not tell of time: {error}", path=self._path, error=error
            )
            return None

    def write(self, known: Known) -> None:
        """Keep *known*, as far as the disk lets us."""
        new = f"{self._path}.new"
        try:
            with open(new, "w", encoding="ascii") as file:
                json.dump(asdict(known), file)
            os.replace(new, self._path)
        except OSError as error:
            self.log.warn("{path} is not kept: {error}", path=self._path, error=error)
