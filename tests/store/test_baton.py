"""The nudge between processes that wait for their turn at writing."""

from __future__ import annotations

import os
import stat
import threading

from twisted.trial.unittest import SynchronousTestCase

from mailhub.store.sqlite.baton import Baton

#: Far longer than any test takes; a nudge ends it at once.
LONG = 30.0


class BatonTests(SynchronousTestCase):
    """It wakes who waits, and never keeps anybody from going on."""

    def setUp(self):
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.mine, self.theirs = self.baton(), self.baton()

    def baton(self):
        baton = Baton(self.directory)
        self.addCleanup(baton.close)
        return baton

    def is_passed_on(self):
        """Whether a nudge waits to be noticed."""
        return bool(self.mine._poll.poll(0))

    def test_a_nudge_that_came_before_ends_the_wait(self):
        self.theirs.pass_on()
        self.mine.wait(LONG)
        self.assertFalse(self.is_passed_on())

    def test_a_nudge_that_comes_later_ends_the_wait(self):
        waiting = threading.Thread(target=self.mine.wait, args=(LONG,))
        waiting.start()
        self.theirs.pass_on()
        waiting.join(LONG)
        self.assertFalse(waiting.is_alive())

    def test_without_a_nudge_the_wait_ends_by_itself(self):
        self.mine.wait(0.0)

    def test_what_was_forgotten_does_not_end_a_wait(self):
        self.theirs.pass_on()
        self.mine.forget()
        self.assertFalse(self.is_passed_on())

    def test_nudges_that_nobody_waits_for_do_not_block(self):
        for _ in range(100_000):
            self.mine.pass_on()
        self.assertTrue(self.is_passed_on())

    def test_only_its_owner_may_use_the_pipe(self):
        [name] = os.listdir(self.directory)
        mode = os.stat(f"{self.directory}/{name}").st_mode
        self.assertTrue(stat.S_ISFIFO(mode))
        self.assertEqual(stat.S_IMODE(mode) & 0o077, 0)
