"""How attempts end: what becomes of each recipient, made durable in one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..errors import LocalFault, MailError
from ..logbook import Complaints, Logbook
from ..mail.account import Delivery
from ..mail.dsn import Action
from ..mail.queued import (
    Disposal,
    Lease,
    Outcome,
    QueuedMessage,
    Result,
    Settlement,
    Waiting,
)
from .keepers import Begun
from .lanes import Errand, Lane, Lanes
from .notices import Fate, Notices, success
from .schedule import cut_off, ends, late_at, next_attempt, retry_delay, warns
from .steady import QueueTime

#: How often it is tried to make an end durable, where that is a bug of ours.
MAX_FAULTS = 3
#: Seconds until a store that could not write is tried again.
STORE_PAUSE = 5.0
#: Characters of a reply that are kept.
MAX_REPLY = 1000
#: What is put off together is due again within this part of the wait.
SPREAD = 0.1

#: RFC 3463, section 3.5: delivery time expired; RFC 2852, section 4.1.3, wants it to
#: be permanent where that time was the sender's.
EXPIRED = "4.4.7"
CUT_OFF = "5.4.7"


@dataclass(frozen=True, slots=True)
class Try:
    """How an attempt went.

    :ivar results: one for each recipient; ``None``: there is nothing to tell.
    :ivar at: when it was made; ``None``: it was not, for a reason of ours.
    :ivar tells: whether the destination is better known by it.
    :ivar hold: why the message waits for a person from now on, or ``""``.
    :ivar is_fault: whether the server has failed.
    """

    results: Sequence[Result] | None
    at: float | None = None
    tells: bool = False
    hold: str = ""
    is_fault: bool = False


GONE = Try(None)


class Endings:
    """Makes known how attempts ended, whether they were made or not.

    :param queue: ``IQueue``.
    :param random: gives numbers from 0 up to 1.
    :param begun: where it is noted which attempts have begun.
    :ivar concluded: called with each errand of a suspect whose end is known.
    :ivar errands: all that is lent to us.
    :ivar settling: those whose end is not durable yet.
    :ivar stuck: those of them for which the store has failed.
    :ivar counts: recipients by outcome; *held*: those that wait for a person.
    :ivar lost: leases that had passed to others.
    :ivar is_stopping: whether nobody waits for a store that does not work.
    """

    log = Logbook()
    alarm = Logger()

    def __init__(
        self,
        queue: Any,
        clock: Any,
        lanes: Lanes,
        notices: Notices,
        time: QueueTime,
        random: Callable[[], float],
        begun: Begun,
    ) -> None:
        self.concluded: Callable[[Errand], object] = lambda _: None
        self._queue = queue
        self._begun = begun
        self._clock = clock
        self._lanes = lanes
        self._notices = notices
        self._time = time
        self._random = random
        self._complaints = Complaints()
        self.errands: dict[Errand, None] = {}
        self.settling = self.stuck = self.lost = self.held = 0
        self.counts: Counter[Outcome] = Counter()
        self.is_stopping = False

    def put_off(self, lane: Lane, errands: Sequence[Errand]) -> None:
        """What waits for a destination that nobody answers at is not tried."""
        for errand in errands:
            last = lane.last
            if last is None:
                last = Result(Outcome.DEFERRED, "4.4.1", "no answer", reached=False)
            delay = max(0.0, lane.silent_until - self._time.now())
            delay *= 1 + SPREAD * self._random()
            self._finish(errand, Try([last] * len(errand.lease.recipients)), delay)

    def give_back(self, errand: Errand) -> None:
        """Let others send it, or ourselves later."""
        self._finish(errand, None, None)

    def postpone(self, errand: Errand, seconds: float, reason: str) -> None:
        """Let it wait for a reason of ours."""
        result = Result(Outcome.DEFERRED, "4.3.0", reason)
        self._finish(errand, Try([result] * len(errand.lease.recipients)), seconds)

    async def renew(self, errand: Errand) -> None:
        """Keep it for longer, or find out that it is lost."""
        until = self._time.now() + self._lanes.limits.lease
        lease = await self._queue.renew(errand.lease, until)
        if lease is None:
            errand.is_lost = True
        else:
            errand.lease = lease

    def _finish(
        self, errand: Errand, tried: Try | None, delay: float | None
    ) -> None:
        ending = self.conclude(errand, tried, delay)
        Deferred.fromCoroutine(ending).addErrback(self._log_fault)

    def _log_fault(self, failure: Any) -> None:
        self.alarm.failure("a fault in the queue", failure)

    async def conclude(
        self, errand: Errand, tried: Try | None, delay: float | None = None
    ) -> None:
        """Make known what has become of an errand.

        :param tried: ``None``: nothing, as if it had never been lent.
        :param delay: seconds until it is tried again, if that is known already.
        """
        self.settling += 1
        try:
            if tried is None:
                settlements = [as_before(each) for each in errand.lease.recipients]
                await self._settle(errand, settlements, [])
            elif tried.results is not None:
                settlements, fates = self._sort(errand.lease, tried, delay)
                deliveries: list[Delivery] = []
                if fates:
                    deliveries, settlements = await self._notify(
                        errand, settlements, fates
                    )
                failed = {
                    fate.waiting.recipient_id
                    for fate in fates
                    if fate.action is Action.FAILED
                }
                await self._settle(errand, settlements, deliveries, failed)
        finally:
            self.settling -= 1
            self.errands.pop(errand, None)
            self._begun.remove(errand.place)
            errand.place = -1
            if errand.faults:
                self.concluded(errand)

    def _sort(
        self, lease: Lease, tried: Try, delay: float | None
    ) -> tuple[list[Settlement], list[Fate]]:
        """What is to be written, and of what somebody may have to be told."""
        settlements: list[Settlement] = []
        fates: list[Fate] = []
        message, counts = lease.message, self.counts
        for waiting, result in zip(lease.recipients, tried.results or (), strict=True):
            action: Action | None
            if result.outcome is Outcome.DEFERRED:
                settlement, action, result = self._defer(
                    message, waiting, result, tried, delay
                )
                settlements.append(settlement)
            elif result.outcome is Outcome.FAILED:
                settlements.append(Settlement(waiting.recipient_id, Disposal.GONE))
                action = Action.FAILED
            else:
                settlements.append(Settlement(waiting.recipient_id, Disposal.GONE))
                action = success(message, waiting, result, self._time.now())
            if action is not None:
                fates.append(Fate(action, waiting, result, tried.at))
            if tried.at is not None or result.outcome is Outcome.FAILED:
                counts[result.outcome] += 1
                self.log.info(
                    "{queue_id}: {recipient!r} {outcome} ({status}) by {host!r}:"
                    " {reply!r}",
                    queue_id=message.queue_id, recipient=waiting.recipient,
                    outcome=result.outcome.value, status=result.status,
                    host=result.host, reply=result.reply,
                )
        return settlements, fates

    def _defer(
        self,
        message: QueuedMessage,
        waiting: Waiting,
        result: Result,
        tried: Try,
        delay: float | None,
    ) -> tuple[Settlement, Action | None, Result]:
        """Later, or no more; and whether the sender is told that it takes long."""
        number, is_over = waiting.recipient_id, self._time.is_over
        limits, attempts = self._lanes.limits, waiting.attempts
        # Who is answered by the other server has done no harm.
        is_harmless = tried.tells and result.reached
        faults = 0 if is_harmless else waiting.faults + tried.is_fault
        if tried.hold:
            held = Settlement(
                number, Disposal.HELD, status=result.status, reply=result.reply,
                hold=tried.hold, attempted=tried.at is not None, faults=faults,
            )
            self.held += 1
            return held, None, result
        if is_over(ends(message, limits), message.arrived):
            reply = result.reply
            if tried.at is None and waiting.reply:
                reply = waiting.reply
            end = cut_off(message)
            is_cut_off = end is not None and is_over(end, message.arrived)
            status = CUT_OFF if is_cut_off else EXPIRED
            failed = replace(
                result, outcome=Outcome.FAILED, status=status, reply=reply
            )
            return Settlement(number, Disposal.GONE), Action.FAILED, failed
        if tried.at is not None:
            attempts += 1
        if delay is None:
            priority = message.parameters.priority
            delay = retry_delay(attempts, limits, self._random, priority)
        due = next_attempt(message, waiting, self._time.now(), delay, limits)
        moment = warns(message, waiting, limits)
        is_late = moment is not None and is_over(moment, message.arrived)
        later = Settlement(
            number, Disposal.LATER, due, result.status, result.reply[:MAX_REPLY],
            attempted=tried.at is not None, warned=is_late, faults=faults,
        )
        if is_late and moment == late_at(message):
            result = replace(result, status=EXPIRED)
        return later, Action.DELAYED if is_late else None, result

    async def _notify(
        self, errand: Errand, settlements: list[Settlement], fates: list[Fate]
    ) -> tuple[list[Delivery], list[Settlement]]:
        """The notifications; where there can be none now, what failed fails again."""
        message = errand.lease.message
        fates = [fate for fate in fates if self._notices.is_owed(message, fate)]
        if not fates:
            return [], settlements
        content = errand.content
        if errand.place < 0:
            errand.place = self._begun.add(errand.lease.token)
        try:
            if content is None:
                content = await self._queue.open(message.message_id)
            return await self._notices.deliveries(message, fates, content), settlements
        except Exception as error:
            self.alarm.failure(
                "{queue_id}: nobody could be told of {actions}: {error}",
                queue_id=message.queue_id, error=error,
                actions=sorted({fate.action.value for fate in fates}),
            )
        finally:
            if content is not None and content is not errand.content:
                content.close()
        delay = retry_delay(1, self._lanes.limits, self._random)
        again = {
            fate.waiting.recipient_id: Settlement(
                fate.waiting.recipient_id, Disposal.LATER, self._time.now() + delay,
                fate.result.status, fate.result.reply[:MAX_REPLY],
                faults=fate.waiting.faults,
            )
            for fate in fates
            if fate.action in (Action.FAILED, Action.DELAYED)
        }
        return [], [again.get(each.recipient_id, each) for each in settlements]

    async def _settle(
        self,
        errand: Errand,
        settlements: Sequence[Settlement],
        deliveries: Sequence[Delivery],
        failed: Collection[int] = (),
    ) -> None:
        """One commit; as often as it takes, for who forgets would send it again."""
        faults = 0
        while True:
            try:
                kept = await self._queue.settle(errand.lease, settlements, deliveries)
                break
            except LocalFault as error:
                if self._complaints.is_due():
                    self.alarm.error("the queue is not written: {error}", error=error)
                if not await self._pause():
                    return
            except MailError as error:
                faults += 1
                self._undeliverable(errand, error)
                settlements = [hold_failed(each, failed) for each in settlements]
                deliveries = []
                if faults >= MAX_FAULTS:
                    return
            except Exception:
                faults += 1
                self.alarm.failure("a fault in settling {faults}", faults=faults)
                if faults >= MAX_FAULTS or not await self._pause():
                    return
        if not kept:
            self.lost += 1
            self.alarm.warn(
                "{queue_id}: the lease had passed to another, who may send it again",
                queue_id=errand.lease.message.queue_id,
            )

    def _undeliverable(self, errand: Errand, error: MailError) -> None:
        self.alarm.error(
            "{queue_id} is held, as its sender cannot be told of it: {error}",
            queue_id=errand.lease.message.queue_id, error=error,
        )

    async def _pause(self) -> bool:
        """Wait until a store that failed may work again; ``False``: no longer."""
        if self.is_stopping:
            return False
        self.stuck += 1
        try:
            await deferLater(self._clock, STORE_PAUSE)
        finally:
            self.stuck -= 1
        return True


def as_before(waiting: Waiting) -> Settlement:
    """What lets *waiting* be as if it had never been lent."""
    return Settlement(
        waiting.recipient_id, Disposal.LATER, waiting.due, waiting.status,
        waiting.reply, attempted=False, faults=waiting.faults,
    )


def hold_failed(settlement: Settlement, failed: Collection[int]) -> Settlement:
    """Let what failed wait for a person, as nobody can be told of it."""
    if settlement.recipient_id not in failed:
        return settlement
    return replace(
        settlement, disposal=Disposal.HELD,
        hold="its sender could not be told that it failed",
    )
