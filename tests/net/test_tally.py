"""Tests of what is counted about connections, whatever protocol they speak."""

from __future__ import annotations

from collections import Counter

from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.credentials import LoginFailed, LoginThrottled
from mailhub.errors import LocalFault, Refused
from mailhub.net.limits import Limits
from mailhub.net.tally import Tally

from .talk import ConversationCase


class TallyTests(SynchronousTestCase):
    """Counting, without connections."""

    def test_logins_are_counted_by_what_came_of_them(self) -> None:
        tally = Tally()
        for error in (
            None,
            LoginFailed("x"),
            UnauthorizedLogin("x"),
            LoginThrottled("x"),
            LocalFault("x"),
            ZeroDivisionError("x"),
        ):
            tally.logged_in("PLAIN", error)
        expected = {"ok": 1, "failed": 2, "throttled": 1, "unavailable": 2}
        self.assertEqual(
            tally.logins, Counter({("PLAIN", k): n for k, n in expected.items()})
        )

    def test_peers_without_a_name_do_not_log_in(self) -> None:
        tally = Tally()
        tally.logged_in("")
        self.assertEqual(tally.logins, Counter())

    def test_commands_are_timed_by_name(self) -> None:
        tally = Tally()
        tally.took(b"FETCH", 0.5)
        tally.took(b"FETCH", 0.25)
        tally.took(b"NOOP", 0.0)
        self.assertEqual(tally.commands[b"FETCH"].count, 2)
        self.assertEqual(tally.commands[b"FETCH"].total, 0.75)
        self.assertEqual(tally.commands[b"NOOP"].count, 1)

    def test_refusals_are_for_good_or_for_now(self) -> None:
        tally = Tally()
        tally.refused(b"RCPT", Refused("no"))
        tally.refused(b"RCPT", LocalFault("disk"))
        self.assertEqual(
            tally.refusals, Counter({(b"RCPT", True): 1, (b"RCPT", False): 1})
        )


class ConnectionTests(ConversationCase):
    """What connections add to it."""

    limits = Limits(connections_per_address=1, connections=2)

    def test_connections_are_counted_with_those_turned_away(self) -> None:
        for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"):
            self.connect(host)
        tally = self.factory.tally
        self.assertEqual(tally.accepted, 4)
        self.assertEqual(
            tally.turned_away, {"connections_per_address": 1, "connections": 2}
        )

    def test_a_server_that_stops_turns_all_away(self) -> None:
        self.factory.shutdown()
        self.connect()
        self.assertEqual(self.factory.tally.turned_away, {"drain": 1})

    def test_a_clear_text_connection_breaks_no_handshake(self) -> None:
        for _ in range(2):
            connection, _ = self.connect()
            connection.connectionLost()
        self.assertEqual(self.factory.tally.broken_handshakes, 0)

    def test_tls_that_is_never_agreed_on_is_counted(self) -> None:
        connection, _ = self.connect()
        connection.dataReceived(b"tls\r\n")
        connection.connectionLost()
        self.assertEqual(self.factory.tally.broken_handshakes, 1)

    def test_one_that_was_turned_away_breaks_no_handshake(self) -> None:
        self.factory.implicit_tls = True
        self.factory.shutdown()
        connection, _ = self.connect()
        connection.connectionLost()
        self.assertEqual(self.factory.tally.broken_handshakes, 0)

    def test_implicit_tls_that_never_comes_is_counted(self) -> None:
        self.factory.implicit_tls = True
        connection, _ = self.connect()
        connection.connectionLost()
        self.assertEqual(self.factory.tally.broken_handshakes, 1)
