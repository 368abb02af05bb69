"""Names that nobody can tell: mail waits, and nothing is told to be for good.

RFC 5321, section 5.1: a fault of DNS means that the message stays in the queue.
"""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from mailhub.errors import DNSFault
from mailhub.mail.dns import RecordType
from mailhub.net.dns_budget import SESSION, Budget, BudgetedResolver
from mailhub.net.dns_exchange import NameServer
from mailhub.net.resolver import DNSLimits, Resolver
from tests.faults.names import FaultyNames, Mode

#: So that a test does not wait; faults are told from answers by what comes, not when.
HASTY = DNSLimits(attempt=0.1, total=0.4)
BROKEN = [mode for mode in Mode if mode not in (Mode.WELL, Mode.SLOW, Mode.BY_NAME)]


class NamesDownTests(TestCase):
    """Everything that a broken server may do is a fault that passes."""

    def setUp(self):
        self.names = FaultyNames()
        self.addCleanup(self.names.close)
        server = NameServer("127.0.0.1", self.names.port)
        self.resolver = Resolver(reactor, lambda: [server], HASTY)
        self.addCleanup(self.resolver.stop)

    def ask(self, name="far.example", kind=RecordType.MX):
        return Deferred.fromCoroutine(self.resolver.query(name, kind))

    async def test_no_fault_of_dns_is_permanent(self):
        for self.names.mode in (*BROKEN, Mode.SLOW):
            try:
                answer = await self.ask(f"{self.names.mode.name.lower()}.example")
            except DNSFault as fault:
                self.assertFalse(fault.permanent)
            else:
                self.fail(f"{self.names.mode}: {answer}")

    async def test_what_comes_back_is_found_at_once(self):
        for self.names.mode in BROKEN:
            name = f"{self.names.mode.name.lower()}.example"
            await self.assertFailure(self.ask(name), DNSFault)
            self.names.mode = Mode.WELL
            self.resolver.forget()
            [record] = (await self.ask(name)).records
            self.assertEqual(record.host, f"mx.{name}")


class SessionTests(TestCase):
    """A session with many questions has 20 seconds for all of them."""

    def test_it_waits_no_longer_than_its_budget(self):
        clock = Clock()

        async def silence(server, name, kind):
            await Deferred()

        resolver = Resolver(
            clock, lambda: [NameServer("127.0.0.1")], DNSLimits(), silence
        )
        mine = BudgetedResolver(resolver, Budget(clock))
        began, faults = clock.seconds(), 0
        for number in range(100):
            asking = Deferred.fromCoroutine(
                mine.query(f"{number}.example", RecordType.TXT)
            )
            while not asking.called:
                clock.advance(0.5)
            self.failureResultOf(asking, DNSFault)
            faults += 1
        self.assertEqual(faults, 100)
        self.assertLessEqual(clock.seconds() - began, SESSION)
