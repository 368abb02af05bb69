"""Clocks that jump (fault: clock jumps of an hour and of a year, both ways)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.queue_limits import QueueLimits
from mailhub.queue.steady import STEP, QueueTime

from .rig import DAY, DEFERRED, DELIVERED, HOUR, MINUTE, START, Rig, after

YEAR = 365 * DAY


class QueueTimeTests(SynchronousTestCase):
    """A time that never goes back, and deadlines that no jump brings nearer."""

    def setUp(self):
        self.elapsed, self.offset = 0.0, START
        self.time = QueueTime(lambda: self.elapsed + self.offset, lambda: self.elapsed)

    def jump(self, seconds):
        self.offset += seconds
        self.time.now()

    def is_over(self, age, since=START):
        return self.time.is_over(since + age, since)

    def test_it_goes_with_the_clock(self):
        self.assertEqual(self.time.now(), START)
        self.elapsed = 10.0
        self.assertEqual(self.time.now(), START + 10)

    def test_it_follows_a_jump_ahead_and_does_not_go_back(self):
        self.jump(HOUR)
        self.assertEqual(self.time.now(), START + HOUR)
        self.jump(-HOUR)
        self.elapsed += 1
        self.assertEqual(self.time.now(), START + HOUR + 1)

    def test_a_jump_ahead_does_not_end_what_was_there(self):
        self.jump(YEAR)
        self.assertFalse(self.is_over(DAY))
        self.elapsed = DAY
        self.assertTrue(self.is_over(DAY))

    def test_what_comes_after_a_jump_lives_by_the_new_time(self):
        self.jump(YEAR)
        self.assertFalse(self.is_over(DAY, START + YEAR))
        self.elapsed = DAY
        self.assertTrue(self.is_over(DAY, START + YEAR))

    def test_there_and_back_is_as_if_nothing_had_been(self):
        for there in (YEAR, -YEAR, HOUR, -HOUR):
            self.jump(there)
            self.jump(-there)
        self.elapsed = DAY - 1
        self.assertFalse(self.is_over(DAY))
        self.elapsed = DAY
        self.assertTrue(self.is_over(DAY))

    def test_a_correction_is_no_jump(self):
        self.jump(STEP)
        self.elapsed = DAY - STEP
        self.assertTrue(self.is_over(DAY))

    @given(st.lists(st.floats(-2 * YEAR, 2 * YEAR) | st.sampled_from([HOUR, -HOUR])))
    @settings(max_examples=100, deadline=None)
    def test_no_jumps_end_anything_early(self, jumps):
        self.setUp()
        for jump in jumps:
            if abs(jump) > STEP:
                self.jump(jump)
                self.assertFalse(self.is_over(1000.0))
        moments = [self.time.now()]
        self.jump(-YEAR)
        moments.append(self.time.now())
        self.assertTrue(all(a <= b for a, b in pairwise(moments)))


class JumpTests(SynchronousTestCase):
    """A thousand messages wait while somebody plays with the clock."""

    def test_nothing_goes_back_early_and_nothing_is_tried_twice(self):
        for jump in (HOUR, -HOUR, YEAR, -YEAR):
            rig = Rig(QueueLimits(sends=100))
            rig.start()
            rig.way.default = DEFERRED
            for number in range(1000):
                rig.put(f"r{number}@d{number % 50}.example")
            rig.run(MINUTE)
            self.assertEqual(len(rig.way.sent), 1000)
            rig.wall_offset += jump
            rig.run(2 * MINUTE)
            tried = [to for _, to in rig.way.sent[1000:]]
            self.assertEqual(len(tried), len(set(tried)), jump)
            rig.wall_offset -= jump
            rig.run(2 * MINUTE)
            failed = [each for each in rig.letters if b"Action: failed" in each.octets]
            self.assertEqual(failed, [])
            self.assertEqual(len(rig.waiting()), 1000)
            rig.way.default = DELIVERED
            rig.run(HOUR)
            self.assertEqual(rig.waiting(), [], jump)

    def test_what_is_under_way_is_not_begun_again(self):
        for jumps in ((HOUR, -HOUR), (-HOUR, HOUR), (YEAR, -YEAR), (-YEAR, YEAR)):
            rig = Rig(QueueLimits(sends=50, first_sends=50, sends_per_destination=50))
            rig.start()
            rig.way.default = after(rig, 20, DELIVERED)
            expected = [f"r{number}@example.net" for number in range(1000)]
            for recipient in expected:
                rig.put(recipient)
            rig.run(30)
            for number, jump in enumerate(jumps * 3):
                rig.wall_offset += jump
                rig.put(f"new{number}@example.com")
                rig.run(30)
            rig.run(10 * MINUTE)
            # Each once, and in the order in which they came.
            sent = [to for _, to in rig.way.sent if to.endswith("@example.net")]
            self.assertEqual(sent, expected, jumps)
            self.assertEqual(len(rig.way.sent), 1000 + number + 1)
            self.assertEqual(rig.waiting(), [])
            self.assertEqual(rig.letters, [])

    def test_new_mail_is_sent_after_a_jump(self):
        for jump in (HOUR, -HOUR, YEAR, -YEAR):
            rig = Rig()
            rig.start()
            rig.wall_offset += jump
            rig.put("a@example.net")
            rig.put("b@example.net", fast=True)
            rig.run(MINUTE)
            self.assertEqual(rig.waiting(), [], jump)
