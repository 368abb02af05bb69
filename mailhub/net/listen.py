"""Wrapping of factories for the sockets they listen on."""

from __future__ import annotations

from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.protocols.tls import TLSMemoryBIOFactory

from .factory import ConnectionFactory


def wrap_tls(factory: ConnectionFactory, clock: IReactorTime) -> IProtocolFactory:
    """What to listen with for TLS from the first octet (RFC 8314).

    A factory without ``implicit_tls`` is returned as it is.
    """
    if not factory.implicit_tls:
        return factory
    return TLSMemoryBIOFactory(factory.certificates, False, factory, clock)
