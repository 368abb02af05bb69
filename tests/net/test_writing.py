"""Tests of writing past the reactor."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.net.writing import writer_for

SIZE = 4 << 20


class Sender(Protocol):
    """Writes numbered blocks in one go, through both ways in turn."""

    def connectionMade(self) -> None:
        write = writer_for(self.transport)
        for number in range(SIZE // 4096):
            block = number.to_bytes(4, "big") * 1024
            (write if number % 7 else self.transport.write)(block)
        self.transport.loseConnection()


class Reader(Protocol):
    """Gathers everything, slowly at first."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        reactor.callLater(0, self.transport.resumeProducing)

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason=None) -> None:
        self.done.callback(bytes(self.data))


class SocketTests(TestCase):
    """Order holds although some of it waits in the transport."""

    async def test_more_than_the_kernel_takes_arrives_in_order(self) -> None:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            Factory.forProtocol(Sender)
        )
        self.addCleanup(port.stopListening)
        reader = await TCP4ClientEndpoint(
            reactor, "127.0.0.1", port.getHost().port
        ).connect(Factory.forProtocol(Reader))
        data = await reader.done
        expected = b"".join(n.to_bytes(4, "big") * 1024 for n in range(SIZE // 4096))
        self.assertEqual(len(data), SIZE)
        self.assertTrue(data == expected)


class OtherTransportTests(SynchronousTestCase):
    """What is no socket is written to as usual."""

    def test_a_transport_in_memory(self) -> None:
        transport = StringTransport()
        writer_for(transport)(b"hello")
        self.assertEqual(transport.value(), b"hello")
