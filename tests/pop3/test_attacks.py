"""What hostile clients try on a POP3 server."""

from __future__ import annotations

import base64
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailhub.pop3 import replies
from mailhub.pop3.session import POP3Limits

from .fixture import ELSEWHERE, Server, limits

GOOD = base64.b64encode(b"\0alice@example.org\0secret phrase")


class Attacks(SynchronousTestCase):
    """What hostile clients try."""

    def test_stls_followed_by_commands_in_one_segment_runs_none(self) -> None:
        player = Server().connect()
        player.received()
        player.send(b"STLS\r\nUSER alice@example.org\r\nPASS secret phrase\r\n")
        self.assertEqual(player.received(), replies.INPUT_BEHIND_STLS)
        self.assertTrue(player.closed)
        self.assertIsNone(player.transport.tls_context)

    def test_stls_followed_by_half_a_command_runs_nothing(self) -> None:
        player = Server().connect()
        player.received()
        player.send(b"STLS\r\nU")
        self.assertEqual(player.received(), replies.INPUT_BEHIND_STLS)
        self.assertTrue(player.closed)

    def test_stls_where_no_certificate_is(self) -> None:
        player = Server(options={}).connect()
        player.protocol.factory.certificates = None
        player.received()
        player.send(b"STLS\r\nCAPA\r\n")
        answer = player.received()
        self.assertTrue(answer.startswith(replies.NO_TLS))
        self.assertNotIn(b"STLS\r\n", answer)

    def test_an_endless_line_before_the_login_is_cut_off(self) -> None:
        player = Server().connect()
        player.received()
        held = 0
        for _ in range(1024):
            player.send(b"a" * 1024)
            if player.closed:
                break
            held = max(held, len(player.protocol._input))
        self.assertTrue(player.closed)
        self.assertEqual(player.received(), replies.FLOODED)
        self.assertLessEqual(held, 65_536)

    def test_a_line_at_its_limit_and_one_over(self) -> None:
        player = Server().connect()
        player.received()
        limit = POP3Limits().command_line
        player.send(b"USER ".ljust(limit - 2, b"x") + b"\r\n")
        self.assertEqual(player.received(), replies.SEND_PASSWORD)
        player.send(b"USER ".ljust(limit - 1, b"x") + b"\r\nUSER x\r\n")
        self.assertEqual(
            player.received(), replies.LINE_TOO_LONG + replies.SEND_PASSWORD
        )

    def test_an_over_long_line_never_becomes_commands(self) -> None:
        server = Server()
        player = server.log_in()
        for most in (0, 7):
            player.most = most
            player.send(b"NOOP " + b"x" * 5000 + b"DELE 1\r\nSTAT\r\n")
            answers = replies.LINE_TOO_LONG + b"+OK 3 110\r\n"
            self.assertEqual(player.received(), answers)

    def test_one_octet_now_and_then_is_cut(self) -> None:
        player = Server().connect()
        player.received()
        for _ in range(40):
            player.send(b"U")
            player.wait(10)
        self.assertTrue(player.closed)

    def test_a_connection_that_says_nothing_is_cut(self) -> None:
        player = Server().connect()
        player.received()
        player.wait(302)
        self.assertTrue(player.closed)
        self.assertEqual(player.received(), b"")

    def test_guessing_ends_after_three_and_locks_nobody_out(self) -> None:
        server = Server()
        player = server.connect()
        for _ in range(10):
            player.send(b"USER alice@example.org\r\nPASS guess\r\n")
        self.assertEqual(player.received().count(replies.WRONG_LOGIN), 3)
        self.assertTrue(player.closed)
        server.log_in()

    def test_exchanges_are_counted_with_passwords(self) -> None:
        player = Server().connect()
        player.received()
        player.send(b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdyb25n\r\n" * 9)
        self.assertEqual(player.received(), replies.WRONG_LOGIN * 3)
        self.assertTrue(player.closed)

    def test_an_exchange_line_at_its_limit_and_one_over(self) -> None:
        short = POP3Limits(exchange_line=102)
        player = Server(options={"pop3_limits": short}).connect()
        player.send(b"AUTH PLAIN\r\n")
        player.received()
        player.send(b"A" * 100 + b"\r\n")
        self.assertEqual(player.received(), replies.MALFORMED)
        player.send(b"AUTH PLAIN\r\n")
        player.received()
        player.send(b"A" * 101 + b"\r\nQUIT\r\n")
        self.assertEqual(player.received(), replies.MALFORMED + replies.LOGGING_OUT)

    def test_cleartext_passwords_can_be_refused_and_allowed(self) -> None:
        for options, peer, answer in (
            ({}, ELSEWHERE, replies.NEED_TLS),
            ({"trusts_everybody": True}, ELSEWHERE, replies.SEND_PASSWORD),
            ({"trusts_loopback": False}, None, replies.NEED_TLS),
            ({}, None, replies.SEND_PASSWORD),
        ):
            player = Server(options=options).connect(peer)
            player.received()
            player.send(b"USER alice@example.org\r\n")
            self.assertEqual(player.received(), answer)

    def test_no_secret_is_in_a_log_event(self) -> None:
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        for peer in (None, ELSEWHERE):
            player = Server().connect(peer)
            player.send(b"USER alice@example.org\r\nPASS hunter2\r\n")
            player.send(b"AUTH PLAIN AGFsaWNlAGh1bnRlcjI=\r\nPASS hunter2\r\n")
        told = repr(events)
        self.assertNotIn("hunter2", told)
        self.assertNotIn("AGFsaWNlAGh1bnRlcjI", told)

    def test_too_many_connections_from_one_address_are_told(self) -> None:
        server = Server(options=limits(connections_per_address=2))
        for _ in range(2):
            self.assertFalse(server.connect(ELSEWHERE).closed)
        third = server.connect(ELSEWHERE)
        self.assertEqual(third.received(), replies.CROWDED)
        self.assertTrue(third.closed)

    def test_a_hundred_commands_without_a_login_are_the_most(self) -> None:
        most = POP3Limits().early
        for line in (b"CAPA\r\n", b"USER alice@example.org\r\n"):
            player = Server().connect()
            player.send(line * most)
            self.assertFalse(player.closed)
            player.received()
            player.send(line * 2)
            self.assertEqual(player.received(), replies.TOO_MANY_COMMANDS)
            self.assertTrue(player.closed)

    def test_the_last_of_them_may_be_the_login(self) -> None:
        most = POP3Limits().early
        player = Server().connect()
        player.send(b"CAPA\r\n" * (most - 2))
        player.send(b"USER alice@example.org\r\nPASS secret phrase\r\n")
        self.assertTrue(player.received().endswith(replies.LOGGED_IN))
        player.send(b"NOOP\r\n" * most)
        self.assertEqual(player.received(), replies.OK * most)

    def test_only_one_spelling_of_base64_is_understood(self) -> None:
        for response in (
            GOOD[:-1], GOOD + b"=", GOOD + b"!!", b"!!" + GOOD, GOOD + b" ", b"=",
            b"====", b"%00", b"\xff\xfe", base64.b64encode(b"no nul"),
            base64.b64encode(b"\0\0\0\0"), GOOD[:10] + b"\t" + GOOD[10:], b"*",
        ):  # fmt: skip
            for lines in (
                b"AUTH PLAIN " + response + b"\r\n",
                b"AUTH PLAIN\r\n" + response + b"\r\n",
            ):
                player = Server().connect()
                player.received()
                player.send(lines)
                answer = player.received().removeprefix(b"+ \r\n")
                self.assertEqual(answer, replies.MALFORMED, lines)
        player.send(b"AUTH PLAIN " + GOOD + b"\r\n")
        self.assertEqual(player.received(), replies.LOGGED_IN)

    def test_a_password_of_a_mebibyte_reaches_no_checker(self) -> None:
        for start in (b"PASS ", b"AUTH PLAIN ", b"AUTH PLAIN\r\n"):
            server = Server()
            server.factory.portal.login = self.fail
            player = server.connect()
            player.send(b"USER alice@example.org\r\n" + start)
            for _ in range(256):
                player.send(b"x" * 4096)
            self.assertTrue(player.closed)

    def test_a_password_in_pieces_has_to_come_in_time(self) -> None:
        player = Server().connect()
        player.send(b"AUTH PLAIN\r\n")
        while not player.closed and player.clock.seconds() < 1000:
            player.send(b"A")
            player.wait(10)
        self.assertLessEqual(player.clock.seconds(), 120)

    def test_a_slow_login_lets_no_command_pass(self) -> None:
        server = Server()
        held: Deferred[Any] = Deferred()
        login = server.factory.portal.login

        def slowly(*args: Any) -> Deferred[Any]:
            return held.addCallback(lambda _: login(*args))

        server.factory.portal.login = slowly
        player = server.connect()
        player.send(b"USER alice@example.org\r\nPASS secret phrase\r\nSTAT\r\n")
        self.assertTrue(player.received().endswith(replies.SEND_PASSWORD))
        held.callback(None)
        self.assertEqual(player.received(), replies.LOGGED_IN + b"+OK 3 110\r\n")


class Arguments(SynchronousTestCase):
    """Row 84 of the house's list, and failure 21 of twisted.mail."""

    BEFORE = (
        b"USER", b"USER ", b"PASS", b"AUTH", b"AUTH ", b"APOP a b c d", b"APOP",
        b"CAPA x", b"STLS x", b"QUIT x", b"TOP 1 -1", b"", b" ", b"\0", b"\xff\xfe",
    )  # fmt: skip
    AFTER = (
        b"TOP 1 -1", b"TOP", b"TOP 1", b"TOP 1 2 3", b"TOP x 1", b"TOP 1 1e3",
        b"LIST 9..9", b"LIST 1 2", b"LIST -1", b"LIST 1_0", b"LIST +1", b"LIST 1.",
        b"RETR", b"RETR 1 2", b"RETR x", b"RETR 99999999999999999999", b"DELE",
        b"DELE \xb2", b"DELE 0x1", b"UIDL -1", b"UIDL 1 1", b"STAT 1", b"NOOP x",
        b"RSET x", b"QUIT x", b"APOP a b c d", b"USER x", b"PASS x",
    )  # fmt: skip

    def test_no_argument_ends_a_session_before_the_login(self) -> None:
        for line in self.BEFORE:
            player = Server().connect()
            player.received()
            player.send(line + b"\r\n")
            self.assertRegex(player.received(), rb"\A-ERR [^\r\n]+\r\n\Z", line)
            player.send(b"USER alice@example.org\r\n")
            self.assertEqual(player.received(), replies.SEND_PASSWORD, line)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_no_argument_ends_a_session_after_the_login(self) -> None:
        for line in self.AFTER:
            server = Server()
            player = server.log_in()
            player.send(line + b"\r\n")
            self.assertRegex(player.received(), rb"\A-ERR [^\r\n]+\r\n\Z", line)
            player.send(b"STAT\r\nQUIT\r\n")
            self.assertEqual(player.received(), b"+OK 3 110\r\n" + replies.LOGGING_OUT)
            self.assertEqual(server.uids(), [1, 2, 3])
        self.assertEqual(self.flushLoggedErrors(), [])
