"""How late the reactor is."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.observing.lag import INTERVAL, ReactorLag


class LagTests(SynchronousTestCase):
    """A timer on a virtual clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lag = ReactorLag(self.clock, self.clock.seconds)
        self.lag.startService()

    def test_a_timer_that_is_on_time_is_not_late(self) -> None:
        for _ in range(10):
            self.clock.advance(INTERVAL)
        self.assertEqual(self.lag.histogram.counts[0], 10)

    def test_a_freeze_is_seen_in_full(self) -> None:
        self.clock.advance(INTERVAL + 0.75)
        self.assertEqual(self.lag.histogram.count, 1)
        self.assertAlmostEqual(self.lag.histogram.total, 0.75)

    def test_it_ends_with_the_service(self) -> None:
        self.lag.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.lag.stopService()
