"""What is remembered of destinations."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queued import Lease, QueuedMessage
from mailhub.queue.lanes import LONGEST_SILENCE, MAX_KNOWN, Errand, Lanes

from .rig import DEAD


def errand(destination="example.net"):
    message = QueuedMessage(1, "Q", "", None, MailParameters(), 1, 0.0, 1.0)
    return Errand(Lease(message, destination, (), 1, 1.0), None, False)


class MemoryTests(SynchronousTestCase):
    """Nothing grows for ever (attack: a mailing to a million domains)."""

    def setUp(self):
        self.lanes = Lanes(QueueLimits())

    def attempt(self, destination, now, failure=None):
        self.lanes.add(errand(destination))
        begun = self.lanes.next(now)
        self.lanes.end(begun, now, failure, known=True)

    def test_who_was_answered_a_while_ago_is_forgotten(self):
        self.attempt("example.net", 100.0)
        self.lanes.prune(100.0 + LONGEST_SILENCE - 1)
        self.assertIn("example.net", self.lanes.known)
        self.lanes.prune(100.0 + LONGEST_SILENCE)
        self.assertEqual(self.lanes.known, {})

    def test_who_could_not_be_reached_is_remembered_for_longer(self):
        self.attempt("example.net", 100.0, DEAD)
        self.lanes.prune(100.0 + LONGEST_SILENCE)
        self.assertEqual(self.lanes.silent, 1)

    def test_no_more_than_the_limit_is_remembered(self):
        for number in range(MAX_KNOWN):
            self.attempt(f"d{number}.example", 100.0 + number / MAX_KNOWN)
        self.lanes.prune(102.0)
        self.assertEqual(len(self.lanes.known), MAX_KNOWN)
        self.attempt("one.example", 102.0)
        self.lanes.prune(102.0)
        self.assertEqual(len(self.lanes.known), MAX_KNOWN)
        self.assertNotIn("d0.example", self.lanes.known)

    def test_where_something_is_done_is_never_forgotten(self):
        self.lanes.add(errand())
        begun = self.lanes.next(0.0)
        self.lanes.prune(1e9)
        self.lanes.end(begun, 1e9, None, known=True)
        self.lanes.add(errand())
        self.lanes.prune(2e9)
        self.assertEqual(self.lanes.next(2e9).lease.destination, "example.net")
