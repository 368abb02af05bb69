"""Logging in: LOGIN, AUTHENTICATE, STARTTLS."""

from __future__ import annotations

from base64 import b64encode

from twisted.cred.error import LoginDenied, UnauthorizedLogin, UnhandledCredentials
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import Busy
from mailhub.imap import responses

from .fixture import LOGIN, REMOTE, Server

PLAIN = b64encode(b"\0ann@example.org\0secret")


class LoginTests(SynchronousTestCase):
    """LOGIN (RFC 3501, section 6.2.3)."""

    def test_the_capabilities_come_with_the_ok(self):
        status = Server().connect().status(LOGIN)
        self.assertTrue(status.startswith(b"OK [CAPABILITY IMAP4rev1 LITERAL+ "))
        for word in (
            b"IDLE", b"NAMESPACE", b"UNSELECT", b"UIDPLUS", b"MOVE", b"CHILDREN",
            b"SPECIAL-USE", b"CREATE-SPECIAL-USE", b"ENABLE", b"ID", b"MULTIAPPEND",
        ):  # fmt: skip
            self.assertIn(b" " + word, status)
        self.assertNotIn(b"AUTH=", status)

    def test_names_and_passwords_may_be_quoted_or_literals(self):
        for command in (
            b'LOGIN "ann@example.org" "secret"',
            b"LOGIN {15+}\r\nann@example.org {6+}\r\nsecret",
            b'LOGIN "ann@example.org" "sec\\ret"',
        ):
            status = Server().connect().status(command)
            expected = b"BAD" if b"\\r" in command else b"OK"
            self.assertTrue(status.startswith(expected), (command, status))

    def test_synchronising_literals_get_a_go_ahead_each(self):
        client = Server().connect()
        client.send(b"a LOGIN {15}\r\n")
        self.assertEqual(client.received(), responses.GO_AHEAD)
        client.send(b"ann@example.org {6}\r\n")
        self.assertEqual(client.received(), responses.GO_AHEAD)
        client.send(b"secret\r\n")
        self.assertTrue(client.received().startswith(b"a OK "))

    def test_a_wrong_password_is_refused_without_saying_what_was_wrong(self):
        client = Server().connect()
        wrong = client.status(b"LOGIN ann@example.org wrong")
        unknown = client.status(b"LOGIN nobody@example.org wrong")
        self.assertEqual(wrong, unknown)
        self.assertEqual(wrong, b"NO [AUTHENTICATIONFAILED] Authentication failed")

    def test_every_refusal_of_an_application_s_portal_is_a_wrong_password(self):
        for kind in (UnauthorizedLogin, LoginDenied, UnhandledCredentials):
            server = Server()
            server.factory.portal.login = lambda *_, kind=kind: fail(kind())
            self.assertEqual(
                server.connect().status(LOGIN),
                b"NO [AUTHENTICATIONFAILED] Authentication failed",
            )

    def test_a_client_that_is_logged_in_cannot_log_in_again(self):
        self.assertEqual(Server().logged_in().status(LOGIN), responses.WRONG_STATE)

    def test_a_busy_server_does_not_count_as_a_failed_login(self):
        server = Server()
        waiting = Deferred()
        server.factory.portal.login = lambda *_: waiting
        client = server.connect()
        client.send(b"a LOGIN ann@example.org secret\r\n")
        self.assertEqual(client.received(), b"")
        waiting.errback(Busy("too many hashes"))
        self.assertTrue(client.received().startswith(b"a NO [UNAVAILABLE] "))
        self.assertEqual(client.protocol.session.failed_logins, 0)

    def test_the_account_is_logged_out_when_the_connection_ends(self):
        server = Server()
        ended = []
        login = server.factory.portal.login

        def counted(*args):
            return login(*args).addCallback(
                lambda granted: (*granted[:2], lambda: ended.append(True))
            )

        server.factory.portal.login = counted
        server.logged_in().close()
        self.assertEqual(ended, [True])


class AuthenticateTests(SynchronousTestCase):
    """AUTHENTICATE (RFC 3501, section 6.2.2; RFC 4959)."""

    def test_plain_with_an_initial_response(self):
        status = Server().connect().status(b"AUTHENTICATE PLAIN " + PLAIN)
        self.assertTrue(status.startswith(b"OK [CAPABILITY "))

    def test_plain_with_a_continuation(self):
        client = Server().connect()
        client.send(b"a authenticate plain\r\n")
        self.assertEqual(client.received(), b"+ \r\n")
        client.send(PLAIN + b"\r\n")
        self.assertTrue(client.received().startswith(b"a OK "))

    def test_login_asks_for_name_and_password(self):
        client = Server().connect()
        client.send(b"a AUTHENTICATE LOGIN\r\n")
        self.assertEqual(client.received(), b"+ VXNlcm5hbWU6\r\n")
        client.send(b64encode(b"ann@example.org") + b"\r\n")
        self.assertEqual(client.received(), b"+ UGFzc3dvcmQ6\r\n")
        client.send(b64encode(b"secret") + b"\r\n")
        self.assertTrue(client.received().startswith(b"a OK "))

    def test_a_client_may_give_up(self):
        client = Server().connect()
        client.send(b"a AUTHENTICATE PLAIN\r\n*\r\n")
        self.assertIn(b"a BAD ", client.received())
        client.ok(LOGIN)

    def test_bad_base64_is_bad_syntax_not_a_failed_login(self):
        client = Server().connect()
        self.assertTrue(client.status(b"AUTHENTICATE PLAIN !!!!").startswith(b"BAD"))
        self.assertEqual(client.protocol.session.failed_logins, 0)

    def test_only_one_spelling_of_base64_is_understood(self):
        for response in (
            PLAIN[:-1], PLAIN + b"=", PLAIN + b"!!", b"!!" + PLAIN, PLAIN + b" ",
            b"=", b"====", b"%00", b"\xff\xfe", b64encode(b"no nul"), b"", b"*",
            b64encode(b"\0\0\0\0"), PLAIN[:10] + b"\t" + PLAIN[10:],
        ):  # fmt: skip
            for text in (b" " + response, b"\r\n" + response):
                client = Server().connect()
                client.send(b"a AUTHENTICATE PLAIN" + text + b"\r\n")
                received = client.received().removeprefix(b"+ \r\n")
                self.assertRegex(received, rb"\Aa BAD [^\r\n]*\r\n\Z", text)
                self.assertEqual(client.protocol.session.failed_logins, 0)

    def test_acting_as_somebody_else_is_refused(self):
        response = b64encode(b"bob@example.org\0ann@example.org\0secret")
        status = Server().connect().status(b"AUTHENTICATE PLAIN " + response)
        self.assertTrue(status.startswith(b"NO [AUTHENTICATIONFAILED]"))

    def test_an_unknown_mechanism_is_refused(self):
        status = Server().connect().status(b"AUTHENTICATE CRAM-MD5")
        self.assertEqual(status, responses.NO_SUCH_MECHANISM)


class PrivacyTests(SynchronousTestCase):
    """Passwords travel encrypted, or nowhere (RFC 3501, section 6.2.3)."""

    def test_login_in_clear_text_off_loopback_is_refused(self):
        """Attack: whoever listens on the network learns the password."""
        client = Server().connect(REMOTE)
        self.assertIn(b" LOGINDISABLED]", client.greeting)
        self.assertIn(b" STARTTLS ", client.greeting)
        self.assertNotIn(b"AUTH=", client.greeting)
        for command in (LOGIN, b"AUTHENTICATE PLAIN " + PLAIN):
            status = client.status(command)
            self.assertTrue(status.startswith(b"NO [PRIVACYREQUIRED]"), status)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_login_is_allowed_on_loopback(self):
        client = Server().connect()
        self.assertNotIn(b"LOGINDISABLED", client.greeting)
        client.ok(LOGIN)

    def test_loopback_need_not_be_trusted(self):
        client = Server({"trusts_loopback": False}).connect()
        self.assertTrue(client.status(LOGIN).startswith(b"NO [PRIVACYREQUIRED]"))

    def test_everybody_can_be_trusted(self):
        Server({"trusts_everybody": True}).connect(REMOTE).ok(LOGIN)

    def test_after_starttls_login_is_allowed(self):
        client = Server().connect(REMOTE)
        client.ok(b"STARTTLS")
        self.assertIsNotNone(client.transport.tls_context)
        words = client.ok(b"CAPABILITY")
        self.assertIn(b"AUTH=PLAIN", words)
        self.assertNotIn(b"STARTTLS", words)
        client.ok(LOGIN)

    def test_starttls_works_once_and_only_with_a_certificate(self):
        client = Server().connect()
        client.ok(b"STARTTLS")
        self.assertEqual(client.status(b"STARTTLS"), responses.NO_TLS)
        client = Server({"certificates": None}).connect()
        self.assertNotIn(b"STARTTLS", client.greeting)
        self.assertEqual(client.status(b"STARTTLS"), responses.NO_TLS)

    def test_starttls_is_too_late_after_login(self):
        status = Server().logged_in().status(b"STARTTLS")
        self.assertEqual(status, responses.WRONG_STATE)
