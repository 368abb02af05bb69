"""A TLS handshake that comes an octet at a time (attack: slowloris)."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from mailhub.net.certificates import make_identity
from mailhub.net.connection import Connection
from mailhub.net.endings import Ending
from mailhub.net.factory import ConnectionFactory
from mailhub.net.limits import Limits
from mailhub.net.listen import wrap_tls
from mailhub.net.server_tls import CertificateStore

LIMITS = Limits()
STARTTLS = b"starttls\r\n"


class Talk(Connection):
    """Starts TLS at the first line."""

    async def serve(self) -> None:
        await self.read_line(100)
        self.send(b"go\r\n")
        await self.start_tls()
        await self.read_line(100)

    def farewell(self, ending: Ending) -> bytes:
        return b"bye\r\n"


class TalkFactory(ConnectionFactory):
    protocol = Talk


class Dripping(Protocol):
    """A client that is not in a hurry."""

    def __init__(self) -> None:
        self.answered: Deferred[None] = Deferred()
        self.gone = False

    def dataReceived(self, data: bytes) -> None:
        if not self.answered.called:
            self.answered.callback(None)

    def connectionLost(self, reason=None) -> None:
        self.gone = True


def client_hello() -> bytes:
    """What a TLS client says first."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), outgoing, server_hostname="localhost"
    )
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


class HandshakeTests(TestCase):
    """Real sockets, and a clock that runs as the test wants."""

    async def seconds_of(self, *, implicit: bool) -> int:
        """How long the server bears a handshake of an octet every two seconds."""
        clock = Clock()
        store = CertificateStore(
            lambda: make_identity(("localhost",), datetime.now(UTC))
        )
        factory = TalkFactory(
            Portal(None),  # type: ignore[arg-type]
            service="smtp",
            certificates=store.server(b"smtp"),
            implicit_tls=implicit,
            clock=clock,
        )
        port = reactor.listenTCP(0, wrap_tls(factory, clock), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client = await endpoint.connect(Factory.forProtocol(Dripping))
        if not implicit:
            client.transport.write(STARTTLS)
            await client.answered
        for octet in client_hello():
            client.transport.write(bytes([octet]))
            for _ in range(5):
                await deferLater(reactor, 0)
            if client.gone:
                break
            clock.advance(1)
            clock.advance(1)
        self.assertEqual(factory.connections, set())
        return int(clock.seconds())

    async def test_tls_from_the_first_octet_has_to_be_agreed_on_in_time(self):
        seconds = await self.seconds_of(implicit=True)
        self.assertGreaterEqual(seconds, LIMITS.handshake)
        self.assertLessEqual(seconds, LIMITS.handshake + 6)

    async def test_tls_after_starttls_has_to_be_agreed_on_in_time(self):
        seconds = await self.seconds_of(implicit=False)
        self.assertGreaterEqual(seconds, LIMITS.handshake)
        self.assertLessEqual(seconds, LIMITS.handshake + 6)
