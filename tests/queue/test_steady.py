"""Clocks that jump (fault: clock jumps of an hour and of a year, both ways)."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.envelope import DeliverBy
from mailhub.mail.queue_limits import QueueLimits
from mailhub.queue.steady import LONGEST_BREAK, MAX_SLIPS, STEP, Memory, QueueTime

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

    @given(
        st.lists(
            st.tuples(
                st.floats(-2 * YEAR, 2 * YEAR)
                | st.sampled_from([HOUR, -HOUR, DAY, -DAY, YEAR, -YEAR]),
                st.floats(0.0, 10.0), st.booleans(),
            ),
            max_size=12,
        )
    )
    @settings(max_examples=100, deadline=None)
    def test_nothing_that_comes_between_jumps_ends_early(self, story):
        self.setUp()
        born = []
        for jump, seconds, is_new_process in story:
            born.append((self.elapsed, self.elapsed + self.offset))
            self.elapsed += seconds
            self.jump(jump if abs(jump) > STEP else 0.0)
            if is_new_process:
                self.restart()
            for since, arrived in born:
                # No more than so much has really passed.
                age = self.elapsed - since + STEP
                self.assertFalse(self.time.is_over(arrived + age, arrived))

    def restart(self, seconds=0.0, jump=0.0):
        """Another process goes on with what this one has known."""
        memory = Memory(self.mktemp())
        memory.write(self.time.known())
        self.elapsed += seconds
        self.offset += jump
        self.time = QueueTime(lambda: self.elapsed + self.offset, lambda: self.elapsed)
        self.time.resume(memory.read())

    def test_a_process_that_was_away_for_a_while_takes_it_for_time(self):
        self.restart(LONGEST_BREAK)
        self.assertEqual(self.time.now(), START + LONGEST_BREAK)
        self.assertTrue(self.is_over(LONGEST_BREAK))
        self.assertFalse(self.is_over(LONGEST_BREAK + 1))

    def test_what_is_longer_than_that_may_be_a_jump(self):
        self.restart(LONGEST_BREAK + 1)
        self.assertFalse(self.is_over(1.0))
        self.assertTrue(self.time.is_over(START + 1.0, START, breaks=True))
        self.elapsed += 1.0
        self.assertTrue(self.is_over(1.0))

    def test_another_process_goes_by_the_clock_as_it_is(self):
        self.jump(YEAR)
        self.jump(-YEAR)
        self.assertEqual(self.time.now(), START + YEAR)
        self.restart(10.0)
        self.assertEqual(self.time.now(), START + 10.0)
        self.restart(10.0, jump=-HOUR)
        self.assertEqual(self.time.now(), START + 20.0 - HOUR)
        self.assertFalse(self.is_over(20.0))
        # What has passed while nobody was there is lost in the jump.
        self.jump(HOUR)
        self.assertTrue(self.is_over(10.0))

    def test_a_jump_is_taken_back_in_another_process(self):
        self.jump(YEAR)
        self.restart()
        self.assertFalse(self.is_over(DAY))
        self.restart(jump=-YEAR)
        self.elapsed = DAY
        self.assertTrue(self.is_over(DAY))

    def test_no_more_jumps_than_enough_are_remembered(self):
        for _ in range(MAX_SLIPS + 1):
            self.jump(-HOUR)
            self.jump(HOUR)
            self.elapsed += MINUTE
        self.assertEqual(len(self.time.known().between), MAX_SLIPS)

    def test_a_damaged_memory_is_none(self):
        path = self.mktemp()
        memory = Memory(path)
        self.assertIs(memory.read(), None)
        for text in ("", "[]", "7", "{}", '{"ahead": [7], "between": []}'):
            with open(path, "w") as file:
                file.write(text)
            self.assertIs(memory.read(), None)
        Memory(f"{path}/nowhere").write(self.time.known())


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

    def test_what_comes_between_two_jumps_does_not_go_back_early(self):
        for jump in (HOUR, -HOUR, YEAR, -YEAR):
            rig = Rig()
            rig.start()
            rig.way.default = DEFERRED
            rig.wall_offset += jump
            rig.put("a@example.net")
            rig.run(MINUTE)
            rig.wall_offset -= jump
            rig.run(HOUR)
            self.assertEqual(rig.letters, [], jump)
            rig.way.default = DELIVERED
            rig.run(HOUR)
            self.assertEqual(rig.waiting(), [], jump)

    def again(self, rig, memory, seconds=MINUTE):
        """Another scheduler after so many seconds."""
        rig.stop()
        rig.clock.advance(seconds)
        rig.scheduler = rig.make("another", memory=memory)
        rig.start()

    def test_nothing_goes_back_early_after_a_start_with_a_wrong_clock(self):
        for jump in (HOUR, -HOUR, YEAR, -YEAR):
            for is_before, is_back in product((False, True), repeat=2):
                rig, memory = Rig(), Memory(self.mktemp())
                rig.scheduler = rig.make(memory=memory)
                rig.start()
                rig.way.default = DEFERRED
                rig.put("a@example.net")
                rig.run(2 * MINUTE)
                if is_before:
                    rig.wall_offset += jump
                    rig.run(2 * MINUTE)
                else:
                    rig.wall_offset += jump
                self.again(rig, memory)
                rig.put("b@example.net")
                rig.run(HOUR)
                rig.wall_offset -= jump
                if is_back:
                    rig.run(2 * MINUTE)
                self.again(rig, memory)
                rig.run(HOUR)
                about = jump, is_before, is_back
                failed = [one for one in rig.letters if b"failed" in one.octets]
                self.assertEqual(failed, [], about)
                rig.way.default = DELIVERED
                rig.run(5 * HOUR)
                self.assertEqual(rig.waiting(), [], about)

    def test_what_was_put_off_ahead_of_time_does_not_wait_for_that(self):
        rig = Rig()
        rig.start()
        rig.way.default = DEFERRED
        rig.put("a@example.net")
        rig.put("b@example.net", due=START + DAY, hold_until=START + DAY)
        rig.run(1)
        rig.wall_offset += HOUR * 20
        rig.run(HOUR)
        self.assertEqual(rig.way.to("b@example.net"), [])
        rig.wall_offset -= HOUR * 20
        rig.way.default = DELIVERED
        self.again(rig, None)
        rig.run(1)
        self.assertEqual([one.recipient for one in rig.waiting()], ["b@example.net"])
        rig.run(DAY)
        self.assertEqual(rig.waiting(), [])

    def test_what_had_to_be_there_by_a_time_comes_back_after_a_long_break(self):
        rig, memory = Rig(), Memory(self.mktemp())
        rig.scheduler = rig.make(memory=memory)
        rig.start()
        rig.way.default = DEFERRED
        by = DeliverBy(rig.wall() + HOUR, returns=True, trace=False)
        rig.put("a@example.net", deliver_by=by)
        rig.run(1)
        rig.way.default = DELIVERED
        self.again(rig, memory, 3 * DAY)
        rig.run(1)
        self.assertEqual(len(rig.way.sent), 1)
        self.assertEqual(len(rig.letters), 1)

    def test_new_mail_is_sent_after_a_jump(self):
        for jump in (HOUR, -HOUR, YEAR, -YEAR):
            rig = Rig()
            rig.start()
            rig.wall_offset += jump
            rig.put("a@example.net")
            rig.put("b@example.net", fast=True)
            rig.run(MINUTE)
            self.assertEqual(rig.waiting(), [], jump)
