"""Times of attempts, warnings and ends (RFC 5321, section 4.5.4.1)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.envelope import DeliverBy, MailParameters
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queued import QueuedMessage, Waiting
from mailhub.queue.schedule import (
    JITTER,
    URGENT,
    begins,
    ends,
    next_attempt,
    retry_delay,
    warns,
)

from .rig import DAY, HOUR, MINUTE, START

LIMITS = QueueLimits()


def message(sender="a@example.org", expires=START + 5 * DAY, **parameters):
    return QueuedMessage(
        1, "Q1", sender, None, MailParameters(**parameters), 100, START, expires
    )


def waiting(warned=False):
    return Waiting(1, "b@example.net", "example.net", None, None, START, warned=warned)


class DelayTests(SynchronousTestCase):
    """Five minutes twice, then twice as long each time, up to four hours."""

    def test_delays_grow_up_to_their_limit(self):
        delays = [retry_delay(n, LIMITS, lambda: 0.0) / MINUTE for n in range(1, 11)]
        self.assertEqual(delays, [5, 5, 10, 20, 40, 80, 160, 240, 240, 240])

    def test_chance_makes_them_longer_but_not_longer_than_the_limit(self):
        self.assertEqual(retry_delay(1, LIMITS, lambda: 1.0), 300 * (1 + JITTER))
        self.assertEqual(retry_delay(99, LIMITS, lambda: 1.0), LIMITS.longest_retry)

    def test_urgent_mail_is_tried_often(self):
        self.assertEqual(retry_delay(9, LIMITS, lambda: 0.0, URGENT), 300)
        self.assertGreater(retry_delay(9, LIMITS, lambda: 0.0, URGENT - 1), 300)

    @given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
    @settings(max_examples=50, deadline=None)
    def test_they_are_always_within_their_bounds(self, attempts, chance):
        delay = retry_delay(attempts, LIMITS, lambda: chance)
        self.assertTrue(LIMITS.first_retry <= delay <= LIMITS.longest_retry)


class MomentTests(SynchronousTestCase):
    """When something has to be said, whatever the delay is."""

    def test_an_attempt_is_made_when_the_time_is_over(self):
        late = START + 5 * DAY - 60
        due = next_attempt(message(), waiting(True), late, HOUR, LIMITS)
        self.assertEqual(due, START + 5 * DAY)

    def test_and_when_the_sender_is_to_be_told(self):
        late = START + 4 * HOUR - 60
        due = next_attempt(message(), waiting(), late, HOUR, LIMITS)
        self.assertEqual(due, START + 4 * HOUR)
        due = next_attempt(message(), waiting(True), late, HOUR, LIMITS)
        self.assertEqual(due, late + HOUR)

    def test_nobody_is_told_twice_nor_where_there_is_nobody(self):
        self.assertEqual(warns(message(), waiting(), LIMITS), START + 4 * HOUR)
        self.assertIsNone(warns(message(), waiting(True), LIMITS))
        self.assertIsNone(warns(message(sender=""), waiting(), LIMITS))
        self.assertIsNone(warns(message(), waiting(), QueueLimits(warn_after=0.0)))

    def test_a_bounce_ends_sooner(self):
        self.assertEqual(ends(message(sender=""), LIMITS), START + 2 * DAY)
        self.assertEqual(ends(message(), LIMITS), START + 5 * DAY)

    def test_deliver_by_ends_or_warns(self):
        soon = START + HOUR
        back = message(deliver_by=DeliverBy(soon, returns=True))
        self.assertEqual(ends(back, LIMITS), soon)
        told = message(deliver_by=DeliverBy(soon, returns=False))
        self.assertEqual(ends(told, LIMITS), START + 5 * DAY)
        self.assertEqual(warns(told, waiting(), LIMITS), soon)

    def test_future_mail_begins_when_it_may_go(self):
        future = START + 9 * DAY
        held = message(hold_until=future)
        self.assertEqual(begins(held), future)
        self.assertEqual(begins(message(hold_until=START - 1)), START)
        self.assertEqual(warns(held, waiting(), LIMITS), future + 4 * HOUR)

    def test_the_limits_say_how_long_new_mail_lives(self):
        expiry = LIMITS.expiry
        plain = MailParameters()
        self.assertEqual(expiry("a@example.org", plain, START), START + 5 * DAY)
        self.assertEqual(expiry("", plain, START), START + 2 * DAY)
        held = MailParameters(hold_until=START + DAY)
        self.assertEqual(expiry("a@example.org", held, START), START + 6 * DAY)
        wish = MailParameters(deliver_by=DeliverBy(START + 60, returns=True))
        self.assertEqual(expiry("a@example.org", wish, START), START + 60)
