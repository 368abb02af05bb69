"""Listening: what makes connections of a service, on sockets that are bound."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from .accepting import accept_on, can_accept
from .binding import BACKLOG
from .factory import ConnectionFactory


def wrap_tls(factory: ConnectionFactory, clock: IReactorTime) -> IProtocolFactory:
    """What to listen with for TLS from the first octet (RFC 8314).

    A factory without ``implicit_tls`` is returned as it is.
    """
    if not factory.implicit_tls:
        return factory
    return TLSMemoryBIOFactory(factory.certificates, False, factory, clock)


class Entrance(Factory):
    """What a service listens with while the factories behind it change.

    Whoever has come in keeps the factory that let it in.
    """

    noisy = False

    def __init__(self, factory: ConnectionFactory, clock: IReactorTime) -> None:
        self._clock = clock
        self._service = factory.service
        self.lead_to(factory)

    def lead_to(self, factory: ConnectionFactory) -> None:
        """Let *factory* make the next connections."""
        self._factory = factory
        self._behind = wrap_tls(factory, self._clock)

    def open(self, listening: socket.socket, reactor: Any) -> IListeningPort:
        """Let in whoever connects to *listening*, of which the port has a copy."""
        if listening.family != socket.AF_UNIX and can_accept(reactor):
            return accept_on(listening, self, reactor)
        return adopt(listening, self, reactor)

    def logPrefix(self) -> str:
        """The service's name, where Twisted tells that it listens."""
        return self._service

    def buildProtocol(self, addr: Any) -> Any:
        """A connection of the factory that is in use now.

        ``None`` closes it at once: without a descriptor left there is nobody to
        agree with on TLS, and nothing can be said before.
        """
        if self._factory.implicit_tls and self._factory.roll.is_full():
            return None
        return self._behind.buildProtocol(addr)


def adopt(
    listening: socket.socket, factory: IProtocolFactory, reactor: Any
) -> IListeningPort:
    """Accept connections on a socket that listens already.

    *listening* stays the caller's: the port has a copy.
    """
    number, family = listening.fileno(), listening.family
    if family != socket.AF_UNIX:
        port: IListeningPort = reactor.adoptStreamPort(number, family, factory)
        return port
    copy = socket.fromfd(number, family, listening.type)
    adopted: IListeningPort = _AdoptedUnixPort(copy, factory, reactor)
    adopted.startListening()
    return adopted


class _AdoptedUnixPort(unix.Port):
    """A UNIX socket on which others may listen, too.

    Twisted's own port opens it to everybody when it starts; when it stops, it removes
    the name and shuts the socket down for all processes that share it.
    """

    _shouldShutdown = False

    def __init__(
        self, listening: socket.socket, factory: IProtocolFactory, reactor: Any
    ) -> None:
        # With such a name, which is no path, it lets the file system alone.
        name = b"\0" + os.fsencode(listening.getsockname())
        super().__init__(name, factory, BACKLOG, reactor=reactor)
        self._preexistingSocket = listening

    def _logConnectionLostMsg(self) -> None:
        """Say nothing: others go on."""
