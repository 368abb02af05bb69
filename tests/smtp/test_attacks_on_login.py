"""Attacks on AUTH: clear text, base64, exchanges, guessing; and its errors."""

from __future__ import annotations

import base64

from twisted.internet.defer import fail
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.credentials import LoginThrottled
from mailhub.errors import Busy

from .fixture import REMOTE, Server

GOOD = b"AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ="
BAD = base64.b64encode(b"\0ann@example.org\0wrong")
UNDECODABLE = b"501 5.5.2 Cannot decode the response\r\n"
NO = b"535 5.7.8 Authentication credentials invalid\r\n"
YES = b"235 2.7.0 Authentication successful\r\n"


class LoginTestCase(SynchronousTestCase):
    """Keeps what is logged."""

    def setUp(self):
        self.logged = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def connect(self, service="submission", host="127.0.0.1", **options):
        self.server = Server(service, options)
        return self.server.greeted(host)

    def answer(self, player, *lines):
        for line in lines:
            player.received()
            player.send(line + b"\r\n")
        return player.received()


class ClearTextTests(LoginTestCase):
    """Row 14: no password where somebody may listen."""

    def keywords(self, player):
        return self.answer(player, b"EHLO x")

    def test_auth_in_clear_is_neither_offered_nor_taken(self):
        player = self.connect(host=REMOTE)
        self.assertNotIn(b"AUTH", self.keywords(player))
        for line in (b"AUTH PLAIN " + GOOD, b"AUTH LOGIN", b"AUTH X"):
            self.assertEqual(
                self.answer(player, line), b"538 5.7.11 Encryption required\r\n"
            )
        self.assertEqual(self.server.realm.logins, [])

    def test_this_machine_may_be_distrusted_too(self):
        player = self.connect(trusts_loopback=False)
        self.assertNotIn(b"AUTH", self.keywords(player))
        self.assertTrue(self.answer(player, b"AUTH PLAIN " + GOOD).startswith(b"538"))
        self.assertTrue(
            self.answer(player, b"MAIL FROM:<ann@example.org>").startswith(b"530")
        )

    def test_everybody_may_be_trusted_where_an_operator_says_so(self):
        player = self.connect(host=REMOTE, trusts_everybody=True)
        self.assertIn(b"AUTH PLAIN LOGIN", self.keywords(player))
        self.assertEqual(self.answer(player, b"AUTH PLAIN " + GOOD), YES)

    def test_port_25_has_no_auth_unless_it_is_given_one(self):
        self.assertNotIn(b"AUTH", self.keywords(self.connect("smtp")))
        player = self.connect("smtp", offers_login=True)
        self.assertIn(b"AUTH PLAIN LOGIN", self.keywords(player))
        self.assertEqual(self.answer(player, b"AUTH PLAIN " + GOOD), YES)

    def test_no_password_is_ever_logged(self):
        player = self.connect(host=REMOTE)
        self.answer(player, b"AUTH PLAIN " + GOOD)
        player = self.connect()
        self.answer(player, b"AUTH PLAIN " + BAD, b"AUTH PLAIN " + GOOD)
        self.assertGreater(len(self.logged), 1)
        for event in self.logged:
            text = repr(event)
            for secret in ("secret", "wrong", GOOD.decode(), BAD.decode()):
                self.assertNotIn(secret, text)


class Base64Tests(LoginTestCase):
    """Row 58: one spelling, and 501 for all others."""

    CASES = (
        GOOD[:-1], GOOD + b"=", GOOD + b"!!", b"!!" + GOOD, GOOD[:-2] + b"R=",
        GOOD.replace(b"=", b""), b"=", b"====", b"%00", GOOD[:10] + b" " + GOOD[10:],
        b"\xff\xfe", base64.b64encode(b"no nul"), base64.b64encode(b"\0\0\0\0"),
        base64.b64encode(b"\0user\0"), base64.b64encode(b"\0\0password"),
    )

    def test_initial_responses_are_decoded_strictly(self):
        for case in self.CASES:
            player = self.connect()
            reply = self.answer(player, b"AUTH PLAIN " + case)
            self.assertEqual(reply, UNDECODABLE, case)

    def test_later_responses_are_decoded_strictly(self):
        for case in self.CASES:
            player = self.connect()
            reply = self.answer(player, b"AUTH PLAIN", case)
            self.assertEqual(reply, UNDECODABLE, case)

    def test_an_authorization_identity_is_nobody_elses(self):
        for authzid, expected in ((b"ann@example.org", YES), (b"bob", NO)):
            message = base64.b64encode(authzid + b"\0ann@example.org\0secret")
            player = self.connect()
            self.assertEqual(self.answer(player, b"AUTH PLAIN " + message), expected)

    def test_an_exchange_line_of_the_limit_passes_and_one_more_does_not(self):
        name = b"A" * (12_288 - 2)
        reply = self.answer(self.connect(), b"AUTH LOGIN", name)
        self.assertEqual(reply, UNDECODABLE)
        reply = self.answer(self.connect(), b"AUTH LOGIN", name[:-2])
        self.assertEqual(reply, b"334 UGFzc3dvcmQ6\r\n")
        player = self.connect()
        reply = self.answer(player, b"AUTH LOGIN", name + b"A")
        self.assertEqual(
            reply, b"500 5.5.6 Authentication exchange line is too long\r\n"
        )
        self.assertEqual(self.answer(player, b"NOOP"), b"250 2.0.0 Ok\r\n")

    def test_a_password_of_a_mebibyte_reaches_no_checker(self):
        for start in (b"AUTH PLAIN ", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n"):
            player = self.connect()
            self.server.factory.portal.login = self.fail
            player.send(start)
            for _ in range(256):
                player.send(b"A" * 4096)
            self.assertTrue(player.closed)

    def test_a_bare_newline_in_an_exchange_ends_it(self):
        player = self.connect()
        reply = self.answer(player, b"AUTH PLAIN", GOOD + b"\n")
        self.assertTrue(reply.startswith(b"500 5.5.2 "))


class GuessingTests(LoginTestCase):
    """Row 78, and RFC 4954, sections 4 and 6."""

    def test_the_third_failure_ends_the_connection(self):
        player = self.connect()
        for _ in range(2):
            self.assertEqual(self.answer(player, b"AUTH PLAIN " + BAD), NO)
        self.assertEqual(
            self.answer(player, b"AUTH PLAIN " + BAD),
            b"421 4.7.0 Too many failed logins\r\n",
        )
        self.assertTrue(player.closed)

    def test_two_failures_leave_a_third_try(self):
        player = self.connect()
        bad = [b"AUTH PLAIN " + BAD] * 2
        self.assertEqual(self.answer(player, *bad, b"AUTH PLAIN " + GOOD), YES)

    def test_exchanges_that_are_cancelled_again_and_again_are_errors(self):
        player = self.connect()
        for _ in range(11):
            reply = self.answer(player, b"AUTH PLAIN", b"*")
        self.assertEqual(reply, b"421 4.7.0 Too many errors\r\n")

    def test_an_unknown_user_is_answered_like_a_wrong_password(self):
        player = self.connect()
        unknown = base64.b64encode(b"\0nobody@example.org\0secret")
        self.assertEqual(self.answer(player, b"AUTH PLAIN " + unknown), NO)

    def test_a_throttled_login_is_told_to_come_back_and_counts(self):
        player = self.connect()
        self.server.factory.portal.login = lambda *_: fail(LoginThrottled("slow"))
        for _ in range(2):
            self.assertEqual(
                self.answer(player, b"AUTH PLAIN " + GOOD),
                b"454 4.7.0 Temporary authentication failure\r\n",
            )
        self.answer(player, b"AUTH PLAIN " + GOOD)
        self.assertTrue(player.closed)

    def test_a_busy_portal_is_no_failure_of_the_client(self):
        player = self.connect()
        self.server.factory.portal.login = lambda *_: fail(Busy("queue full"))
        for _ in range(5):
            self.assertEqual(
                self.answer(player, b"AUTH PLAIN " + GOOD),
                b"454 4.7.0 Temporary authentication failure\r\n",
            )

    def test_a_broken_portal_is_a_fault_of_ours(self):
        player = self.connect()
        self.server.factory.portal.login = lambda *_: fail(ZeroDivisionError())
        self.assertTrue(self.answer(player, b"AUTH PLAIN " + GOOD).startswith(b"451"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
