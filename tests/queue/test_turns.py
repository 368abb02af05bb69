"""Tests for :mod:`mailhub.queue.turns`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.queue.turns import ByTurns


class ByTurnsTests(SynchronousTestCase):
    """One of each after the other."""

    def setUp(self):
        self.turns = ByTurns()

    def add(self, text):
        for each in text.split():
            self.turns.append(each[0], each)

    def order(self):
        return [self.turns.popleft() for _ in range(len(self.turns))]

    def test_one_alone_leaves_in_order(self):
        self.add("a1 a2 a3")
        self.assertEqual(self.order(), ["a1", "a2", "a3"])

    def test_who_has_little_does_not_wait_for_who_has_much(self):
        self.add("a1 a2 a3 a4 a5 b1 b2 c1")
        self.assertEqual(" ".join(self.order()), "a1 b1 c1 a2 b2 a3 a4 a5")

    def test_who_comes_later_waits_for_one_of_each_other(self):
        self.add("a1 a2 a3 b1 b2 b3")
        self.turns.popleft()
        self.add("c1")
        self.assertEqual(" ".join(self.order()), "b1 a2 c1 b2 a3 b3")

    def test_all_can_be_seen_and_cleared(self):
        self.add("a1 b1 a2")
        self.assertEqual(sorted(self.turns), ["a1", "a2", "b1"])
        self.assertTrue(self.turns)
        self.turns.clear()
        self.assertEqual((list(self.turns), len(self.turns)), ([], 0))
        self.assertFalse(self.turns)
