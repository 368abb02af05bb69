"""A line without an end, before any login, in each protocol."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.reading import BEFORE_LOGIN
from mailhub.net.limits import Limits
from mailhub.pop3.session import POP3Limits
from mailhub.smtp.session import SMTPLimits

from .dialogues.runner import Player
from .imap.fixture import Server as IMAPServer
from .pop3.fixture import Server as POP3Server
from .smtp.fixture import Server as SMTPServer

#: What arrives at once: as much as Twisted reads from a socket, and less.
SEGMENTS = (1_000, 4_096, 65_536)
MEBIBYTE = 1 << 20
LIMITS = Limits()
#: What a connection may hold that nobody has logged in on.
MOST = 65_536


class EndlessLineTests(SynchronousTestCase):
    """Row 5 of the house's list, and failure 3 of twisted.mail.

    A line over its limit is thrown away as it comes, in the hope of its end; there
    is so much hope and no more.
    """

    def check(self, connect: Callable[[], Player], limit: int, last: bytes) -> None:
        for segment in SEGMENTS:
            player = connect()
            player.received()
            sent = held = 0
            while not player.closed and sent < MEBIBYTE:
                player.send(b"a" * segment)
                sent += segment
                held = max(held, len(player.protocol._input))
            self.assertTrue(player.closed)
            self.assertLessEqual(sent, limit + LIMITS.discard + 2 * segment)
            self.assertLessEqual(held, limit + segment)
            self.assertLessEqual(held, MOST + segment)
            self.assertIn(last, player.received())
            self.assertEqual(player.protocol.factory.connections, set())

    def test_an_endless_line_is_not_kept_by_smtp(self) -> None:
        for service in ("smtp", "submission", "lmtp"):
            self.check(SMTPServer(service).connect, SMTPLimits().command_line, b"421 ")

    def test_an_endless_line_is_not_kept_by_pop3(self) -> None:
        self.check(POP3Server().connect, POP3Limits().command_line, b"-ERR ")

    def test_an_endless_line_is_not_kept_by_imap(self) -> None:
        self.check(IMAPServer().connect, BEFORE_LOGIN.line, b"* BYE ")

    def test_an_endless_line_of_an_exchange_is_not_kept(self) -> None:
        def submission() -> Player:
            player = SMTPServer("submission").greeted()
            player.send(b"AUTH PLAIN\r\n")
            return player

        def pop3() -> Player:
            player = POP3Server().connect()
            player.send(b"AUTH PLAIN\r\n")
            return player

        def imap() -> Player:
            player = IMAPServer().connect()
            player.send(b"a AUTHENTICATE PLAIN\r\n")
            return player

        self.check(submission, SMTPLimits().exchange_line, b"421 ")
        self.check(pop3, POP3Limits().exchange_line, b"-ERR ")
        self.check(imap, BEFORE_LOGIN.line, b"* BYE ")

    def test_an_endless_line_while_the_server_works_is_not_read(self) -> None:
        """Nothing can be unread, so reading stops where enough waits."""
        server = SMTPServer()
        server.avatar.wants["sender"] = Deferred()
        player = server.greeted()
        player.send(b"MAIL FROM:<a@example.com>\r\n" + b"a" * (MOST - 1))
        self.assertEqual(player.transport.producerState, "producing")
        player.send(b"a")
        self.assertEqual(player.transport.producerState, "paused")
        self.assertEqual(len(player.protocol._input), MOST)
