"""Tests for the time that a session may wait for DNS."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault, NoSuchDomain
from mailhub.mail.dns import RecordType
from mailhub.net.dns_budget import SESSION, Budget, BudgetedResolver
from tests.resolving import Names

NAME = "a.example"


class BudgetTests(SynchronousTestCase):
    """A session waits 20 s in all, whatever it asks."""

    def setUp(self):
        self.clock = Clock()
        self.budget = Budget(self.clock)
        self.names = Names({NAME: {RecordType.A: ["192.0.2.1"]}})
        self.resolver = BudgetedResolver(self.names, self.budget)

    def ask(self, name=NAME):
        return Deferred.fromCoroutine(self.resolver.query(name, RecordType.A))

    def wait(self, name, seconds):
        go_on = self.names.wait(name)
        asking = self.ask(name)
        self.clock.advance(seconds)
        return go_on, asking

    def test_what_is_at_hand_costs_nothing(self):
        self.assertEqual(self.successResultOf(self.ask()).records, ("192.0.2.1",))
        self.failureResultOf(self.ask("b.example"), NoSuchDomain)
        self.assertEqual(self.budget.left, SESSION)

    def test_it_is_spent_by_waiting_and_then_nothing_is_asked(self):
        go_on, asking = self.wait(NAME, 12)
        self.assertEqual(self.budget.left, SESSION - 12)
        go_on.callback(None)
        self.successResultOf(asking)
        self.clock.advance(1000)
        self.assertEqual(self.budget.left, SESSION - 12)
        _, asking = self.wait("b.example", 7.9)
        self.assertNoResult(asking)
        self.clock.advance(0.2)
        self.failureResultOf(asking, DNSFault)
        asked = len(self.names.asked)
        self.failureResultOf(self.ask(), DNSFault)
        self.assertEqual(len(self.names.asked), asked)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_those_who_wait_at_the_same_time_spend_it_once(self):
        first, one = self.wait(NAME, 5)
        second, other = self.wait("b.example", 5)
        first.callback(None)
        second.callback(None)
        self.successResultOf(one)
        self.failureResultOf(other, NoSuchDomain)
        self.assertEqual(self.budget.left, SESSION - 10)
