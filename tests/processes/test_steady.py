"""The clock of the reactor."""

from __future__ import annotations

import time

from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from mailhub.processes.steady import keep_steady

HOUR = 3600.0


class SteadyTests(SynchronousTestCase):
    """Whoever sets the machine's clock does not set timers."""

    def setUp(self):
        self.reactor = SelectReactor()
        self.addCleanup(self.close)
        self.fired = []
        self.set_ahead = 0.0
        really = time.time
        self.patch(time, "time", lambda: really() + self.set_ahead)
        steadily = time.monotonic
        self.passed = 0.0
        self.patch(time, "monotonic", lambda: steadily() + self.passed)

    def close(self):
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        for reader in self.reactor.removeAll():
            reader.connectionLost(None)

    def pass_time(self, seconds):
        self.passed += seconds
        self.reactor.runUntilCurrent()

    def test_a_clock_that_is_set_back_keeps_nobody_waiting(self):
        keep_steady(self.reactor)
        self.reactor.callLater(10, self.fired.append, "late")
        self.set_ahead = -HOUR
        self.reactor.callLater(5, self.fired.append, "early")
        self.assertLessEqual(self.reactor.timeout(), 5)
        self.pass_time(5)
        self.assertEqual(self.fired, ["early"])
        self.pass_time(5)
        self.assertEqual(self.fired, ["early", "late"])

    def test_a_clock_that_is_set_ahead_ends_nobody_s_time(self):
        keep_steady(self.reactor)
        self.reactor.callLater(10, self.fired.append, "late")
        self.set_ahead = HOUR
        self.pass_time(9)
        self.assertEqual(self.fired, [])
        self.pass_time(1)
        self.assertEqual(self.fired, ["late"])

    def test_what_was_set_before_stays_what_it_was(self):
        self.reactor.callLater(10, self.fired.append, "before")
        keep_steady(self.reactor)
        self.pass_time(9)
        self.assertEqual(self.fired, [])
        self.pass_time(1)
        self.assertEqual(self.fired, ["before"])

    def test_it_begins_as_the_machine_s_clock_says(self):
        keep_steady(self.reactor)
        self.assertLess(abs(self.reactor.seconds() - time.time()), 60)
