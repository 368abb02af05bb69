"""What the protocols count, as clients see them work."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault, Refused

from ..imap import fixture as imap
from ..pop3 import fixture as pop3
from ..smtp import fixture as smtp

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


class SMTPTests(SynchronousTestCase):
    """Messages by what became of them."""

    def send(self, server: smtp.Server) -> bytes:
        player = server.in_data()
        player.send(MESSAGE + b".\r\n")
        return player.received()

    def test_messages_taken_and_their_octets(self) -> None:
        server = smtp.Server()
        self.assertTrue(self.send(server).startswith(b"250 "))
        tally = server.factory.tally
        self.assertEqual((tally.messages, tally.octets), (1, len(MESSAGE)))

    def test_messages_refused_for_good_and_for_now(self) -> None:
        server = smtp.Server()
        for error in (Refused("no"), LocalFault("disk")):
            server.avatar.wants["message"] = error
            self.send(server)
        tally = server.factory.tally
        self.assertEqual(tally.refusals, {(b"DATA", True): 1, (b"DATA", False): 1})
        self.assertEqual(tally.messages, 0)

    def test_bugs(self) -> None:
        server = smtp.Server()
        server.avatar.wants["message"] = ZeroDivisionError()
        self.send(server)
        self.assertEqual(server.factory.tally.faults, 1)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_logins_by_mechanism(self) -> None:
        server = smtp.Server("submission")
        player = server.greeted()
        player.send(b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==\r\n")
        player.send(b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n")
        self.assertEqual(
            server.factory.tally.logins, {("PLAIN", "failed"): 1, ("PLAIN", "ok"): 1}
        )

    def test_anonymous_clients_are_no_logins(self) -> None:
        server = smtp.Server()
        self.send(server)
        self.assertEqual(server.factory.tally.logins, {})


class IMAPTests(SynchronousTestCase):
    """Commands by their time."""

    def test_commands_are_timed_but_not_what_is_no_command(self) -> None:
        server = imap.Server()
        client = server.selected(messages=1)
        client.ok(b"UID FETCH 1:* FLAGS")
        client.status(b"NONSENSE")
        client.status(b"FETCH nonsense")
        counts = {n: h.count for n, h in server.factory.tally.commands.items()}
        self.assertEqual(
            counts, {b"LOGIN": 1, b"SELECT": 1, b"UID FETCH": 1, b"FETCH": 1}
        )

    def test_logins_by_mechanism(self) -> None:
        server = imap.Server()
        client = server.connect()
        client.status(b"LOGIN ann@example.org wrong")
        client.ok(b"AUTHENTICATE PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=")
        self.assertEqual(
            server.factory.tally.logins, {("LOGIN", "failed"): 1, ("PLAIN", "ok"): 1}
        )

    def test_bugs(self) -> None:
        server = imap.Server()
        client = server.logged_in()
        client.protocol.session.account.subscribe = None
        client.status(b"SUBSCRIBE x")
        self.assertEqual(server.factory.tally.faults, 1)
        self.flushLoggedErrors(TypeError)


class POP3Tests(SynchronousTestCase):
    """Commands by their time."""

    def test_commands_are_timed_but_not_what_is_no_command(self) -> None:
        server = pop3.Server()
        player = server.log_in()
        player.send(b"retr 1\r\nNONSENSE\r\nRETR 99\r\n")
        counts = {n: h.count for n, h in server.factory.tally.commands.items()}
        self.assertEqual(counts, {b"USER": 1, b"PASS": 1, b"RETR": 2})

    def test_logins_by_mechanism(self) -> None:
        server = pop3.Server()
        server.log_in()
        self.assertEqual(server.factory.tally.logins, {("USER", "ok"): 1})
