"""A short form of :mod:`tests.faults.queue_power`, and the proof that it can fail."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ..programs import require
from .losses import LOSSES
from .power import quick
from .queue_power import examine, record


class QueuePowerTests(TestCase):
    """RFC 5321, section 6.1: what a server answered for it does not lose, and what it
    has sent it need not send again.
    """

    timeout = 120

    def setUp(self):
        require("strace")
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(parents=True)

    async def results(self, states, without=None):
        """Lose power in so many states."""
        recording = await deferToThread(record, self.home, 40, without)
        with tempfile.TemporaryDirectory(dir=quick()) as folder:
            return await examine(recording, Path(folder), reactor, states)

    async def test_losses_of_power_break_no_promise(self):
        results = await self.results(10 * len(LOSSES))
        self.assertEqual([], results.faults)
        self.assertEqual({10}, set(results.looked.values()))

    async def test_a_commit_without_a_flush_is_found_out(self):
        results = await self.results(6 * len(LOSSES), "commit-flush")
        self.assertNotEqual([], results.faults)

    async def test_a_notification_after_its_attempt_is_found_out(self):
        results = await self.results(20 * len(LOSSES), "one-settlement")
        self.assertNotEqual([], results.faults)
