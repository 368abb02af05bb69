"""A short form of :mod:`tests.faults.kill`, and the proof that it can fail."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from .kill import Plan, run


class KillTests(TestCase):
    """RFC 5321, section 6.1: 250 means that the server answers for the message."""

    timeout = 120

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.story: list[str] = []

    async def results(self, **plan):
        """Follow a plan."""
        return await deferToThread(run, Plan(**plan), self.folder, self.story.append)

    async def test_kills_break_no_promise(self):
        results = await self.results(rounds=4, restarts=1)
        self.assertEqual([], results.faults + results.refusals)
        self.assertGreater(results.answered, 100)

    async def test_kills_of_workers_and_of_their_master_break_no_promise(self):
        results = await self.results(rounds=3, restarts=0, workers=2)
        self.assertEqual([], results.faults + results.refusals)
        self.assertEqual({"worker", "master", "all"}, set(results.struck))

    async def test_an_answer_before_its_commit_is_found_out(self):
        results = await self.results(rounds=5, without="order")
        self.assertTrue(results.faults, "\n".join(self.story))
