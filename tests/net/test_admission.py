"""Tests of who may connect."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.limits import Limits
from mailhub.net.roll import Roll, network_of
from mailhub.net.shared_counts import SharedCounts, make_memory

from .talk import ConversationCase


class AdmissionTests(ConversationCase):
    """Connections are limited per address, and loopback is not counted."""

    limits = Limits(connections_per_address=3, connections=6)

    def test_one_more_than_the_limit_is_turned_away(self) -> None:
        wires = [self.connect()[1] for _ in range(4)]
        self.assertEqual([self.said(w) for w in wires[:3]], [b"hello\r\n"] * 3)
        self.assertEqual(self.said(wires[3]), b"421 CROWDED\r\n")

    def test_a_place_becomes_free_again(self) -> None:
        connections = [self.connect() for _ in range(4)]
        for connection, _ in connections[2:]:
            connection.connectionLost()
        self.assertEqual(self.said(self.connect()[1]), b"hello\r\n")

    def test_one_ipv6_network_counts_as_one_address(self) -> None:
        wires = [self.connect(f"2001:db8::{n}")[1] for n in range(1, 5)]
        self.assertEqual(self.said(wires[3]), b"421 CROWDED\r\n")
        self.assertEqual(self.said(self.connect("2001:db8:0:1::1")[1]), b"hello\r\n")

    def test_loopback_is_only_limited_in_all(self) -> None:
        wires = [self.connect("127.0.0.1")[1] for _ in range(7)]
        self.assertEqual(self.said(wires[5]), b"hello\r\n")
        self.assertEqual(self.said(wires[6]), b"421 CROWDED\r\n")

    def test_those_turned_away_in_all_free_no_place_of_their_address(self) -> None:
        """Attack: fill the service, then come more often than an address may."""
        mine = [self.connect()[0] for _ in range(3)]
        others = [self.connect(f"192.0.2.{n}")[0] for n in range(100, 103)]
        refused, wire = self.connect()
        self.assertEqual(self.said(wire), b"421 CROWDED\r\n")
        refused.connectionLost()
        for other in others:
            other.connectionLost()
        self.assertEqual(self.said(self.connect()[1]), b"421 CROWDED\r\n")
        mine[0].connectionLost()

    def test_a_factory_that_takes_another_s_place_takes_its_connections(self) -> None:
        _, wire = self.connect()
        self.said(wire)
        self.factory = type(self.factory)(
            self.factory.portal,
            service=self.factory.service,
            limits=Limits(connections_per_address=2),
            clock=self.clock,
            roll=self.factory.roll,
        )
        self.assertEqual(self.said(self.connect()[1]), b"hello\r\n")
        self.assertEqual(self.said(self.connect()[1]), b"421 CROWDED\r\n")
        self.assertEqual(self.factory.tally.accepted, 3)
        self.factory.shutdown()
        self.assertEqual(self.said(wire), b"421 SHUTDOWN\r\n")

    def test_no_timer_is_left_when_all_have_gone(self) -> None:
        connection, _ = self.connect()
        connection.dataReceived(b"quit\r\n")
        connection.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SharedAdmissionTests(ConversationCase):
    """Attack: coming to several workers, to have each limit more than once."""

    limits = Limits(connections_per_address=3, connections=6)

    def setUp(self) -> None:
        super().setUp()
        memory = make_memory(2, 1, 64, 64)
        self.addCleanup(os.close, memory)
        self.factories = []
        for row in range(2):
            counts = SharedCounts(memory, row)
            self.addCleanup(counts.close)
            self.factories.append(
                type(self.factory)(
                    self.factory.portal,
                    service="imap",
                    limits=self.limits,
                    clock=self.clock,
                    roll=Roll("imap", counts.service(0)),
                )
            )

    def come(self, worker: int, host: str = "192.0.2.1"):
        """A connection of a worker, and whether it may stay."""
        self.factory = self.factories[worker]
        connection, wire = self.connect(host)
        return connection, self.said(wire) == b"hello\r\n"

    def test_an_address_has_its_connections_in_all(self) -> None:
        came = [self.come(number % 2) for number in range(4)]
        self.assertEqual([stays for _, stays in came], [True, True, True, False])
        for connection, _ in came[1:]:
            connection.connectionLost()
        came = [self.come(1) for _ in range(3)]
        self.assertEqual([stays for _, stays in came], [True, True, False])

    def test_a_service_has_its_connections_in_all(self) -> None:
        came = [self.come(n % 2, f"192.0.2.{n}") for n in range(7)]
        self.assertEqual([stays for _, stays in came], [True] * 6 + [False])
        for connection, _ in came:
            connection.connectionLost()
        came = [self.come(0, f"192.0.2.{n}") for n in range(7)]
        self.assertEqual([stays for _, stays in came], [True] * 6 + [False])


class NetworkTests(SynchronousTestCase):
    """What counts as one peer."""

    def test_networks(self) -> None:
        for host, network in (
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("", ""),
        ):
            self.assertEqual(network_of(host), network)
