"""Tests of writing past the reactor."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.net.connection import Connection
from mailhub.net.descriptors import Capacity
from mailhub.net.endings import Ending
from mailhub.net.factory import ConnectionFactory
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


class Slow(Connection):
    """Takes some time for each line, and answers it."""

    async def serve(self) -> None:
        while True:
            line = await self.read_line(100)
            self.factory.seen.append(line)
            self.working: Deferred[None] = Deferred()
            self.factory.work.callback(self)
            await self.working
            self.send(b"done\r\n")

    def farewell(self, ending: Ending) -> bytes:
        return b""


class SlowFactory(ConnectionFactory):
    """Tells of the first line, and of the last connection's end."""

    protocol = Slow

    def __init__(self) -> None:
        super().__init__(Portal(None), service="smtp")  # type: ignore[arg-type]
        self.seen: list[bytes] = []
        self.work: Deferred[Slow] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def forget(self, connection: Connection) -> None:
        super().forget(connection)
        self.gone.callback(None)


class LostSocketTests(TestCase):
    """A socket that went while its command was worked on cannot be written to."""

    async def test_work_that_ends_after_the_connection_leaves_nothing(self) -> None:
        factory = SlowFactory()
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            factory
        )
        self.addCleanup(port.stopListening)
        client = await TCP4ClientEndpoint(
            reactor, "127.0.0.1", port.getHost().port
        ).connect(Factory.forProtocol(Protocol))
        client.transport.write(b"work\r\n")
        connection = await factory.work
        lost: Deferred[None] = Deferred()
        told = connection.connectionLost

        def connection_lost(reason: Failure) -> None:
            told(reason)
            lost.callback(None)

        connection.connectionLost = connection_lost  # type: ignore[method-assign]
        client.transport.abortConnection()
        await lost
        connection.working.callback(None)
        await factory.gone
        self.assertEqual(factory.connections, set())
        self.assertEqual(factory.seen, [b"work"])


class Crowded(Connection):
    """There is no place for it; keeps whether it was open at the end of its start."""

    was_open = True

    def connectionMade(self) -> None:
        super().connectionMade()
        self.was_open = self.transport.connected
        self.factory.made.append(self)

    def farewell(self, ending: Ending) -> bytes:
        return b"full\r\n" * SIZE if self.factory.talks else b"full\r\n"


class TurnedAwayTests(TestCase):
    """Attack: a storm of connections, of which each holds a descriptor for a turn."""

    async def turned_away(self, talks: bool) -> tuple[bytes, Crowded]:
        factory = ConnectionFactory(Portal(None), service="smtp")  # type: ignore
        factory.protocol, factory.made, factory.talks = Crowded, [], talks
        factory.roll.capacity = Capacity(0)
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            factory
        )
        self.addCleanup(port.stopListening)
        reader = await TCP4ClientEndpoint(
            reactor, "127.0.0.1", port.getHost().port
        ).connect(Factory.forProtocol(Reader))
        data = await reader.done
        self.assertEqual(factory.connections, set())
        return data, factory.made[0]

    async def test_it_is_told_why_and_closed_at_once(self) -> None:
        data, connection = await self.turned_away(talks=False)
        self.assertEqual(data, b"full\r\n")
        self.assertFalse(connection.was_open)

    async def test_words_that_the_kernel_does_not_take_at_once_are_not_lost(self):
        data, connection = await self.turned_away(talks=True)
        self.assertEqual(len(data), SIZE * 6)
        self.assertTrue(connection.was_open)


class OtherTransportTests(SynchronousTestCase):
    """What is no socket is written to as usual."""

    def test_a_transport_in_memory(self) -> None:
        transport = StringTransport()
        writer_for(transport)(b"hello")
        self.assertEqual(transport.value(), b"hello")
