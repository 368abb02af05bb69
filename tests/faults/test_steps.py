"""A short form of :mod:`tests.faults.steps`, and the proof that it can fail."""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ..programs import require
from .subject import ROOT


class StepTests(TestCase):
    """RFC 5321, section 6.1, and RFC 6851, section 3.3: whatever the server was doing
    when it was killed, it has done, or it has not.
    """

    timeout = 120

    def setUp(self):
        require("strace")

    async def kill_in(self, *arguments):
        """The program in a process of its own, as it forks.  -> its exit status"""
        done = await deferToThread(
            subprocess.run,
            [sys.executable, "-m", "tests.faults.steps", *arguments],
            cwd=ROOT, capture_output=True, text=True,
        )
        self.story = done.stdout + done.stderr
        return done.returncode

    async def test_whatever_step_it_is_killed_at_nothing_is_lost_or_halved(self):
        chosen = "accept: large", "APPEND: small", "MOVE", "user add: fresh store"
        status = await self.kill_in("--every", "4", "--only", *chosen)
        self.assertEqual(0, status, self.story)

    async def test_a_move_in_two_steps_is_found_out(self):
        status = await self.kill_in(
            "--every", "4", "--only", "MOVE", "--without", "one-move"
        )
        self.assertEqual(1, status, self.story)
        self.assertIn("FAULT: MOVE", self.story)

    async def test_what_is_in_the_queue_is_as_before_or_as_after(self):
        chosen = (
            "queue: accept large, with users", "queue: settle",
            "queue: settle the last, and notify", "queue: alter",
        )
        status = await self.kill_in("--every", "3", "--only", *chosen)
        self.assertEqual(0, status, self.story)

    async def test_a_notification_after_its_attempt_is_found_out(self):
        chosen = "queue: settle the last, and notify"
        status = await self.kill_in("--only", chosen, "--without", "one-settlement")
        self.assertEqual(1, status, self.story)
        self.assertIn(f"FAULT: {chosen}", self.story)

    async def test_an_answer_before_its_commit_is_found_out(self):
        status = await self.kill_in(
            "--every", "9", "--only", "accept: small", "--without", "order"
        )
        self.assertEqual(1, status, self.story)
        self.assertIn("FAULT: accept: small", self.story)
