"""A fault of ours that lasts: at most one line a second, however many clients."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault, Refused
from mailhub.logbook import Complaints

from ..imap import fixture as imap
from ..pop3 import fixture as pop3
from ..smtp import fixture as smtp

BROKEN = LocalFault("the disk is read-only")


class ComplaintTests(SynchronousTestCase):
    """What each protocol says of a store that takes nothing."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[dict[str, Any]] = []
        observer = self.said.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def count(self, *levels: LogLevel) -> int:
        """How many events there were since this was asked last."""
        found = [event for event in self.said if event["log_level"] in levels]
        self.said.clear()
        return len(found)

    def serious(self) -> int:
        return self.count(LogLevel.warn, LogLevel.error, LogLevel.critical)

    def test_smtp(self) -> None:
        server = smtp.Server()
        server.factory.complaints = Complaints(self.clock.seconds)
        server.avatar.wants["message"] = BROKEN
        for expected in (1, 0, 0):
            player = server.in_data()
            player.send(b"x\r\n.\r\n")
            self.assertTrue(player.received().startswith(b"451 "))
            self.assertEqual(self.serious(), expected)
        self.clock.advance(1)
        server.in_data().send(b"x\r\n.\r\n")
        self.assertEqual(self.serious(), 1)
        self.assertEqual(server.factory.tally.refusals[b"DATA", False], 4)

    def test_every_refusal_that_is_the_client_s_own_fault_is_told(self) -> None:
        server = smtp.Server()
        server.avatar.wants["message"] = Refused("no")
        for _ in range(3):
            server.in_data().send(b"x\r\n.\r\n")
        self.assertEqual(self.count(LogLevel.info), 3)

    def test_pop3(self) -> None:
        server = pop3.Server()
        server.factory.complaints = Complaints(self.clock.seconds)

        async def broken(*arguments: object) -> None:
            raise BROKEN

        player = server.log_in()
        player.received()
        player.protocol.session.maildrop.content = broken
        for expected in (1, 0, 0):
            player.send(b"RETR 1\r\n")
            self.assertTrue(player.received().startswith(b"-ERR [SYS/TEMP]"))
            self.assertEqual(self.serious(), expected)

    def test_imap(self) -> None:
        server = imap.Server()
        server.factory.complaints = Complaints(self.clock.seconds)
        client = server.selected()

        async def broken(since: int) -> None:
            raise BROKEN

        client.protocol.session.mailbox.changes = broken
        server.deliver()
        for expected in (1, 0, 0):
            client.ok(b"NOOP")
            self.assertEqual(self.serious(), expected)
        self.flushLoggedErrors(LocalFault)

    def test_a_bug_that_comes_again_and_again_is_told_once_a_second(self) -> None:
        """Attack: a message that makes some code of ours fail, to fill the log."""
        server = smtp.Server()
        server.factory.bugs = Complaints(self.clock.seconds)
        server.avatar.wants["message"] = ZeroDivisionError("a bug")
        for expected in (1, 0, 0):
            player = server.in_data()
            player.send(b"x\r\n.\r\n")
            self.assertTrue(player.received().startswith(b"451 4.3.0 "))
            self.assertEqual(self.serious(), expected)
        self.clock.advance(1)
        server.in_data().send(b"x\r\n.\r\n")
        self.assertEqual(self.serious(), 1)
        self.assertEqual(server.factory.tally.faults, 4)
        self.flushLoggedErrors(ZeroDivisionError)
