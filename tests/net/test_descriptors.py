"""Tests of how many connections the descriptors are enough for."""

from __future__ import annotations

import resource

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net import descriptors
from mailhub.net.descriptors import Capacity, connections_possible, raise_limit
from mailhub.net.listen import Entrance
from mailhub.net.roll import Roll

from .talk import ConversationCase


class LimitTests(SynchronousTestCase):
    """The limit of open files, RLIMIT_NOFILE in setrlimit(2)."""

    def setUp(self) -> None:
        self.limits = (256, 4096)
        self.patch(resource, "getrlimit", lambda kind: self.limits)
        self.patch(resource, "setrlimit", self.set_limits)

    def set_limits(self, kind: int, limits: tuple[int, int]) -> None:
        self.limits = limits

    def test_the_process_gets_what_the_system_allows(self) -> None:
        raise_limit()
        self.assertEqual(self.limits, (4096, 4096))
        self.assertEqual(connections_possible(), 4032 - 4032 // 8)

    def test_what_the_system_does_not_allow_after_all_stays(self) -> None:
        def refuse(kind: int, limits: tuple[int, int]) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "setrlimit", refuse)
        raise_limit()
        self.assertEqual(self.limits, (256, 4096))

    def test_some_descriptors_are_never_for_connections(self) -> None:
        self.limits = (1024, 1024)
        self.assertEqual(connections_possible(), 840)
        self.assertLess(connections_possible() + descriptors.RESERVE, 1024)

    def test_a_limit_below_the_reserve_leaves_one_connection(self) -> None:
        self.limits = (32, 32)
        self.assertEqual(connections_possible(), 1)

    def test_no_limit_at_all(self) -> None:
        self.limits = (resource.RLIM_INFINITY,) * 2
        self.assertGreater(connections_possible(), 900_000)


class CapacityTests(ConversationCase):
    """Attack: a storm of connections takes the last descriptor."""

    def setUp(self) -> None:
        super().setUp()
        self.capacity = Capacity(3)
        self.factory.roll.capacity = self.capacity

    def test_one_more_than_there_is_room_for_is_turned_away(self) -> None:
        wires = [self.connect()[1] for _ in range(4)]
        self.assertEqual([self.said(w) for w in wires[:3]], [b"hello\r\n"] * 3)
        self.assertEqual(self.said(wires[3]), b"421 CROWDED\r\n")
        self.assertEqual(self.factory.tally.turned_away["descriptors"], 1)

    def test_all_services_of_a_process_share_it(self) -> None:
        self.capacity.open = 2
        self.assertEqual(self.said(self.connect()[1]), b"hello\r\n")
        self.assertEqual(self.said(self.connect()[1]), b"421 CROWDED\r\n")

    def test_who_leaves_makes_room(self) -> None:
        connections = [self.connect() for _ in range(4)]
        for connection, _ in connections[2:]:
            connection.connectionLost(ConnectionDone())
        self.assertEqual(self.capacity.open, 2)
        self.assertEqual(self.said(self.connect()[1]), b"hello\r\n")

    def test_implicit_tls_is_closed_before_it_costs_anything(self) -> None:
        entrance = Entrance(self.factory, self.clock)
        self.factory.implicit_tls = True
        self.capacity.open = 3
        self.assertIsNone(entrance.buildProtocol(None))
        self.assertEqual(self.factory.tally.turned_away["descriptors"], 1)
        self.factory.implicit_tls = False
        self.assertIsNotNone(entrance.buildProtocol(None))

    def test_a_roll_alone_has_the_capacity_of_the_process(self) -> None:
        self.assertEqual(Roll("x").capacity.most, connections_possible())
