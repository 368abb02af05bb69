"""A TCP port that lets in many connections at a small price.

It does what Twisted's own does, and its connections are Twisted's, with TLS, half
closes and producers; but a :class:`~mailhub.net.watching.Watch` tells them what they
are ready for, and nothing is prepared for each that hardly any needs.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorFDSet
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure

from .watching import READ, WRITE, Watch

#: Connections that are let in before those that are open have their turn again.
MOST_AT_ONCE = 100
_DONE = Failure(CONNECTION_DONE)
_LOST = Failure(CONNECTION_LOST)


def can_accept(reactor: Any) -> bool:
    """Whether *reactor* can wait for what it does not know to be a socket."""
    return hasattr(select, "epoll") and IReactorFDSet.providedBy(reactor)


def accept_on(
    listening: socket.socket, factory: IProtocolFactory, reactor: Any
) -> IListeningPort:
    """Let *factory* serve whoever connects to *listening*, of which a copy is made.

    :param reactor: one that :func:`can_accept`.
    """
    # What systemd passes on would block once nobody waits any more.
    listening.setblocking(False)
    port: IListeningPort = AcceptingPort._fromListeningDescriptor(
        reactor, listening.fileno(), listening.family, factory
    )
    port.startListening()
    return port


class Stream(tcp.Connection):
    """An accepted connection.

    The parameters are those of Twisted's own (``tcp.Server``).
    """

    _tlsClientDefault = False

    def __init__(
        self,
        accepted: socket.socket,
        protocol: Any,
        client: tuple[Any, ...],
        server: AcceptingPort,
        number: int,
        reactor: Any,
    ) -> None:
        super().__init__(accepted, protocol, reactor)
        self._client = client
        self._watch = server.watch
        self._watch.add(self, READ)
        self.connected = 1

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Who has connected."""
        return _address(self._client)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Where it has connected to."""
        return _address(self.socket.getsockname())

    def logPrefix(self) -> str:
        """The protocol's name."""
        return self._getLogPrefix(self.protocol)

    def startReading(self) -> None:
        """Let :meth:`doRead` be called when there is input."""
        self._watch.add(self, READ)

    def stopReading(self) -> None:
        """Not any more; it may be closed already."""
        self._watch.remove(self, READ)

    def startWriting(self) -> None:
        """Let :meth:`doWrite` be called when there is room for output."""
        self._watch.add(self, WRITE)

    def stopWriting(self) -> None:
        """Not any more; it may be closed already."""
        self._watch.remove(self, WRITE)

    def ready(self, events: int) -> None:
        """Read and write, as the reactor would let it do."""
        if events & READ or self._watch.wants(self, READ):
            lost = self.doRead()
            if lost is CONNECTION_DONE:
                self.stopReading()
                self.readConnectionLost(_DONE)
                return
        elif not events & WRITE:
            lost = CONNECTION_LOST
        else:
            lost = None
        if lost is None and events & WRITE and self.connected:
            lost = self.doWrite()
        if lost is not None:
            is_done = lost is CONNECTION_DONE
            self.connectionLost(_DONE if is_done else Failure(lost))


class AcceptingPort(tcp.Port):
    """A listening socket, and the :class:`Watch` of its connections."""

    transport = Stream  # type: ignore[assignment]
    log = Logger()

    def startListening(self) -> None:
        """Let connections in."""
        self.watch = Watch(self.reactor)
        super().startListening()

    def startReading(self) -> None:
        """Let :meth:`ready` be called when somebody has connected."""
        self.watch.add(self, READ)

    def stopReading(self) -> None:
        """Not any more."""
        self.watch.remove(self, READ)

    def ready(self, events: int) -> None:
        """Let in all who wait."""
        for _ in range(MOST_AT_ONCE):
            try:
                accepted, client = self.socket.accept()
            except BlockingIOError:
                return
            except OSError:
                # Twisted knows what to do when there is no descriptor left.
                self.doRead()
                return
            self._let_in(accepted, client)

    def _let_in(self, accepted: socket.socket, client: tuple[Any, ...]) -> None:
        protocol = None
        try:
            protocol = self.factory.buildProtocol(_address(client))  # type: ignore[union-attr]
        except Exception:
            self.log.failure("nobody serves {client}", client=client)
        if protocol is None:
            accepted.close()
            return
        number, self.sessionno = self.sessionno, self.sessionno + 1
        stream = Stream(accepted, protocol, client, self, number, self.reactor)
        try:
            protocol.makeConnection(stream)
        except Exception:
            failure = Failure()
            self.log.failure("{client} could not be served", failure, client=client)
            stream.connectionLost(failure)


def _address(named: tuple[Any, ...]) -> IPv4Address | IPv6Address:
    """What the system calls so; an IPv6 address tells its zone (RFC 4007)."""
    if len(named) == 2:
        return IPv4Address("TCP", *named)
    host, *others = named
    if others[2]:
        host, _ = socket.getnameinfo(
            named, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        )
    return IPv6Address("TCP", host, *others)
