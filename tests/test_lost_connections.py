"""Connections that are torn down at any moment, by real sockets of a real server."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mailhub.net.connection import Connection
from mailhub.net.factory import ConnectionFactory
from mailhub.store.sqlite.change import QUEUE
from mailhub.testing.server import MailHub

ANN = "ann@example.org"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 4_400
SCRIPTS = {
    "smtp": (
        b"EHLO client.example\r\n",
        b"MAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n",
        LARGE + b".\r\n",
        b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nQUIT\r\n",
    ),
    "lmtp": (
        b"LHLO client.example\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n",
        LARGE + b".\r\nQUIT\r\n",
    ),
    "pop3": (
        b"USER ann@example.org\r\nPASS wonder\r\n",
        b"STAT\r\nRETR 1\r\nTOP 1 5\r\nRETR 2\r\nUIDL\r\n",
        b"DELE 1\r\nQUIT\r\n",
    ),
    "imap": (
        b"a LOGIN ann@example.org wonder\r\nb SELECT INBOX\r\n",
        b"c FETCH 1:* (ENVELOPE BODY[])\r\nd UID STORE 1:* +FLAGS (\\Flagged)\r\n",
        b"e APPEND INBOX {%d+}\r\n%b\r\n" % (len(LARGE), LARGE),
        b"f SEARCH TEXT xyz\r\ng COPY 1 Sent\r\nh IDLE\r\n",
        b"DONE\r\ni LOGOUT\r\n",
    ),
}


class Torn(Protocol):
    """Says one segment after the other, then resets the connection.

    :param turns: of the reactor after the last one; the server is somewhere in the
        middle of its work then.
    """

    def __init__(self, segments: list[bytes], turns: int) -> None:
        self._segments = segments
        self._turns = turns
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        if not self._segments:
            return
        # Past the transport, which would throw away what it has not sent yet.
        self.transport.writeSomeData(self._segments.pop(0))
        if not self._segments:
            self._tear(self._turns)

    def _tear(self, turns: int) -> None:
        if turns:
            reactor.callLater(0, self._tear, turns - 1)
        else:
            self.transport.abortConnection()

    def connectionLost(self, reason=None) -> None:
        self.gone.callback(None)


async def all_gone(factory: ConnectionFactory) -> None:
    """Until no connection is open, or at work."""
    forget, gone = factory.forget, Deferred()

    def forget_and_tell(connection: Connection) -> None:
        forget(connection)
        if not factory.connections:
            gone.callback(None)

    if factory.connections:
        factory.forget = forget_and_tell  # type: ignore[method-assign]
        await gone
        factory.forget = forget  # type: ignore[method-assign]


class LostConnectionTests(TestCase):
    """Nothing of a connection stays: no count, watcher, lock or file."""

    timeout = 120

    async def tear(self, service: str) -> None:
        hub = await MailHub.start({ANN: "wonder"}, store="sqlite")
        self.addCleanup(hub.stop)
        for _ in range(2):
            await hub.deliver(ANN, LARGE)
        endpoint = TCP4ClientEndpoint(reactor, hub.host, hub.port(service))
        script = SCRIPTS[service]
        for number, segment in enumerate(script):
            for length in (1, len(segment) // 2, len(segment) - 1, len(segment)):
                said = [*script[:number], segment[:length]]
                clients = [Torn(list(said), turns) for turns in range(8)]
                for client in clients:
                    await endpoint.connect(Factory.forProtocol(lambda c=client: c))
                await gatherResults([client.gone for client in clients])
                await self.nothing_is_left(hub, service)

    async def nothing_is_left(self, hub: MailHub, service: str) -> None:
        await all_gone(hub.service.factories[service])
        access = hub.service.store._access
        # Whoever sends watches the queue all the time.
        self.assertEqual(access.watchers.watched(), [QUEUE])
        self.assertEqual(os.listdir(access.workplace.temporary), [])
        account = await hub.service.store.open_account(ANN)
        release = await account.lock_maildrop()
        release()
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_nothing_stays_of_torn_smtp_connections(self) -> None:
        await self.tear("smtp")

    async def test_nothing_stays_of_torn_lmtp_connections(self) -> None:
        await self.tear("lmtp")

    async def test_nothing_stays_of_torn_pop3_connections(self) -> None:
        await self.tear("pop3")

    async def test_nothing_stays_of_torn_imap_connections(self) -> None:
        await self.tear("imap")
