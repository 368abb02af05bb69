"""A name server inside a test, which answers whatever the test wants."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

from mailhub.net.dns_exchange import NameServer

#: What answers a query: datagrams, one after the other; by TCP the octets after the
#: length, ``None`` cuts the connection.
Respond = Callable[[bytes, bool], "bytes | list[bytes] | None"]


class FakeServer:
    """Listens by UDP and TCP on one port of the loopback.

    :ivar queries: all that came in: the query, and whether it was by TCP.
    :ivar ports: the source ports of those that came by UDP.
    """

    def __init__(self, respond: Respond, host: str = "127.0.0.1") -> None:
        self.respond = respond
        self.queries: list[tuple[bytes, bool]] = []
        self.ports: list[int] = []
        self._host = host
        self._listening: list[object] = []

    def start(self) -> NameServer:
        """Listen; how to reach it."""
        factory = Factory()
        factory.protocol = lambda: _Stream(self)
        factory.noisy = False
        while True:
            stream = reactor.listenTCP(0, factory, interface=self._host)
            port = stream.getHost().port
            try:
                datagrams = reactor.listenUDP(
                    port, _Datagrams(self), interface=self._host
                )
            except CannotListenError:
                self._listening.append(stream)
                continue
            self._listening += [stream, datagrams]
            return NameServer(self._host, port, trusted=True)

    async def stop(self) -> None:
        """Listen no more."""
        listening, self._listening = self._listening, []
        for each in listening:
            await maybeDeferred(each.stopListening)


class _Datagrams(DatagramProtocol):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def datagramReceived(self, datagram, addr):
        self._server.queries.append((datagram, False))
        self._server.ports.append(addr[1])
        answers = self._server.respond(datagram, False) or []
        for answer in [answers] if isinstance(answers, bytes) else answers:
            self.transport.write(answer, addr)


class _Stream(Protocol):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._input = b""

    def dataReceived(self, data):
        self._input += data
        end = 2 + int.from_bytes(self._input[:2], "big")
        if len(self._input) < 2 or len(self._input) < end:
            return
        query = self._input[2:end]
        self._server.queries.append((query, True))
        answer = self._server.respond(query, True)
        if answer is None:
            self.transport.abortConnection()
            return
        octets = len(answer).to_bytes(2, "big") + answer
        # In two segments, as TCP may.
        self.transport.write(octets[:1])
        self.transport.write(octets[1:])
