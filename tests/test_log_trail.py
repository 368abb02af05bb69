"""A message in the log, from its way in to its end, found by its Message-ID."""

from __future__ import annotations

import re
import smtplib

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher

from mailhub.config.settings import Outbound

from .servers import PASSWORD, TIMEOUT, USER, Servers

NAME = "<unique@example.com>"
MESSAGE = f"Message-ID: {NAME}\r\nSubject: x\r\n\r\nbody\r\n".encode()


class LogTrailTests(Servers):
    """What people look for: ``grep MESSAGE-ID``, then the name it had here."""

    timeout = 30

    async def start_servers(self) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)
        self.other = await self.start(self.memory())
        host, port = self.other.addresses()["smtp"]
        way = Outbound(routes=(("*", f"smtp:{host}:{port}"),), allow_private=True)
        self.server = await self.start(self.memory(outbound=way))
        for server in (self.server, self.other):
            await self.add_user(server)

    def note(self, event) -> None:
        self.lines.append(formatEvent(event))

    def found(self, text: str) -> list[str]:
        """What grep(1) finds."""
        return [line for line in self.lines if text in line]

    async def submit(self, *recipients: str) -> None:
        def talk() -> None:
            address = self.server.addresses()["submission"]
            with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
                client.login(USER, PASSWORD)
                client.sendmail(USER, recipients, MESSAGE)

        await deferToThread(talk)

    async def until(self, pattern: str) -> str:
        while not (lines := [e for e in self.lines if re.search(pattern, e)]):
            await deferLater(reactor, 0.01)
        return lines[0]

    async def test_from_one_server_to_the_other(self):
        await self.start_servers()
        await self.submit("nobody@far.example", "jo@elsewhere.example")
        line = await self.until(re.escape(NAME))
        here = line.split(":")[0]
        self.assertRegex(line, rf"^{here}: \d+ octets from {USER} for 2 taken, ")
        await self.until(rf"^{here}: 'nobody@far.example' failed \(5\.")
        rejected = self.found("rejected")
        self.assertTrue(any("nobody@far.example" in each for each in rejected))

    async def test_what_arrives_is_named_on_both_sides(self):
        await self.start_servers()
        await self.other.store.directory.add_account("al@far.example", "")
        await self.submit("al@far.example")
        first = await self.until(re.escape(NAME))
        here = first.split(":")[0]
        sent = await self.until(rf"^{here}: 'al@far.example' delivered \(2\.")
        taken = [line for line in self.found(NAME) if line != first]
        there = taken[0].split(":")[0]
        # The other server's answer has the name that the message has there.
        self.assertIn(f"queued as {there}", sent)

    async def test_who_brings_no_name_is_given_one_that_is_told(self):
        await self.start_servers()

        def talk() -> None:
            address = self.server.addresses()["submission"]
            with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
                client.login(USER, PASSWORD)
                client.sendmail(USER, [USER], b"Subject: x\r\n\r\nbody\r\n")

        await deferToThread(talk)
        line = await self.until("octets from")
        self.assertRegex(line, r"message-id=<[0-9]+\.[0-9A-F]+@mail\.example\.org>$")
