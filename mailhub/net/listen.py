"""Factories for the sockets that a service listens on."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

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
