"""A scheduler on a virtual clock, with a way out that does what a test says."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailhub.interfaces import IContent
from mailhub.mail.account import Delivery
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queue_list import ALL
from mailhub.mail.queued import Lease, Letter, Outcome, Outgoing, Result, Sending
from mailhub.queue.keepers import Keepers
from mailhub.queue.scheduler import Scheduler
from mailhub.queue.steady import Memory
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.memory import MemoryStore

START = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SENDER = "sender@example.org"
MESSAGE = b"Subject: news\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n"

DELIVERED = Result(Outcome.DELIVERED, "2.0.0", "250 2.0.0 ok", "mx.example.net")
FAILED = Result(Outcome.FAILED, "5.1.1", "550 5.1.1 nobody here", "mx.example.net")
DEFERRED = Result(Outcome.DEFERRED, "4.2.0", "450 4.2.0 later", "mx.example.net")
DEAD = Result(Outcome.DEFERRED, "4.4.1", "connection refused", reached=False)


class FakeWay:
    """``IWayOut``: remembers what it is asked to send.

    :ivar answers: by recipient or destination: a ``Result``, an exception to raise,
        or a function of the lease that gives one of these or a ``Deferred``.
    :ivar sent: ``(seconds since the start, recipient)`` of every attempt.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answers: dict[str, object] = {}
        self.default: object = DELIVERED
        self.sent: list[tuple[float, str]] = []
        self.octets: list[bytes] = []
        self.active = self.most_active = 0

    async def send(self, lease: Lease, content: IContent) -> list[Result]:
        now = self._clock.seconds() - START
        self.sent += [(now, each.recipient) for each in lease.recipients]
        self.octets.append(await octets_of(content))
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            return [
                await self._answer(lease, each.recipient) for each in lease.recipients
            ]
        finally:
            self.active -= 1

    async def _answer(self, lease: Lease, recipient: str) -> Result:
        known = self.answers.get(lease.destination, self.default)
        answer = self.answers.get(recipient, known)
        if callable(answer):
            answer = answer(lease)
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Result)
        return answer

    async def stop(self) -> None:
        """Nothing to end."""

    def to(self, recipient: str) -> list[float]:
        """When it was tried to reach *recipient*."""
        return [seconds for seconds, other in self.sent if other == recipient]


class Rig:
    """A queue, its scheduler and the clock of both.

    :ivar letters: notifications; *letters_leave*: whether they go into the queue.
    """

    def __init__(self, limits: QueueLimits | None = None, store: object = None) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.wall_offset = 0.0
        self.store = MemoryStore() if store is None else store
        self.queue = self.store.queue
        self.way = FakeWay(self.clock)
        self.limits = limits or QueueLimits()
        self.letters: list[Letter] = []
        self.dispatch_fault: Exception | None = None
        self.letters_leave = False
        self._names = count(1)
        self.scheduler = self.make()

    def make(
        self,
        keeper: str = "me",
        queue: object = None,
        keepers: Keepers | None = None,
        memory: Memory | None = None,
    ) -> Scheduler:
        """Another scheduler of the same queue."""
        return Scheduler(
            self.queue if queue is None else queue,
            self.way,
            self.clock,
            self.limits,
            self._dispatch,
            host_name="mail.example.org",
            keeper=keeper,
            keepers=keepers,
            memory=memory,
            now=self.wall,
            steady=self.clock.seconds,
            random=lambda: 0.0,
        )

    def wall(self) -> float:
        return self.clock.seconds() + self.wall_offset

    async def _dispatch(self, letter: Letter) -> Delivery:
        if self.dispatch_fault is not None:
            raise self.dispatch_fault
        self.letters.append(letter)
        sendings: tuple[Sending, ...] = ()
        if self.letters_leave:
            now = self.wall()
            outgoing = Outgoing(letter.recipient, letter.recipient.partition("@")[2])
            name = f"L{len(self.letters)}"
            sendings = (
                Sending(
                    name, "", None, letter.parameters, (outgoing,), now, now, now + DAY
                ),
            )
        return Delivery(BytesContent(letter.octets), b"", (), 0, sendings)

    def sending_without_end(
        self, recipient: str, sender: str
    ) -> Callable[[float], None]:
        """-> what lets seconds pass in which more is handed over all the time"""

        def go_on(seconds: float) -> None:
            for _ in range(int(seconds * 10)):
                while self.scheduler.has_room:
                    self.put(recipient, sender=sender, fast=True)
                self.run(0.1)

        return go_on

    def start(self) -> None:
        self.scheduler.start()
        self.run(0.1)

    def put(
        self,
        *recipients: str,
        sender: str = SENDER,
        data: bytes = MESSAGE,
        fast: bool = False,
        due: float | None = None,
        outgoing: tuple[Outgoing, ...] = (),
        **parameters: object,
    ) -> str:
        """A message into the queue.  -> its name"""
        name, now = f"Q{next(self._names)}", self.wall()
        values = MailParameters(**parameters)
        sending = Sending(
            name, sender, None, values,
            tuple(Outgoing(each, each.rpartition("@")[2]) for each in recipients)
            + outgoing,
            arrived=now, due=now if due is None else due,
            expires=self.limits.expiry(sender, values, now),
            keeper=self.scheduler.keeper if fast else None,
            kept_until=self.scheduler.kept_until() if fast else 0.0,
        )
        content = BytesContent(data)
        leases = now_of(
            self.store.deliver(Delivery(content, b"", (), int(now), (sending,)))
        )
        if fast:
            self.scheduler.take(leases, content)
        return name

    def run(self, seconds: float) -> None:
        """Let time pass, from one event to the next."""
        end = self.clock.seconds() + seconds
        while True:
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            if not calls or min(calls) > end:
                break
            self.clock.advance(max(0.0, min(calls) - self.clock.seconds()))
        self.clock.advance(end - self.clock.seconds())

    def waiting(self) -> list[object]:
        """All recipients in the queue."""
        entries = now_of(self.queue.entries(ALL, 100_000))
        return [each for entry in entries for each in entry.recipients]

    def lent(self) -> int:
        return sum(
            len(entry.lent) for entry in now_of(self.queue.entries(ALL, 100_000))
        )

    def stop(self) -> None:
        stopping = Deferred.fromCoroutine(self.scheduler.stop())
        self.run(40)
        now_of(stopping)

    def notices(self) -> list[object]:
        """The notifications, as the standard library reads them."""
        return [message_from_bytes(letter.octets) for letter in self.letters]


def now_of(work: object) -> object:
    """What a coroutine or a Deferred has come to, which it has already."""
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    found: list[object] = []
    deferred.addBoth(found.append)
    [result] = found
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


def after(rig: Rig, seconds: float, result: object) -> Callable[[Lease], object]:
    """An answer that takes so long."""

    def answer(lease: Lease) -> Deferred[object]:
        waiting: Deferred[object] = Deferred()
        rig.clock.callLater(seconds, waiting.callback, result)
        return waiting

    return answer
