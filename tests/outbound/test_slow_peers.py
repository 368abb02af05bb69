"""Servers that stall, beside others that do not; time is the test's."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.error import TimeoutError
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from mailhub.net.limits import Limits

from .way_case import WayCase, told

#: Where a server says nothing any more, and what becomes of the mail then.
STALLS = (
    (b"", "4.4.2"),
    (b"EHLO", "4.4.2"),
    (b"MAIL", "4.4.2"),
    (b"RCPT", "4.4.2"),
    (b"DATA", "4.4.2"),
    (b".", "4.4.2"),
)
#: Servers that stall at each step.
EACH = 5


class SlowReactor(Clock):
    """The sockets of the reactor, and another time."""

    def connectTCP(self, *args, **more):
        return reactor.connectTCP(*args, **more)


class SlowPeersTests(WayCase):
    """Fault test F12, the half that sends, and F13: peers that freeze."""

    def setUp(self):
        super().setUp()
        self.clock = SlowReactor()
        self.good = self.far(1)
        self.exchange((10, "mx.good.example", "127.0.0.1"), domain="good.example")
        self.stalled = []
        number = 2
        for step, _ in STALLS:
            for _ in range(EACH):
                address = f"127.0.0.{number}"
                far = self.far(number, self.good.port, replies={step: None})
                domain = f"d{number}.example"
                self.exchange((10, f"mx.{domain}", address), domain=domain)
                self.stalled.append((domain, far))
                number += 1
        self.make(self.good.port, reactor=self.clock)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.drop_all()))

    async def drop_all(self):
        for each in list(self.way.roll.connections):
            each.abort()
        await self.arrive()
        self.clock.advance(1)

    async def arrive(self):
        """Let all sockets do what they can."""
        for _ in range(200):
            await deferLater(reactor, 0)

    async def test_they_keep_nobody_else_waiting_and_end(self):
        sending = [
            Deferred.fromCoroutine(self.send(f"jo@{domain}", destination=domain))
            for domain, _ in self.stalled
        ]
        await self.arrive()
        self.assertEqual(sum(each.called for each in sending), 0)
        for _ in range(20):
            results = await self.send("jo@good.example", destination="good.example")
            self.assertEqual(told(results), [("delivered", "2.0.0")])
        self.assertEqual(self.good.connections, 1)
        await self.pass_time(601)
        self.assertEqual(sum(each.called for each in sending), len(sending))
        expected = [status for _, status in STALLS for _ in range(EACH)]
        results = [each for [each] in await gatherResults(sending)]
        self.assertEqual(told(results), [("delayed", status) for status in expected])

    async def test_only_after_the_message_it_is_not_known(self):
        for (domain, _), (step, _) in zip(self.stalled[::EACH], STALLS, strict=True):
            sending = Deferred.fromCoroutine(
                self.send(f"jo@{domain}", destination=domain)
            )
            await self.arrive()
            await self.pass_time(601)
            [result] = await sending
            self.assertEqual("not known" in result.reply, step == b".", step)
            # Whoever falls silent, wherever, is no good for others' mail either: else
            # all that waits for it would be tried, each as long as this one.
            self.assertFalse(result.reached, step)

    async def test_they_keep_no_descriptor(self):
        sending = [
            Deferred.fromCoroutine(self.send(f"jo@{domain}", destination=domain))
            for domain, _ in self.stalled
        ]
        await self.arrive()
        roll = self.way.roll
        self.assertEqual(roll.capacity.open, len(self.stalled))
        await self.pass_time(600 + Limits().linger + 5)
        await gatherResults(sending)
        self.assertEqual((roll.capacity.open, len(roll.connections)), (0, 0))

    async def pass_time(self, seconds):
        """In steps, so that timers chain and sockets close."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
        await self.arrive()
        for _ in range(40):
            self.clock.advance(1)
            await deferLater(reactor, 0)


class ConnectTests(WayCase):
    """A server that does not even take the connection."""

    async def test_it_has_its_time(self):
        memory = MemoryReactorClock()
        self.exchange((10, "mx.far.example", "192.0.2.1"))
        self.make(reactor=memory, connect=7.0)
        sending = Deferred.fromCoroutine(self.send())
        [(host, port, factory, timeout, _)] = memory.tcpClients
        self.assertEqual((host, port, timeout), ("192.0.2.1", 25, 7.0))
        factory.clientConnectionFailed(None, Failure(TimeoutError()))
        [result] = await sending
        self.assertEqual(told([result]), [("delayed", "4.4.1")])
        self.assertFalse(result.reached)

    async def test_who_gives_up_meanwhile_leaves_nothing(self):
        memory = MemoryReactorClock()
        self.exchange((10, "mx.far.example", "192.0.2.1"))
        self.make(reactor=memory)
        sending = Deferred.fromCoroutine(self.send())
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        [connector] = memory.connectors
        self.assertTrue(connector._disconnected)
