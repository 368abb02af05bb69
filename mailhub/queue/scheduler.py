"""The scheduler: sends what is due, as much at a time as each destination takes."""

from __future__ import annotations

import random as chance
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..errors import MailError
from ..mail.account import Delivery
from ..mail.queue_limits import QueueLimits
from ..mail.queue_list import ALL, Alteration, Selection
from ..mail.queued import Lease, Letter
from .attempts import Attempts
from .endings import STORE_PAUSE, Endings
from .figures import Figures, look
from .keepers import Begun, Keepers
from .lanes import LONGEST_SILENCE, Errand, Lane, Lanes
from .notices import Notices
from .probation import ALONE, MAX_FAULTS, Probation
from .steady import Memory, QueueTime
from .supply import Supply

#: Seconds at most between two looks at the queue, whoever has said nothing.
POLL = 60.0
#: Seconds at least between them, while there is something to do anyway.
BREATH = 0.02
#: A lease that has less than this part of its time left is renewed.
FRESH = 0.75
#: Seconds for attempts to end when the server stops, and then for them to be cut off.
GRACE, CUT_OFF = 25.0, 5.0
#: Attempts whose end is not durable yet, before no more are begun at once.
MAX_SETTLING = 1000
#: What is written of mail that waits for that reason.
SUSPECTED = "the server has failed before while it was sent"


class Scheduler:
    """Has mail sent that is in a queue.

    Any number of them may share a queue: what one has a lease of, no other gets.

    :param queue: ``IQueue``.
    :param way_out: ``IWayOut``; whoever made it stops it, after the scheduler.
    :param clock: ``IReactorTime``.
    :param limits: may be replaced while it runs, see :meth:`use`.
    :param dispatch: coroutine function: the ``Delivery`` that brings a ``Letter`` to
        its recipient, with neither targets nor sendings if nobody gets it.
    :param host_name: what the server calls itself in notifications.
    :param keeper: its name in leases, which no other has.
    :param keepers: tells who has died, so that what they had is tried again at once;
        without it their leases have to end first.
    :param memory: tells what the last process has known of time.
    :param now: seconds since the epoch; *steady* only goes forward.
    :param random: gives numbers from 0 up to 1.
    """

    log = Logger()

    def __init__(
        self,
        queue: Any,
        way_out: Any,
        clock: Any,
        limits: QueueLimits,
        dispatch: Callable[[Letter], Awaitable[Delivery]],
        *,
        host_name: str = "localhost",
        keeper: str = "",
        keepers: Keepers | None = None,
        memory: Memory | None = None,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self.keeper = keeper or f"{host_name}-{secrets.token_hex(8)}"
        self.keepers = keepers
        self._memory = memory
        self.time = QueueTime(now, steady)
        self.lanes = Lanes(limits)
        self.notices = Notices(host_name, limits, dispatch, now)
        begun = Begun() if keepers is None else keepers.begun
        self.endings = Endings(
            queue, clock, self.lanes, self.notices, self.time, random, begun
        )
        self._attempts = Attempts(
            queue, way_out, self.lanes, self.endings, self.time, begun,
            self._attempt_ended,
        )
        self._probation = Probation(self._line_up)
        self.endings.concluded = self._suspect_ended
        self.figures = Figures()
        self._supply = Supply(queue, self.lanes, self.time, self.keeper, self._arrived)
        self._is_running = self._is_looking = self._is_starting = False
        self._more = self._again = False
        self._jumps = 0
        self._looked = self._started = float("-inf")
        self._timer: Any = None
        self._tick: Any = None
        self._unwatch: Callable[[], None] = lambda: None

    # For whoever puts mail into the queue.

    @property
    def limits(self) -> QueueLimits:
        return self.lanes.limits

    @property
    def has_room(self) -> bool:
        """Whether more leases would be welcome to :meth:`take`."""
        return (
            self._is_running
            and not self.endings.stuck
            and self.lanes.fast < self.limits.waiting // 2
            and self.endings.settling < MAX_SETTLING
        )

    def kept_until(self) -> float:
        """Until when new mail may be lent to :attr:`keeper`."""
        return self.time.now() + self.limits.lease

    def take(self, leases: Sequence[Lease], content: Any) -> None:
        """Send what has just been put into the queue, and lent to :attr:`keeper`.

        :param content: ``IContent``: all octets, in memory, which nobody has to close;
            or ``None``: the queue has it.
        """
        now = self.time.now()
        for lease in leases:
            self._accept(Errand(lease, content, True), now)
        self._begin_next()

    # For whoever looks after it.

    def start(self) -> None:
        """Begin."""
        self._is_running = True
        known = None if self._memory is None else self._memory.read()
        if known is not None:
            self.time.resume(known)
        self._started = self.time.now()
        self.endings.is_stopping = False
        self._unwatch = self._queue.watch(self._something_is_due)
        self._tick = self._clock.callLater(POLL, self._look_around)
        self._more = True
        # What the dead had is taken over before it is looked for.
        self._is_looking = True
        self._in_background(self._open())

    async def stop(self, grace: float = GRACE) -> None:
        """Let attempts end, give back what has not begun.

        :param grace: seconds for attempts to end by themselves.
        """
        self._is_running = False
        self.endings.is_stopping = True
        self._unwatch()
        for timer in (self._timer, self._tick):
            if timer is not None and timer.active():
                timer.cancel()
        self._timer = self._tick = None
        for errand in self._probation.empty():
            self.endings.give_back(errand)
        for lane in list(self.lanes.known.values()):
            for errand in self.lanes.empty(lane):
                self.endings.give_back(errand)
        if not await self._ended_within(grace):
            for errand in list(self.endings.errands):
                # What is known of the others is still to be written.
                if errand.running is not None and not errand.is_over:
                    errand.running.cancel()
            await self._ended_within(CUT_OFF)
        self._remember()
        if self.keepers is not None:
            self.keepers.leave(is_clean=not self.endings.errands)

    async def flush(self, selection: Selection = ALL) -> int:
        """Try *selection* now, whatever is known about it.  -> how many recipients

        :raises mailhub.errors.LocalFault: the queue does not work now.
        """
        now = self.time.now()
        count: int = await self._queue.alter(selection, Alteration(retry=True), now)
        self.hurry(selection.destination)
        return count

    def hurry(self, destination: str | None = None) -> None:
        """Try what is due, though *destination*, or any, did not answer before."""
        self.lanes.forget(destination)
        self._something_is_due()

    def use(self, limits: QueueLimits) -> None:
        """Go on with other limits."""
        self.lanes.use(limits)
        self.notices.limits = limits
        if self._is_running:
            self._something_is_due()

    # Attempts.

    def _accept(self, errand: Errand, now: float) -> None:
        self.endings.errands[errand] = None
        if not self._is_running:
            self.endings.give_back(errand)
        elif errand.faults:
            self._suspect(errand, now)
        else:
            self._line_up(errand)

    def _suspect(self, errand: Errand, now: float) -> None:
        """The server has failed while it was sent; it may be to blame."""
        pause = self._started + self.limits.first_retry - now
        if errand.faults >= MAX_FAULTS:
            self._attempts.hold(errand)
        elif errand.faults >= ALONE and pause > 0:
            # The server shall live for a while, whoever is to blame.
            self.endings.postpone(errand, pause, SUSPECTED)
        elif not self._probation.add(errand):
            self.endings.postpone(errand, self.limits.first_retry, SUSPECTED)

    def _suspect_ended(self, errand: Errand) -> None:
        self._probation.end(errand)
        self._begin_next()

    def _line_up(self, errand: Errand) -> None:
        lane = self.lanes.add(errand)
        if lane.is_quiet(self.time.now()):
            self.endings.put_off(lane, self.lanes.empty(lane))

    def _arrived(self, destination: str, leases: Sequence[Lease]) -> None:
        now = self.time.now()
        for lease in leases:
            self._accept(Errand(lease, None, False), now)
        self._begin_next()

    def _begin_next(self) -> None:
        """Begin as many attempts as may be under way."""
        if self._is_starting or not self._is_running:
            return
        self._is_starting = True
        try:
            while (errand := self.lanes.next(self.time.now())) is not None:
                self._attempts.begin(errand)
        finally:
            self._is_starting = False
        if self.lanes.paced:
            now = self.time.now()
            moment = self.lanes.resume(now)
            if moment is not None:
                self._look_in(max(BREATH, moment - now))

    def _attempt_ended(self, lane: Lane) -> None:
        if lane.is_silent:
            self._more = True
            if lane.waiting and lane.is_quiet(self.time.now()):
                self.endings.put_off(lane, self.lanes.empty(lane))
        self._begin_next()
        if self._more and not lane.slow:
            self._look_soon()

    # Looking for what is due.

    def _something_is_due(self) -> None:
        self._more = True
        self._look_soon()

    def _look_soon(self) -> None:
        if self._is_looking:
            self._again = True
        elif self._is_running:
            pause = self._looked + BREATH - self.time.now()
            self._look_in(max(0.0, min(pause, BREATH)))

    def _look_in(self, seconds: float) -> None:
        timer = self._timer
        if timer is not None and timer.active():
            if timer.getTime() <= self._clock.seconds() + seconds:
                return
            timer.cancel()
        self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        if not self._is_looking:
            self._in_background(self._round())

    async def _open(self) -> None:
        """Begin by what the dead had."""
        try:
            if self.keepers is not None:
                self._enter(self.keepers)
                await self._inherit(self.keepers)
            await self._hasten()
        finally:
            self._is_looking = False
            self._look_soon()

    async def _hasten(self) -> None:
        """Nothing waits for a time that was a fault of the clock."""
        now, limits = self.time.now(), self.limits
        longest = max(limits.longest_retry, limits.first_retry, LONGEST_SILENCE)
        number = await self._queue.hasten(now + 2 * longest, now)
        if number:
            self.log.warn(
                "{number} recipients waited for a time that is far ahead, and are due",
                number=number,
            )

    def _enter(self, keepers: Keepers) -> None:
        try:
            keepers.enter(self.keeper)
        except OSError as error:
            self.log.error(
                "others do not see that this process lives: {error}", error=error
            )

    async def _inherit(self, keepers: Keepers) -> None:
        """Take over what the dead had."""
        try:
            for name in keepers.dead():
                begun = keepers.begun_by(name)
                number = await self._queue.free(name, begun)
                keepers.forget(name)
                self.log.warn(
                    "{name} has died; {number} recipients that it had are due again",
                    name=name, number=number,
                )  # fmt: skip
        except (MailError, OSError) as error:
            self.log.error(
                "what others had waits for the end of its lease: {error}", error=error
            )

    async def _round(self) -> None:
        self._is_looking, self._again = True, False
        pause = STORE_PAUSE
        try:
            if not self.endings.stuck:
                self._make_room()
                await self._heed_jumps()
                self._more = await self._supply.round()
                pause = await self._next_look()
        except MailError as error:
            self.log.error("the queue cannot be read now: {error}", error=error)
        except Exception:
            self.log.failure("a fault while looking for mail that is due")
        finally:
            self._is_looking, self._looked = False, self.time.now()
        if self._is_running:
            self._begin_next()
            self._look_in(BREATH if self._again else pause)

    async def _heed_jumps(self) -> None:
        """A clock that jumps ahead must not end the leases of what is under way."""
        self.time.now()
        if self._jumps != self.time.jumps:
            await self._renew()
            self._jumps = self.time.jumps
            self._remember()

    def _remember(self) -> None:
        if self._memory is not None:
            self._memory.write(self.time.known())

    def _make_room(self) -> None:
        """Where there is none, put back what cannot begin soon."""
        lanes, half = self.lanes, self.limits.waiting // 2
        if lanes.fast >= half or lanes.slow >= half:
            for errand in lanes.give_way(self.time.now()):
                self._more = True
                self.endings.give_back(errand)

    async def _next_look(self) -> float:
        """Seconds until there is something to do, as far as is known."""
        lanes = self.lanes
        if self._more and not (lanes.active or lanes.slow or lanes.fast):
            return BREATH
        now = self.time.now()
        moments = [await self._queue.next_due(now), self.lanes.resume(now)]
        return min(
            (max(BREATH, moment - now) for moment in moments if moment is not None),
            default=POLL,
        )

    def _look_around(self) -> None:
        """Once a minute: whatever nobody else would notice."""
        self._tick = self._clock.callLater(POLL, self._look_around)
        self.lanes.prune(self.time.now())
        self._remember()
        if self.keepers is not None:
            self._in_background(self._inherit(self.keepers))
        self._in_background(self._renew())
        self._in_background(look(self.figures, self._queue, self.time.now()))
        self._something_is_due()

    async def _renew(self) -> None:
        """Keep what is under way: a long transfer, or a long queue in memory."""
        old = self.time.now() + self.limits.lease * FRESH
        try:
            await gatherResults(
                [
                    Deferred.fromCoroutine(self.endings.renew(errand))
                    for errand in list(self.endings.errands)
                    if errand.lease.until <= old
                ],
                consumeErrors=True,
            )
        except FirstError as error:
            error.subFailure.raiseException()

    # Odds and ends of coroutines.

    def _in_background(self, work: Any) -> None:
        Deferred.fromCoroutine(work).addErrback(self._log_fault)

    def _log_fault(self, failure: Any) -> None:
        if failure.check(MailError):
            self.log.error("the queue does not work: {error}", error=failure.value)
        elif not failure.check(CancelledError):
            self.log.failure("a fault in the queue", failure)

    async def _ended_within(self, seconds: float) -> bool:
        """Wait for all that is lent to us to be given back."""
        step = 0.05
        for _ in range(int(seconds / step)):
            # Who is still being asked for more brings errands that go straight back.
            if not (self.endings.errands or self._is_looking):
                return True
            await deferLater(self._clock, step)
        return not self.endings.errands
