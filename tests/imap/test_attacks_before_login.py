"""What attackers try on an IMAP server before anybody has logged in."""

from __future__ import annotations

from base64 import b64encode

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap import responses
from mailhub.imap.reading import BEFORE_LOGIN
from mailhub.imap.server import MAX_COMMANDS_BEFORE_LOGIN

from .fixture import LOGIN, REMOTE, Server

PLAIN = b64encode(b"\0ann@example.org\0secret")


class StartTLSInjection(SynchronousTestCase):
    """Commands in clear text must never be read as if they came encrypted."""

    def closed_without(self, client, answer):
        """TLS was not begun, the client is gone, and was not told *answer*."""
        self.assertNotIn(answer, client.received())
        self.assertTrue(client.closed)
        self.assertIsNone(client.transport.tls_context)

    def test_starttls_followed_by_commands_in_one_segment_runs_none(self):
        client = Server().connect(REMOTE)
        client.send(b"a STARTTLS\r\nb CAPABILITY\r\nc LOGIN ann@example.org secret\r\n")
        self.assertEqual(client.received(), b"a OK Begin TLS negotiation now\r\n")
        self.assertTrue(client.closed)
        self.assertIsNone(client.transport.tls_context)

    def test_starttls_followed_by_part_of_a_command_runs_nothing(self):
        for rest in (b"b", b"\r\n", b"b LOGIN {6+}\r\n", b"b LOGIN {6}\r\nsec", b"\n"):
            client = Server().connect(REMOTE)
            client.send(b"a STARTTLS\r\n" + rest)
            self.closed_without(client, b"b ")

    def test_a_literal_of_starttls_is_not_read_across_it(self):
        for literal in (b"{12+}\r\nb CAPABILITY", b"{12}\r\n", b"{0+}\r\n"):
            client = Server().connect(REMOTE)
            client.send(b"a STARTTLS " + literal + b"\r\n")
            received = client.received()
            self.assertNotIn(b"b ", received)
            self.assertNotIn(b"a OK", received)
            self.assertIsNone(client.transport.tls_context)

    def test_starttls_within_a_literal_is_only_octets(self):
        client = Server().connect(REMOTE)
        hidden = b"b STARTTLS\r\nc "
        client.send(b"a LOGIN {%d+}\r\n%b {1+}\r\nx\r\n" % (len(hidden), hidden))
        received = client.received()
        self.assertRegex(received, rb"\Aa (NO|BAD) [^\r\n]*\r\n\Z")
        self.assertIsNone(client.transport.tls_context)

    def test_a_literal_announced_in_clear_text_does_not_wait_for_tls(self):
        client = Server().connect(REMOTE)
        client.send(b"a LOGIN {6}\r\n")
        self.assertEqual(client.received(), responses.GO_AHEAD)
        client.send(b"b STARTTLS\r\n")
        self.assertRegex(client.received(), rb"\Aa (NO|BAD) [^\r\n]*\r\n\Z")
        self.assertIsNone(client.transport.tls_context)

    def test_nothing_is_kept_across_starttls(self):
        client = Server().connect()
        client.ok(b'ID ("name" "in clear text")')
        client.ok(b"CAPABILITY")
        client.ok(b"STARTTLS")
        client.finish_handshake()
        self.assertEqual(client.status(b"SELECT INBOX"), responses.WRONG_STATE)
        self.assertEqual(client.status(b"ENABLE CONDSTORE"), responses.WRONG_STATE)

    def test_who_has_logged_in_in_clear_text_cannot_start_tls(self):
        client = Server().logged_in()
        self.assertEqual(client.status(b"STARTTLS"), responses.WRONG_STATE)
        self.assertIsNone(client.transport.tls_context)


class Secrets(SynchronousTestCase):
    """Passwords are neither asked for in clear text nor written down."""

    def setUp(self):
        self.logged = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def test_no_password_is_ever_logged(self):
        for client in (Server().connect(REMOTE), Server().connect()):
            for command in (
                b"LOGIN ann@example.org wrong",
                b"LOGIN ann@example.org {5+}\r\nwrong",
                LOGIN[:-1],
                LOGIN,
                b"AUTHENTICATE PLAIN " + PLAIN,
            ):
                client.send(b"a " + command + b"\r\n")
            client.close()
        text = repr(self.logged)
        for secret in ("secret", "wrong", PLAIN.decode()):
            self.assertNotIn(secret, text)

    def test_an_exchange_in_clear_text_is_refused_before_the_password(self):
        for command in (b"AUTHENTICATE PLAIN", b"AUTHENTICATE LOGIN"):
            client = Server().connect(REMOTE)
            client.send(b"a " + command + b"\r\n")
            self.assertTrue(client.received().startswith(b"a NO [PRIVACYREQUIRED]"))

    def test_a_password_of_a_mebibyte_reaches_no_checker(self):
        for start in (
            b"a LOGIN ann@example.org {1048576+}\r\n",
            b'a LOGIN ann@example.org "',
            b"a AUTHENTICATE PLAIN ",
            b"a AUTHENTICATE PLAIN\r\n",
        ):
            server = Server()
            server.factory.portal.login = self.fail
            client = server.connect()
            client.send(start)
            for _ in range(256):
                client.send(b"x" * 4096)
            self.assertTrue(client.closed, start)


class Loitering(SynchronousTestCase):
    """Commands for nothing, to hold a connection."""

    def test_a_hundred_commands_without_a_login_are_the_most(self):
        for command in (b"NOOP", b"CAPABILITY", b"ID NIL"):
            client = Server().connect()
            for _ in range(MAX_COMMANDS_BEFORE_LOGIN - 1):
                client.ok(command)
            self.assertFalse(client.closed)
            client.send(b"a " + command + b"\r\nb NOOP\r\n")
            received = client.received()
            self.assertTrue(received.endswith(responses.TOO_MANY_COMMANDS), received)
            self.assertIn(b"a OK ", received)
            self.assertTrue(client.closed)

    def test_the_last_of_them_may_be_the_login(self):
        client = Server().connect()
        for _ in range(MAX_COMMANDS_BEFORE_LOGIN - 1):
            client.ok(b"NOOP")
        client.ok(LOGIN)
        for _ in range(MAX_COMMANDS_BEFORE_LOGIN):
            client.ok(b"NOOP")


class Slowness(SynchronousTestCase):
    """An octet every ten seconds holds no connection."""

    def test_an_octet_of_a_literal_now_and_then_before_login(self):
        size = BEFORE_LOGIN.literal
        for start in (b"a LOGIN {%d}\r\n", b"a LOGIN {%d+}\r\n", b"a XYZZY {%d+}\r\n"):
            client = Server().connect(REMOTE)
            client.send(start % size)
            client.received()
            seconds = 0
            while not client.closed and seconds < 1000:
                client.send(b"x")
                client.wait(10)
                seconds += 10
            self.assertLessEqual(seconds, 120, start)
            self.assertEqual(client.received(), responses.TOO_SLOW)

    def test_an_octet_of_an_exchange_now_and_then(self):
        client = Server().connect()
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        client.received()
        seconds = 0
        while not client.closed and seconds < 1000:
            client.send(b"A")
            client.wait(10)
            seconds += 10
        self.assertLessEqual(seconds, 120)


class BruteForce(SynchronousTestCase):
    """Guessing passwords."""

    def test_three_failed_logins_cut_the_connection(self):
        client = Server().connect()
        for _ in range(2):
            status = client.status(b"LOGIN ann@example.org wrong")
            self.assertTrue(status.startswith(b"NO [AUTHENTICATIONFAILED]"))
        client.send(b"a LOGIN ann@example.org wrong\r\nb " + LOGIN + b"\r\n")
        self.assertEqual(
            client.received(),
            b"a NO [AUTHENTICATIONFAILED] Authentication failed\r\n"
            b"* BYE Too many failed logins\r\n",
        )
        self.assertTrue(client.closed)

    def test_two_failures_leave_a_third_try(self):
        client = Server().connect()
        for _ in range(2):
            client.status(b"LOGIN ann@example.org wrong")
        client.ok(LOGIN)

    def test_failures_before_starttls_count(self):
        client = Server().connect()
        for _ in range(2):
            client.status(b"LOGIN ann@example.org wrong")
        client.ok(b"STARTTLS")
        client.send(b"a LOGIN ann@example.org wrong\r\n")
        self.assertIn(b"* BYE ", client.received())

    def test_guesses_by_exchange_count_as_well(self):
        client = Server().connect()
        wrong = b64encode(b"\0ann@example.org\0wrong")
        client.send(b"a AUTHENTICATE PLAIN " + wrong + b"\r\n")
        client.send(b"b AUTHENTICATE PLAIN\r\n" + wrong + b"\r\n")
        client.send(b"c LOGIN ann@example.org wrong\r\n")
        self.assertEqual(client.received().count(b" NO [AUTHENTICATIONFAILED]"), 3)
        self.assertTrue(client.closed)
