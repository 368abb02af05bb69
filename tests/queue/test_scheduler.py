"""The scheduler: what is sent when, and what becomes of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault
from mailhub.mail.envelope import DeliverBy
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queue_list import Alteration, Selection
from mailhub.mail.queued import Outcome

from .rig import (
    DAY,
    DEAD,
    DEFERRED,
    DELIVERED,
    FAILED,
    HOUR,
    MESSAGE,
    MINUTE,
    SENDER,
    START,
    Rig,
    after,
    now_of,
)


class RigTestCase(SynchronousTestCase):
    """With a scheduler that runs."""

    limits = QueueLimits()

    def setUp(self):
        self.rig = Rig(self.limits)
        self.way = self.rig.way
        self.rig.start()


class SendingTests(RigTestCase):
    """From the queue to the other server."""

    def test_what_is_due_is_sent_and_gone(self):
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.assertEqual([to for _, to in self.way.sent], ["a@example.net"])
        self.assertEqual(self.way.octets, [MESSAGE])
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(self.rig.letters, [])

    def test_what_is_handed_over_is_sent_at_once(self):
        self.rig.put("a@example.net", "b@example.com", fast=True)
        self.assertEqual(len(self.way.sent), 2)
        self.assertEqual(self.rig.waiting(), [])

    def test_recipients_at_one_destination_share_an_attempt(self):
        self.rig.put("a@example.net", "b@example.net", fast=True)
        self.assertEqual(len(self.way.octets), 1)
        self.assertEqual(len(self.way.sent), 2)

    def test_what_is_not_due_waits_for_its_time(self):
        self.rig.put("a@example.net", due=START + HOUR)
        self.rig.run(HOUR - 1)
        self.assertEqual(self.way.sent, [])
        self.rig.run(2)
        [(at, _)] = self.way.sent
        self.assertAlmostEqual(at, HOUR, delta=0.1)

    def test_one_result_for_each_recipient(self):
        self.way.answers = {"b@example.net": DEFERRED, "c@example.net": FAILED}
        self.rig.put("a@example.net", "b@example.net", "c@example.net", fast=True)
        [waiting] = self.rig.waiting()
        self.assertEqual(waiting.recipient, "b@example.net")
        self.assertEqual((waiting.attempts, waiting.status), (1, "4.2.0"))
        self.assertEqual(waiting.reply, "450 4.2.0 later")
        [letter] = self.rig.letters
        self.assertEqual((letter.sender, letter.recipient), ("", SENDER))
        self.assertIn(b"Final-Recipient: rfc822; c@example.net", letter.octets)
        self.assertNotIn(b"b@example.net", letter.octets)

    def test_a_message_that_was_deleted_is_not_sent(self):
        self.way.default = after(self.rig, 10, DELIVERED)
        for number in range(6):
            self.rig.put(f"r{number}@example.net", fast=True)
        deleted = Selection(recipient="r5@example.net")
        now_of(self.rig.queue.alter(deleted, Alteration(delete=True), START))
        self.rig.run(60)
        self.assertEqual(self.rig.waiting(), [])

    def test_a_flush_tries_at_once_what_would_have_waited(self):
        self.way.default = DEAD
        self.rig.put("a@example.net", fast=True)
        self.rig.run(10)
        self.way.default = DELIVERED
        self.assertEqual(now_of(self.rig.scheduler.flush()), 1)
        self.rig.run(1)
        self.assertEqual(self.rig.waiting(), [])


class PatienceTests(RigTestCase):
    """Five days of retries, in no time."""

    def test_five_days_of_retries_end_with_a_bounce(self):
        self.way.default = DEFERRED
        self.rig.put("a@example.net", fast=True)
        self.rig.run(5 * DAY + HOUR)
        tries = [round(at / MINUTE) for at in self.way.to("a@example.net")]
        self.assertEqual(tries[:7], [0, 5, 10, 20, 40, 80, 160])
        self.assertEqual(tries[7], 240)  # for the warning
        self.assertEqual(tries[-1], 5 * 24 * 60)  # for the end
        gaps = [b - a for a, b in zip(tries, tries[1:], strict=False)]
        self.assertLessEqual(max(gaps), 240)
        self.assertEqual(self.rig.waiting(), [])
        warning, bounce = self.rig.notices()
        self.assertIn("Action: delayed", warning.as_string())
        self.assertIn("Action: failed", bounce.as_string())
        self.assertIn("Status: 4.4.7", bounce.as_string())
        self.assertIn("450 4.2.0 later", bounce.as_string())

    def test_a_destination_that_never_answers_ends_with_a_bounce_too(self):
        self.way.default = DEAD
        for number in range(20):
            self.rig.put(f"r{number}@example.net", fast=True)
        self.rig.run(5 * DAY + HOUR)
        self.assertEqual(self.rig.waiting(), [])
        subjects = [notice["Subject"] for notice in self.rig.notices()]
        self.assertEqual(subjects.count("Your message is delayed"), 20)
        self.assertEqual(subjects.count("Your message could not be delivered"), 20)
        self.assertIn(b"connection refused", self.rig.letters[-1].octets)

    def test_two_runs_are_the_same(self):
        other = Rig(self.limits)
        other.start()
        for rig in (self.rig, other):
            rig.way.default = DEFERRED
            rig.put("a@example.net", "b@example.com")
            rig.run(DAY)
        self.assertEqual(self.way.sent, other.way.sent)

    def test_a_message_without_a_sender_ends_sooner(self):
        self.way.default = DEFERRED
        self.rig.put("a@example.net", sender="", fast=True)
        self.rig.run(2 * DAY + HOUR)
        self.assertEqual(self.rig.waiting(), [])
        [letter] = self.rig.letters
        self.assertEqual(letter.recipient, "postmaster")

    def test_mail_that_must_be_there_by_a_time_comes_back_then(self):
        self.way.default = DEFERRED
        wish = DeliverBy(START + HOUR, returns=True)
        self.rig.put("a@example.net", fast=True, deliver_by=wish)
        self.rig.run(HOUR + 1)
        self.assertLess(max(at for at, _ in self.way.sent), HOUR)
        [bounce] = self.rig.notices()
        self.assertIn("Action: failed", bounce.as_string())
        self.assertEqual(self.rig.waiting(), [])

    def test_mail_that_should_be_there_by_a_time_goes_on_with_a_warning(self):
        self.way.default = DEFERRED
        wish = DeliverBy(START + HOUR, returns=False)
        self.rig.put("a@example.net", fast=True, deliver_by=wish)
        self.rig.run(HOUR + 1)
        [warning] = self.rig.notices()
        self.assertIn("Action: delayed", warning.as_string())
        self.way.default = DELIVERED
        self.rig.run(DAY)
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(len(self.rig.letters), 1)

    def test_future_mail_has_its_lifetime_from_its_release(self):
        self.way.default = DEFERRED
        until = START + 6 * DAY
        self.rig.put("a@example.net", due=until, hold_until=until)
        self.rig.run(6 * DAY + 1)
        self.assertEqual(len(self.way.sent), 1)
        self.assertEqual(self.rig.letters, [])
        self.assertEqual(len(self.rig.waiting()), 1)


class LimitTests(RigTestCase):
    """How much at a time, in all and for one destination."""

    limits = QueueLimits(sends=40, waiting=400)

    def test_no_more_than_the_first_few_until_a_destination_answers(self):
        self.way.default = after(self.rig, 10, DELIVERED)
        for number in range(50):
            self.rig.put(f"r{number}@example.net")
        self.rig.run(5)
        self.assertEqual(self.way.active, 5)
        self.rig.run(200)
        self.assertEqual(self.rig.waiting(), [])

    def test_it_grows_to_its_limit_while_a_destination_answers(self):
        self.way.default = after(self.rig, 1, DELIVERED)
        for number in range(500):
            self.rig.put(f"r{number}@example.net")
        self.rig.run(200)
        self.assertEqual(self.way.most_active, 20)
        self.assertEqual(self.rig.waiting(), [])

    def test_no_more_than_the_limit_of_all(self):
        self.way.default = after(self.rig, 1, DELIVERED)
        for number in range(500):
            self.rig.put(f"r{number}@d{number % 10}.example")
        self.rig.run(60)
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(self.way.most_active, 38)

    def test_a_part_is_left_for_those_who_answer(self):
        self.way.default = after(self.rig, 1, DELIVERED)
        for number in range(500):
            self.rig.put(f"r@d{number}.example")
        self.rig.run(60)
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(self.way.most_active, 30)

    def test_urgent_mail_has_a_few_places_of_its_own(self):
        for number in range(100):
            self.way.answers[f"d{number}.example"] = DELIVERED
            self.rig.put(f"r@d{number}.example", fast=True)
        self.way.default = after(self.rig, 100, DELIVERED)
        self.way.answers.clear()
        for number in range(100):
            self.rig.put(f"r@d{number}.example", fast=True)
        self.rig.run(1)
        self.assertEqual(self.way.active, 38)
        for number in range(100, 105):
            self.rig.put(f"r@d{number}.example", fast=True, priority=3)
        self.assertEqual(self.way.active, 40)

    def test_there_is_room_up_to_the_limit_of_what_may_wait(self):
        self.way.default = after(self.rig, 100, DELIVERED)
        for _ in range(204):
            self.rig.put("r@example.net", fast=True)
        self.assertTrue(self.rig.scheduler.has_room)  # 5 go, 199 wait
        self.rig.put("r@example.net", fast=True)
        self.assertFalse(self.rig.scheduler.has_room)


    def test_other_limits_hold_from_now_on(self):
        self.way.default = after(self.rig, 1, DELIVERED)
        for number in range(400):
            self.rig.put(f"r{number}@example.net")
        self.rig.run(10)
        self.rig.scheduler.use(QueueLimits(sends_per_destination=2, first_sends=1))
        self.rig.run(2)
        self.way.most_active = 0
        self.rig.run(10)
        self.assertEqual(self.way.most_active, 2)
        self.assertEqual(self.rig.scheduler.limits.sends_per_destination, 2)


class RateTests(RigTestCase):
    """A destination that wants no more than so many a minute."""

    limits = QueueLimits(rate_per_destination=6)

    def test_attempts_are_that_far_apart(self):
        for number in range(7):
            self.rig.put(f"r{number}@example.net")
        self.rig.put("r@example.com")
        self.rig.run(5)
        self.assertEqual(len(self.way.sent), 2)
        self.rig.run(60)
        times = [at for at, to in self.way.sent if to.endswith("example.net")]
        self.assertEqual(len(times), 7)
        gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
        self.assertGreaterEqual(min(gaps), 9.9)
        self.assertLess(max(gaps), 10.5)


class SilentTests(RigTestCase):
    """A destination that cannot be reached at all backs off as a whole."""

    limits = QueueLimits(sends=20)

    def test_its_other_mail_is_not_tried(self):
        self.way.answers["dead.example"] = DEAD
        for number in range(300):
            self.rig.put(f"r{number}@dead.example")
        self.rig.run(60)
        self.assertLessEqual(len(self.way.sent), 5)
        waiting = self.rig.waiting()
        self.assertEqual(len(waiting), 300)
        self.assertEqual({each.reply for each in waiting}, {"connection refused"})
        self.assertLessEqual(sum(each.attempts for each in waiting), 5)
        self.assertEqual(self.rig.lent(), 0)

    def test_one_probe_at_a_time_until_it_answers(self):
        self.way.answers["dead.example"] = after(self.rig, 30, DEAD)
        for number in range(100):
            self.rig.put(f"r{number}@dead.example")
        self.rig.run(60)
        before = len(self.way.sent)
        self.way.most_active = 0
        self.rig.run(30 * MINUTE)
        self.assertEqual(self.way.most_active, 1)
        self.assertLessEqual(len(self.way.sent) - before, 4)
        self.way.answers["dead.example"] = DELIVERED
        self.rig.run(40 * MINUTE)
        self.assertEqual(self.rig.waiting(), [])

    def test_new_mail_for_it_is_put_off_as_well(self):
        self.way.answers["dead.example"] = DEAD
        self.rig.put("a@dead.example", fast=True)
        self.rig.put("b@dead.example", fast=True)
        self.assertEqual([to for _, to in self.way.sent], ["a@dead.example"])
        self.assertEqual(self.rig.lent(), 0)

    def test_a_person_who_hurries_it_is_heard(self):
        self.way.answers["dead.example"] = DEAD
        self.rig.put("a@dead.example", fast=True)
        self.way.answers["dead.example"] = DELIVERED
        for destination, left in (("live.example", 1), ("dead.example", 0)):
            self.rig.scheduler.hurry(destination)
            selection = Selection(recipient="a@dead.example")
            now = self.rig.wall()
            now_of(self.rig.queue.alter(selection, Alteration(retry=True), now))
            self.rig.run(1)
            self.assertEqual(len(self.rig.waiting()), left)

    def test_the_dead_do_not_take_the_place_of_the_living(self):
        self.rig.put("r@live.example")
        self.rig.run(1)
        slow_death = after(self.rig, 300, DEAD)
        for number in range(30):
            self.way.answers[f"dead{number}.example"] = slow_death
            for _ in range(5):
                self.rig.put(f"r@dead{number}.example")
        self.rig.run(HOUR)
        self.way.most_active = 0
        self.rig.run(HOUR)
        self.assertLessEqual(self.way.most_active, 5)
        for number in range(200):
            self.rig.put(f"r{number}@live.example")
            self.rig.put(f"r@new{number}.example")
        self.rig.run(30)
        self.assertEqual(len(self.rig.waiting()), 150)

    def test_one_who_is_answered_keeps_all_others_going(self):
        self.way.answers["example.net"] = after(self.rig, 1, DELIVERED)
        self.rig.put("ok@example.net", fast=True)
        self.way.answers["slow@example.net"] = after(self.rig, 2, DEAD)
        self.rig.put("slow@example.net", fast=True)
        self.rig.run(3)
        self.assertEqual(self.rig.scheduler.lanes.silent, 0)


class CrowdTests(SynchronousTestCase):
    """Many destinations, and one in a hundred of them dead."""

    def seconds(self, dead):
        """How long it takes to send to all who live."""
        rig = Rig()
        for number in range(6000):
            rig.put(f"r{number}@d{number % 300}.example")
        rig.way.default = after(rig, 0.1, DELIVERED)
        for number in range(dead):
            rig.way.answers[f"d{number}.example"] = after(rig, 30, DEAD)
        rig.start()
        counts, seconds = rig.scheduler.endings.counts, 0.0
        while counts[Outcome.DELIVERED] < 6000 - 20 * dead:
            rig.run(0.1)
            seconds += 0.1
        return seconds

    def test_the_living_keep_nine_tenths_of_their_rate(self):
        self.assertLess(self.seconds(dead=3) * 0.9, self.seconds(dead=0))


class FaultTests(RigTestCase):
    """What goes wrong on our side."""

    def test_a_message_that_makes_us_fail_is_held_after_three_times(self):
        self.way.answers["bad@example.net"] = ValueError("boom")
        self.rig.put("bad@example.net")
        self.rig.put("good@example.com")
        self.rig.run(HOUR)
        self.assertEqual(len(self.way.to("bad@example.net")), 3)
        self.assertEqual(len(self.way.to("good@example.com")), 1)
        [held] = self.rig.waiting()
        self.assertIn("ValueError", held.hold)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.rig.run(6 * DAY)
        self.assertEqual(self.rig.letters, [])

    def test_a_fault_of_the_machine_is_never_held_against_a_message(self):
        kinds = (LocalFault("no database"), OSError(24, "no files"), MemoryError())
        for fault in kinds:
            self.way.default = fault
            self.rig.put("a@example.net", fast=True)
            self.rig.run(HOUR)
            [waiting] = self.rig.waiting()
            self.assertEqual((waiting.hold, waiting.status[:4]), ("", "4.3."))
            self.way.default = DELIVERED
            self.rig.run(HOUR)
            self.assertEqual(self.rig.waiting(), [])
        self.assertTrue(self.flushLoggedErrors(*map(type, kinds)))

    def test_without_its_notification_nothing_fails(self):
        self.way.default = FAILED
        self.rig.dispatch_fault = LocalFault("no directory")
        self.rig.put("a@example.net", fast=True)
        [waiting] = self.rig.waiting()
        self.assertEqual(waiting.attempts, 1)
        self.rig.dispatch_fault = None
        self.rig.run(HOUR)
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(len(self.rig.letters), 1)
        self.flushLoggedErrors(LocalFault)


class StoppingTests(RigTestCase):
    """A stop that loses nothing and sends nothing twice."""

    def test_attempts_end_and_what_waits_is_given_back(self):
        self.way.default = after(self.rig, 10, DELIVERED)
        for number in range(8):
            self.rig.put(f"r{number}@example.net", fast=True)
        self.rig.stop()
        self.assertFalse(self.rig.scheduler.has_room)
        self.assertEqual(len(self.way.sent), 5)
        self.assertEqual(len(self.rig.waiting()), 3)
        self.assertEqual(self.rig.lent(), 0)
        self.assertEqual(self.rig.clock.getDelayedCalls(), [])

    def test_attempts_that_do_not_end_are_cut_off(self):
        self.way.default = after(self.rig, 1000, DELIVERED)
        self.rig.put("a@example.net", fast=True)
        self.rig.stop()
        [waiting] = self.rig.waiting()
        self.assertEqual((waiting.attempts, self.rig.lent()), (0, 0))

    def test_after_a_stop_another_goes_on(self):
        self.way.default = after(self.rig, 1000, DELIVERED)
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.rig.stop()
        self.way.default = DELIVERED
        self.rig.scheduler = self.rig.make("another")
        self.rig.start()
        self.rig.run(61)
        self.assertEqual(self.rig.waiting(), [])
