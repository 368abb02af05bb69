"""The loop around the commands: order, states, bugs, endings."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub import errors
from mailhub.imap import responses
from mailhub.imap.commands.table import COMMANDS
from mailhub.imap.session import State

from .fixture import Server


class LoopTests(SynchronousTestCase):
    """Commands are answered one after the other, whatever happens."""

    def test_pipelined_commands_are_answered_in_order(self):
        client = Server().logged_in()
        client.send(b"a SELECT INBOX\r\nb FETCH 1:* UID\r\nc CLOSE\r\nd LOGOUT\r\n")
        received = client.received()
        places = [
            received.index(tag + b" OK") for tag in (b"\r\na", b"\r\nb", b"\r\nc")
        ]
        self.assertEqual(places, sorted(places))

    def test_a_slow_command_holds_those_behind_it(self):
        server = Server()
        client = server.logged_in()
        held = Deferred()
        client.protocol.session.account.subscribe = lambda name: held
        client.send(b"a SUBSCRIBE x\r\nb NOOP\r\n")
        self.assertEqual(client.received(), b"")
        held.callback(None)
        self.assertEqual(
            client.received(), b"a OK SUBSCRIBE completed\r\nb OK NOOP completed\r\n"
        )

    def test_a_bug_costs_one_command_and_is_logged(self):
        client = Server().logged_in()

        def broken(name):
            raise ZeroDivisionError

        client.protocol.session.account.subscribe = broken
        self.assertEqual(client.status(b"SUBSCRIBE x"), responses.SERVER_BUG)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client.ok(b"NOOP")

    def test_a_command_that_works_pays_for_errors_before_it(self):
        client = Server().logged_in()
        for _ in range(5):
            for _ in range(9):
                self.assertTrue(client.status(b"XLIST x").startswith(b"BAD"))
            client.ok(b"NOOP")
        self.assertFalse(client.closed)

    def test_news_that_cannot_be_had_now_are_told_later(self):
        server = Server()
        client = server.selected()
        mailbox = client.protocol.session.mailbox
        changes = mailbox.changes

        def broken(since):
            raise errors.LocalFault("no database")

        server.deliver()
        mailbox.changes = broken
        self.assertEqual(client.ok(b"NOOP"), b"")
        self.assertEqual(len(self.flushLoggedErrors(errors.LocalFault)), 1)
        mailbox.changes = changes
        self.assertIn(b"* 1 EXISTS", client.ok(b"LIST x x"))

    def test_the_words_of_commands_are_read_in_any_case(self):
        client = Server().selected(messages=1)
        client.ok(b"noop")
        client.ok(b"uId fEtCh 1 flags")

    def test_each_command_is_refused_in_a_wrong_state(self):
        for command in COMMANDS.values():
            for state, client in (
                (State.NOT_AUTHENTICATED, Server().connect()),
                (State.AUTHENTICATED, Server().logged_in()),
                (State.SELECTED, Server().selected()),
            ):
                if not command.states & state:
                    status = client.status(command.name)
                    self.assertEqual(status, responses.WRONG_STATE, command.name)

    def test_shutdown_says_goodbye(self):
        server = Server()
        client = server.selected()
        server.factory.shutdown()
        self.assertEqual(client.received(), responses.SHUTTING_DOWN)
        self.assertTrue(client.closed)

    def test_too_many_connections_are_told_so(self):
        limits = replace(Server().factory.limits, connections=1)
        server = Server({"limits": limits})
        server.connect()
        self.assertEqual(server.connect().greeting, responses.CROWDED)

    def test_before_login_patience_is_short(self):
        server = Server()
        client = server.connect()
        client.wait(server.factory.limits.login_idle - 1)
        self.assertFalse(client.closed)
        client.wait(2)
        self.assertEqual(client.received(), responses.IDLE_TOO_LONG)

    def test_after_login_it_is_half_an_hour(self):
        """RFC 3501, section 5.4: at least 30 minutes."""
        server = Server()
        client = server.logged_in()
        client.wait(server.factory.limits.idle - 1)
        self.assertGreater(client.clock.seconds(), 1800)
        self.assertFalse(client.closed)
        client.wait(2)
        self.assertEqual(client.received(), responses.IDLE_TOO_LONG)


class ResponseTests(SynchronousTestCase):
    """Every kind of error has its words, in one place (RFC 5530)."""

    def test_each_kind_of_error_has_its_code(self):
        for error, start in (
            (errors.SyntaxFault("x"), b"BAD "),
            (errors.Refused("[x] no"), b"NO "),
            (errors.NoSuchMailbox(), b"NO [NONEXISTENT] "),
            (errors.MailboxExists(), b"NO [ALREADYEXISTS] "),
            (errors.InvalidMailboxName(), b"NO [CANNOT] "),
            (errors.MailboxInUse(), b"NO [INUSE] "),
            (errors.ReadOnlyMailbox(), b"NO [READ-ONLY] "),
            (errors.NotPermitted(), b"NO [CANNOT] "),
            (errors.OverQuota(), b"NO [OVERQUOTA] "),
            (errors.MessageTooLarge(), b"NO [TOOBIG] "),
            (errors.LimitReached(), b"NO [LIMIT] "),
            (errors.AuthenticationFailed(), b"NO [AUTHENTICATIONFAILED] "),
            (errors.TooManyAttempts(), b"NO [UNAVAILABLE] "),
            (errors.EncryptionRequired(), b"NO [PRIVACYREQUIRED] "),
            (errors.Busy(), b"NO [UNAVAILABLE] "),
            (errors.StorageFull(), b"NO [UNAVAILABLE] "),
            (errors.LocalFault("secret path"), b"NO [UNAVAILABLE] "),
            (errors.MailError("whatever"), b"NO "),
        ):
            status = responses.response_for(error)
            self.assertTrue(status.startswith(start), (error, status))
            self.assertNotIn(b"secret", status)
            self.assertNotIn(b"\r", status)

    def test_a_refusal_s_text_is_no_response_code(self):
        status = responses.response_for(errors.Refused("[ALERT] send money"))
        self.assertFalse(status.startswith(b"NO ["))
