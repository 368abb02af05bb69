"""A short form of :mod:`tests.faults.power`, and the proof that it can fail."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ..programs import require
from .power import Plan, examine, live, quick


class PowerTests(TestCase):
    """RFC 5321, section 6.1: 250 means that the server answers for the message."""

    timeout = 120

    def setUp(self):
        require("strace")
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(parents=True)
        scratch = tempfile.TemporaryDirectory(dir=quick())
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    async def results(self, **plan):
        """Follow a plan."""
        plan = Plan(**plan)
        life = await deferToThread(live, plan, self.home)
        return await examine(life, plan, self.scratch, reactor)

    async def assert_lost(self, without):
        results = await self.results(states=28, seconds=(0.4,), without=without)
        self.assertGreater(results.lost.total() + results.corrupt.total(), 0)

    async def test_losses_of_power_break_no_promise(self):
        results = await self.results(states=120, seconds=(0.4, 0.3))
        self.assertEqual([], results.faults + results.refusals)
        self.assertEqual([], results.audit.unflushed)
        self.assertEqual({True}, set(results.criteria.values()), results.criteria)

    async def test_a_store_without_any_flush_is_found_out(self):
        await self.assert_lost("flush")

    async def test_a_commit_without_a_flush_is_found_out(self):
        await self.assert_lost("commit-flush")

    async def test_a_large_message_without_a_flush_is_found_out(self):
        await self.assert_lost("file-flush")

    async def test_a_name_without_a_flush_is_found_out(self):
        await self.assert_lost("name-flush")

    async def test_an_answer_before_its_commit_is_found_out(self):
        await self.assert_lost("order")
