"""A session of SMTP, submission or LMTP that is cut anywhere leaves nothing behind."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from mailhub.net.spool import Spool

from ..cutting import CutCase
from ..dialogues.runner import Player
from .fixture import Server

BODY = b"Subject: x\r\n\r\n" + b"..dots\r\n" * 5 + b".\r\n"
OCTETS = BODY[:-3].replace(b"\r\n..", b"\r\n.")


class GatedWants(dict[Any, Any]):
    """Whatever the avatar is asked takes its time."""

    def __init__(self, wait: Any) -> None:
        self._wait = wait

    def get(self, key: Any, default: Any = None) -> Any:
        return self._wait()


class SMTPCuttingTests(CutCase):
    """Row 100 of the house's list of attacks: a message is whole, or is not."""

    service = "smtp"
    script = (
        b"EHLO client.example\r\n",
        b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"
        b"RCPT TO:<c@example.org>\r\nDATA\r\n",
        BODY + b"NOOP\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nRSET\r\n",
        b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n",
        BODY + b"QUIT\r\n",
    )

    def begin(self, folder: str) -> Player:
        options = {"spool": lambda: Spool(folder), "greeting_delay": 1}
        self.server = Server(self.service, options)
        self.server.avatar.wants = GatedWants(self.wait)
        self.out = 0
        login = self.server.factory.portal.login

        async def slowly(*args: Any) -> Any:
            await self.wait()
            interface, avatar, _ = await login(*args)
            self.out += 1
            return interface, avatar, self._logged_out

        def started(*args: Any) -> Deferred[Any]:
            return Deferred.fromCoroutine(slowly(*args))

        self.server.factory.portal.login = started
        player = self.server.connect()
        player.wait(1)
        return player

    def _logged_out(self) -> None:
        self.out -= 1

    def nothing_is_left(self, where: object) -> None:
        self.assertEqual(self.out, 0, where)
        for taken in self.server.taken:
            self.assertEqual(taken.octets, OCTETS, where)

    def test_a_cut_after_any_octet_leaves_nothing(self) -> None:
        self.cut_after_each_octet()

    def test_a_cut_at_any_wait_leaves_nothing(self) -> None:
        self.cut_at_each_wait()

    def test_all_of_it_takes_two_messages(self) -> None:
        session = self.new_session()
        session.gates.open()
        for segment in self.script:
            session.player.send(segment)
        self.assertEqual(len(self.server.taken), 2)
        self.check(session, "at the end")


class SubmissionCuttingTests(SMTPCuttingTests):
    """The same after a login in two steps."""

    service = "submission"
    script = (
        SMTPCuttingTests.script[0],
        b"AUTH LOGIN\r\n",
        b"YW5uQGV4YW1wbGUub3Jn\r\n",
        b"c2VjcmV0\r\n",
        *SMTPCuttingTests.script[1:],
    )


class LMTPCuttingTests(SMTPCuttingTests):
    """The same by LMTP."""

    service = "lmtp"
    script = (b"LHLO client.example\r\n", *SMTPCuttingTests.script[1:])
