"""Tests for :mod:`tests.faults.promises`: who may be where at which moment."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .promises import NOWHERE, Book, Found, judge

USER = "one@example.org"
INBOX, ARCHIVE = ("INBOX", ()), ("Archive", ())


class JudgeTests(SynchronousTestCase):
    """A message comes, is moved, and goes."""

    def setUp(self):
        self.book = Book()
        self.steps = []
        for number, places in enumerate(((INBOX,), (ARCHIVE,), NOWHERE), 1):
            step = self.book.begin(f"step {number}", {(0, USER): places})
            step.begun = number * 10
            self.steps.append(step)

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.steps[number - 1].answered = number * 10 + 5

    def judge(self, *places, moment: float = 1000, key=(0, USER)):
        found = Found()
        found.places[key] += places
        return judge(self.book, found, moment)

    def test_what_was_answered_must_be_and_what_was_begun_may_be(self):
        self.answer(1)
        for places in ((INBOX,), (ARCHIVE,)):
            self.assertTrue(self.judge(*places, moment=25).is_clean)
        self.assertTrue(self.judge(moment=25).lost)

    def test_what_was_not_begun_must_not_be(self):
        self.answer(1)
        self.assertTrue(self.judge(ARCHIVE, moment=16).wrong)
        self.assertTrue(self.judge(INBOX, moment=5).doubled)

    def test_a_message_in_both_mailboxes_is_double(self):
        self.answer(1)
        self.assertTrue(self.judge(INBOX, ARCHIVE, moment=25).doubled)

    def test_what_was_expunged_stays_away(self):
        self.answer(1, 2, 3)
        self.assertTrue(self.judge().is_clean)
        self.assertTrue(self.judge(ARCHIVE).doubled)

    def test_flags_are_part_of_the_promise(self):
        self.answer(1, 2)
        self.assertTrue(self.judge(("Archive", ("\\Deleted",)), moment=26).wrong)

    def test_half_an_operation_is_none(self):
        other = (0, "two@example.org")
        self.book.begin("to both", {(1, USER): (INBOX,), (1, other[1]): (INBOX,)})
        self.book.operations[-1].begun = 1
        found = Found()
        found.places[1, USER].append(INBOX)
        self.assertTrue(judge(self.book, found, 5).wrong)
        found.places[1, other[1]].append(INBOX)
        self.assertTrue(judge(self.book, found, 5).is_clean)

    def test_a_stranger_is_damage(self):
        self.answer(1, 2, 3)
        self.assertTrue(self.judge(INBOX, key=(77, USER)).damage)

    def test_what_was_found_once_must_be_found_again(self):
        found = Found()
        found.places[0, USER].append(INBOX)
        self.book.settle(found)
        self.assertTrue(judge(self.book, Found()).lost)
        self.assertTrue(judge(self.book, found).is_clean)

    def test_nothing_that_was_never_answered_is_promised(self):
        self.assertTrue(judge(self.book, Found()).is_clean)
