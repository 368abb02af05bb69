"""Turns at one server."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.outbound.crowd import Crowd
from mailhub.outbound.places import Place

HERE, THERE = Place("192.0.2.1", 25, "a.example"), Place("192.0.2.2", 25, "a.example")


class CrowdTests(SynchronousTestCase):
    """So many at a time, and those who wait in order."""

    def setUp(self) -> None:
        self.crowd = Crowd(2)

    def enter(self, place: Place = HERE) -> Deferred[None]:
        return Deferred.fromCoroutine(self.crowd.enter(place))

    def test_so_many_and_no_more(self) -> None:
        entered = [self.enter() for _ in range(4)]
        self.assertEqual([each.called for each in entered], [True, True, False, False])
        self.assertTrue(self.enter(THERE).called)
        self.crowd.leave(HERE)
        self.assertEqual([each.called for each in entered], [True, True, True, False])
        self.crowd.leave(HERE)
        self.assertTrue(entered[3].called)

    def test_names_do_not_matter(self) -> None:
        for _ in range(2):
            self.enter()
        self.assertFalse(self.enter(Place("192.0.2.1", 25, "b.example")).called)

    def test_who_gives_up_takes_no_turn(self) -> None:
        entered = [self.enter() for _ in range(4)]
        entered[2].cancel()
        self.failureResultOf(entered[2], CancelledError)
        self.crowd.leave(HERE)
        self.assertTrue(entered[3].called)

    def test_nothing_is_remembered_when_all_have_left(self) -> None:
        for _ in range(3):
            self.enter()
        for _ in range(3):
            self.crowd.leave(HERE)
        self.assertEqual((self.crowd._inside, self.crowd._waiting), ({}, {}))
        self.assertTrue(self.enter().called)
