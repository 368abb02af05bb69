"""Who is next: the destinations of a queue, and how much each gets at once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..mail.queue_limits import QueueLimits
from ..mail.queued import Lease, Result
from ..store.queueing import origin_of
from .turns import ByTurns

#: Seconds at most between two attempts to reach a destination that did not answer.
LONGEST_SILENCE = 1800.0
#: Destinations that are remembered when nothing is done for them (attack: a mailing to
#: a million domains).
MAX_KNOWN = 10_000
#: Of all attempts at a time, the parts up to which there may be attempts at
#: destinations that have not answered lately: for one that was never tried, for one
#: that did answer once, for another attempt at the same, and for one that could not be
#: reached when it was tried.  The dead must not take the place of the living.
FIRST_PART, KNOWN_PART, MORE_PART, PROBE_PART = 0.75, 0.9, 0.25, 0.25
#: Seconds for which an answer proves that there will be more: while nothing is under
#: way, and while something is.
PROOF, DOUBT = 20.0, 5.0
#: Seconds for a destination to answer for the first time, before it is left at the
#: attempts that are under way.
HESITATION = 0.5
#: What is wanted beyond what can begin at once, so that nobody waits for a commit.
AHEAD = 2
#: Seconds without an answer after which one who is proven has places like the others.
CONCERN = 1.0
#: Seconds between two counts of these places.
COUNT_EVERY = 0.25
#: The part that is left free for mail that is more urgent than usual (RFC 6710).
URGENT_PART = 0.05


@dataclass(slots=True, eq=False)
class Errand:
    """A lease on its way through the scheduler.

    :ivar content: an ``IContent``, or ``None``: it is only in the queue.
    :ivar is_fast: whether it was handed over by who has put it into the queue.
    :ivar running: the ``Deferred`` of the attempt, once that has begun.
    :ivar is_over: whether it is known how that went.
    :ivar is_lost: whether the lease has passed to another.
    :ivar place: where it is noted that it has begun, -1 if it is not.
    :ivar faults: how often in a row it has made the server fail, as far as is known.
    """

    lease: Lease
    content: Any
    is_fast: bool
    began: float = 0.0
    running: Any = None
    is_over: bool = False
    is_lost: bool = False
    place: int = -1
    faults: int = field(init=False)

    def __post_init__(self) -> None:
        self.faults = max(
            [each.faults for each in self.lease.recipients], default=0
        )

    @property
    def origin(self) -> str:
        """Whom it counts for where senders take turns."""
        message = self.lease.message
        return origin_of(message.user, message.sender)

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before others: also if others wait for how it ends."""
        return self.faults > 0 or self.lease.message.parameters.priority > 0


@dataclass(slots=True, eq=False)
class Lane:
    """A destination, as far as it is known here.

    :ivar width: attempts at the same time.
    :ivar slow: errands that wait here and were asked for.
    :ivar answered: when it was reached for the last time.
    :ivar is_proven: whether that was not long ago when this round of attempts began.
    :ivar tried: when attempts began after there were none.
    :ivar failures: how often in a row it was not reached.
    :ivar silent_until: nobody tries it before.
    :ivar last: how the last attempt went that did not reach it.
    :ivar turn: number of the round in which it was given something.
    :ivar next_start: the next attempt is not before, where there is a rate.
    """

    destination: str
    width: float
    active: int = 0
    slow: int = 0
    urgent: ByTurns[Errand] = field(default_factory=ByTurns)
    usual: ByTurns[Errand] = field(default_factory=ByTurns)
    answered: float = float("-inf")
    is_proven: bool = False
    tried: float = 0.0
    failures: int = 0
    silent_until: float = 0.0
    last: Result | None = None
    turn: int = 0
    next_start: float = 0.0
    is_listed: bool = False

    @property
    def waiting(self) -> int:
        return len(self.urgent) + len(self.usual)

    @property
    def is_silent(self) -> bool:
        """Whether it could not be reached at all when it was tried last."""
        return self.failures > 0

    @property
    def is_unproven(self) -> bool:
        """Whether it may well be dead."""
        return not self.is_proven or self.failures > 0

    def look(self, now: float) -> None:
        """Believe no longer in an answer of long ago."""
        if not self.active and self.answered < now - PROOF:
            self.is_proven = False

    def is_quiet(self, now: float) -> bool:
        """Whether nobody may try it now."""
        return self.failures > 0 and now < self.silent_until

    @property
    def heard(self) -> float:
        """Since when it has not answered, while something is under way."""
        return max(self.tried, self.answered)

    def is_stuck(self, now: float) -> bool:
        """Whether it has not answered for so long that what is under way has to do."""
        patience = HESITATION if self.is_unproven else DOUBT
        return self.active > 0 and now - self.heard > patience

    def free_turns(self, now: float) -> int:
        """How many attempts could begin."""
        if self.failures:
            return 1 if now >= self.silent_until and not self.active else 0
        if self.is_stuck(now):
            return 0
        return max(0, int(self.width) - self.active)


class Lanes:
    """All destinations that something is done for, and whose turn it is.

    :ivar active: attempts that are under way.
    :ivar fast: errands that wait which were handed over; *slow*: those asked for.
    :ivar paced: destinations whose rate lets nothing begin now.
    """

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self.known: dict[str, Lane] = {}
        self.active = self.fast = self.slow = 0
        self._unproven = self._urgent = 0
        #: Those whose turn it is, and those that have not answered and are too many.
        self._kept_out: deque[Lane] = deque()
        self._listed: deque[Lane] = deque()
        self.paced: dict[Lane, None] = {}
        self._busy: dict[Lane, None] = {}
        self._unheard, self._count_again = 0, float("-inf")

    def lane(self, destination: str) -> Lane:
        lane = self.known.get(destination)
        if lane is None:
            width = min(self.limits.first_sends, self.limits.sends_per_destination)
            lane = self.known[destination] = Lane(destination, float(width))
        return lane

    def use(self, limits: QueueLimits) -> None:
        """Go on with other limits."""
        self.limits = limits
        for lane in self.known.values():
            lane.width = min(lane.width, limits.sends_per_destination)
            self.enlist(lane)

    @property
    def silent(self) -> int:
        """Destinations that could not be reached."""
        return sum(1 for lane in self.known.values() if lane.failures)

    def add(self, errand: Errand) -> Lane:
        """Let *errand* wait for its turn."""
        lane = self.lane(errand.lease.destination)
        waiting = lane.urgent if errand.is_urgent else lane.usual
        waiting.append(errand.origin, errand)
        self._count(lane, errand, 1)
        self.enlist(lane)
        return lane

    def enlist(self, lane: Lane) -> None:
        """Let *lane* have its turn again."""
        if not lane.is_listed and (lane.urgent or lane.usual):
            lane.is_listed = True
            self._listed.append(lane)

    def next(self, now: float) -> Errand | None:
        """Whose turn it is: that errand is under way from now on."""
        sends = self.limits.sends
        if self.active >= sends:
            return None
        is_crowded = self.active >= sends - int(sends * URGENT_PART)
        if is_crowded and not self._urgent:
            return None
        if self._kept_out:
            self._doubtful(now)
        is_scarce = self.active >= sends * FIRST_PART
        for _ in range(len(self._listed)):
            lane = self._listed.popleft()
            lane.is_listed = False
            if not lane.waiting:
                continue  # it had to give way
            lane.look(now)
            if lane.next_start > now:
                self.paced[lane] = None
            elif not lane.free_turns(now):
                continue  # enlisted again when one ends
            elif lane.is_unproven and self._doubtful(now) >= sends * _part(lane):
                lane.is_listed = True
                self._kept_out.append(lane)
            elif is_scarce and lane.active and lane.answered < now - HESITATION:
                continue  # likewise
            elif is_crowded and not lane.urgent:
                self.enlist(lane)
            else:
                return self._start(lane, now)
        return None

    def _doubtful(self, now: float) -> int:
        """Places of those who may well be dead, or have become as quiet as the dead."""
        if now >= self._count_again:
            before, self._count_again = self._unheard, now + COUNT_EVERY
            self._unheard = sum(
                lane.active
                for lane in self._busy
                if not lane.is_unproven and lane.heard < now - CONCERN
            )
            if self._unheard < before:
                self._listed.extend(self._kept_out)
                self._kept_out.clear()
        return self._unproven + self._unheard

    def wanted(self, lane: Lane, now: float, besides: int = 0) -> int:
        """How many errands for *lane* are not too many to wait for their turn here.

        :param besides: attempts at others, which are unproven, that are about to begin.
        """
        lane.look(now)
        if not lane.is_unproven:
            return 0 if lane.is_stuck(now) else int(lane.width) * AHEAD - lane.active
        # What could not begin would only take the room of others.
        sends, unproven = self.limits.sends, self._doubtful(now) + besides
        if unproven >= sends * _part(lane):
            return 0
        # Behind the first one others may be too many.
        first = 0 if lane.active else 1
        more = int(sends * MORE_PART) - unproven
        return min(max(first, more), lane.free_turns(now))

    def give_way(self, now: float) -> list[Errand]:
        """Take away what cannot begin before somebody answers who does not."""
        return [
            errand
            for lane in self.known.values()
            if lane.waiting and self.wanted(lane, now) <= 0
            for errand in self.empty(lane)
        ]

    def resume(self, now: float) -> float | None:
        """Let destinations with a rate go on.  -> when the next of them may"""
        for lane in [lane for lane in self.paced if lane.next_start <= now]:
            del self.paced[lane]
            self.enlist(lane)
        return min((lane.next_start for lane in self.paced), default=None)

    def _start(self, lane: Lane, now: float) -> Errand:
        errand = (lane.urgent or lane.usual).popleft()
        self._count(lane, errand, -1)
        self.enlist(lane)
        errand.began = now
        if not lane.active:
            lane.tried = now
            self._busy[lane] = None
        self.active += 1
        lane.active += 1
        if lane.is_unproven:
            self._unproven += 1
        if self.limits.rate_per_destination:
            gap = 60.0 / self.limits.rate_per_destination
            lane.next_start = max(now, lane.next_start) + gap
        return errand

    def end(
        self, errand: Errand, now: float, failure: Result | None, known: bool
    ) -> Lane:
        """An attempt has ended.

        :param failure: how, if the destination could not be reached at all.
        :param known: whether that tells anything about the destination.
        """
        lane = self.known[errand.lease.destination]
        before = lane.active if lane.is_unproven else 0
        if self._unheard and lane.heard < now - CONCERN:
            self._count_again = now
        self.active -= 1
        lane.active -= 1
        if not lane.active:
            del self._busy[lane]
        if known and failure is None:
            lane.answered, lane.is_proven = now, True
            lane.failures, lane.last = 0, None
            most = self.limits.sends_per_destination
            if lane.width < most:
                lane.width = min(most, lane.width + 1 / int(lane.width))
        elif known:
            lane.width = max(1.0, lane.width / 2)
            # Whoever was answered while this attempt was going on is not dead.
            if lane.answered < errand.began and now >= lane.silent_until:
                lane.failures += 1
                lane.last = failure
                lane.silent_until = now + self._silence(lane.failures)
        self._unproven += (lane.active if lane.is_unproven else 0) - before
        if before and self._kept_out:
            self._listed.extend(self._kept_out)
            self._kept_out.clear()
        self.enlist(lane)
        return lane

    def _silence(self, failures: int) -> float:
        delay = self.limits.first_retry * 2.0 ** min(failures - 1, 20)
        return min(delay, max(LONGEST_SILENCE, self.limits.first_retry))

    def empty(self, lane: Lane) -> list[Errand]:
        """Take away what waits in *lane*."""
        errands = [*lane.urgent, *lane.usual]
        lane.urgent.clear()
        lane.usual.clear()
        for errand in errands:
            self._count(lane, errand, -1)
        return errands

    def forget(self, destination: str | None = None) -> None:
        """Forget that destinations did not answer, or that one did not."""
        lanes = list(self.known.values())
        if destination is not None:
            lanes = [lane for lane in lanes if lane.destination == destination]
        for lane in lanes:
            before = lane.active if lane.is_unproven else 0
            lane.failures, lane.silent_until, lane.last = 0, 0.0, None
            self._unproven += (lane.active if lane.is_unproven else 0) - before
            self.enlist(lane)

    def prune(self, now: float) -> None:
        """Forget destinations that nothing is done for: after a while, or the first
        of too many.
        """
        idle = [
            lane
            for lane in self.known.values()
            if not lane.active and not lane.waiting
        ]
        idle.sort(key=_used)
        too_many = len(self.known) - MAX_KNOWN
        for number, lane in enumerate(idle):
            if number < too_many or now >= _used(lane) + LONGEST_SILENCE:
                self.paced.pop(lane, None)
                del self.known[lane.destination]

    def _count(self, lane: Lane, errand: Errand, change: int) -> None:
        if errand.is_urgent:
            self._urgent += change
        if errand.is_fast:
            self.fast += change
        else:
            self.slow += change
            lane.slow += change


def _used(lane: Lane) -> float:
    """Until when it matters what is known of *lane*."""
    return max(lane.answered, lane.silent_until, lane.next_start)


def _part(lane: Lane) -> float:
    """Up to which part of all attempts one at *lane* may begin."""
    if lane.is_silent:
        return PROBE_PART
    if lane.active:
        return MORE_PART
    return FIRST_PART if lane.answered == float("-inf") else KNOWN_PART
