"""A session with another server in memory; the test says what the server says."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.client import SMTPClient, SMTPClientFactory
from mailhub.smtp.client_outcome import Mail, Sent, SessionFailed
from mailhub.store.content import BytesContent
from tests.dialogues.runner import Player

MESSAGE = b"Subject: x\r\n\r\n.dot\r\n"
STUFFED = b"Subject: x\r\n\r\n..dot\r\n.\r\n"
#: An EHLO reply, and one with PIPELINING.
HELLO = b"250 mx\r\n"
PIPELINING = b"250-mx\r\n250 PIPELINING\r\n"
OPENING = b"MAIL FROM:<al@x.example>\r\nRCPT TO:<jo@y.example>\r\n"


def mail(*recipients: bytes, content: Any = None, one_by_one: bool = False) -> Mail:
    """A message of al@x.example."""
    commands = [b"RCPT TO:<%s>\r\n" % each for each in recipients or (b"jo@y.example",)]
    content = content or BytesContent(MESSAGE)
    return Mail(b"MAIL FROM:<al@x.example>\r\n", commands, content, one_by_one)


def codes_of(sent: Sent) -> list[int | None]:
    """The verdicts about recipients."""
    return [each and each.code for each in sent.verdicts]


class ClientCase(SynchronousTestCase):
    """Tests with one session.

    :ivar clock: its time.
    :ivar player: ``send()`` is what the server says, ``received()`` what it hears.
    """

    #: Octets per segment of what the server says; 0 for all in one.
    most = 0

    def connect(self, **more: Any) -> SMTPClient:
        """Begin; the server has said nothing yet."""
        self.clock = Clock()
        self.factory = SMTPClientFactory(self.clock, hello=b"me.example", **more)
        self.client = self.factory.buildProtocol(None)
        self.player = Player(self.client, self.clock, most=self.most)
        self.addCleanup(self.player.close)
        # A session that the test leaves half open is no fault.
        self.addCleanup(self.factory.opened.addErrback, lambda failure: None)
        return self.client

    def open(self, hello: bytes = PIPELINING, **more: Any) -> SMTPClient:
        """Begin, up to where a message may be sent."""
        client = self.connect(**more)
        self.player.send(b"220 mx ESMTP\r\n")
        self.player.received()
        self.player.send(hello)
        self.assertIs(self.successResultOf(self.factory.opened), client)
        return client

    def said(self, *data: bytes) -> bytes:
        """What the client writes after the server has said *data*."""
        for each in data:
            self.player.send(each)
        return self.player.received()

    def failed(self) -> SessionFailed:
        """Why the session did not come about."""
        failure: Failure = self.failureResultOf(self.factory.opened, SessionFailed)
        fault = failure.value
        assert isinstance(fault, SessionFailed)
        return fault

    def sent(self, sending: Deferred[Sent]) -> Sent:
        """What became of a message."""
        return self.successResultOf(sending)

    def codes(self, sending: Deferred[Sent]) -> list[int | None]:
        """The verdicts about its recipients."""
        return codes_of(self.sent(sending))
