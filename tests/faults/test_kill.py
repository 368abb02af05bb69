"""A short form of :mod:`tests.faults.kill`, and the proof that it can fail."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ..programs import require
from .kill import Plan, run


class KillTests(TestCase):
    """RFC 5321, section 6.1: 250 means that the server answers for the message."""

    timeout = 120

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.story = []

    def verdict(self, **plan):
        """Follow a plan in a thread.  -> a Deferred"""
        return deferToThread(run, Plan(**plan), self.folder, self.story.append)

    async def assert_clean(self, **plan):
        verdict = await self.verdict(**plan)
        self.assertTrue(verdict.is_clean, "\n".join(self.story))
        self.assertGreater(verdict.acknowledged, 0)

    async def assert_lost(self, **plan):
        verdict = await self.verdict(**plan)
        self.assertTrue(verdict.lost or verdict.corrupt, "\n".join(self.story))

    async def test_kills_lose_nothing_that_was_acknowledged(self):
        await self.assert_clean(rounds=3)

    async def test_an_answer_before_its_commit_is_found_out(self):
        await self.assert_lost(rounds=5, without="order")

    async def test_losses_of_power_lose_nothing_that_was_acknowledged(self):
        require("strace")
        await self.assert_clean(rounds=3, power=True, states=2)

    async def test_a_store_without_any_flush_is_found_out(self):
        require("strace")
        await self.assert_lost(rounds=3, power=True, without="flush")

    async def test_a_commit_without_a_flush_is_found_out(self):
        require("strace")
        await self.assert_lost(rounds=3, power=True, without="commit-flush")

    async def test_a_large_message_without_a_flush_is_found_out(self):
        require("strace")
        await self.assert_lost(rounds=3, power=True, without="file-flush")

    async def test_a_name_without_a_flush_is_found_out(self):
        require("strace")
        await self.assert_lost(rounds=3, power=True, without="name-flush")
