"""Who is connected to this process, and how to end that."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from ..auth.identity import canonical_login
from ..auth.throttle import address_key
from ..errors import MailError
from ..net.connection import Connection
from ..net.endings import Ending
from ..net.factory import ConnectionFactory

#: Where Linux counts octets (tcp(7), TCP_INFO): those that the peer has acknowledged,
#: and those that came from it.  Asked of the kernel, they cost a connection nothing.
_COUNTS = struct.Struct("120x2Q")
_TCP_INFO = getattr(socket, "TCP_INFO", None)


def describe(factories: Mapping[str, ConnectionFactory]) -> list[dict[str, Any]]:
    """All connections: ``service``, ``peer``, ``port``, ``user``, ``tls``, ``state``,
    ``seconds``, ``octets_in``, ``octets_out``.

    What is not known is ``null``.  Octets are those of TCP, TLS included.
    """
    return [
        _described(connection, factory.clock.seconds())
        for factory in factories.values()
        for connection in factory.connections
    ]


def end(factories: Mapping[str, ConnectionFactory], whom: str) -> int:
    """End all sessions of a user, or from an address, each after its command.

    They are told what they are told when the server stops, which makes clients come
    back later instead of showing an error.

    :param whom: a canonical login name, or an IP address; IPv6: its /64 network.

    -> how many
    """
    found = list(_of(factories, whom))
    for connection in found:
        connection.cut(Ending.SHUTDOWN)
    return len(found)


def _of(factories: Mapping[str, ConnectionFactory], whom: str) -> Iterator[Connection]:
    network = address_key(whom)
    if not whom:
        return
    for factory in factories.values():
        for connection in factory.connections:
            host = connection.peer.host
            if address_key(host) == network if network else _user(connection) == whom:
                yield connection


def _described(connection: Connection, now: float) -> dict[str, Any]:
    peer = connection.peer
    octets_in, octets_out = _octets(connection.transport)
    return {
        "service": peer.service,
        "peer": peer.host or None,
        "port": peer.port or None,
        "user": _user(connection) or None,
        "tls": peer.tls,
        "state": _state(connection),
        "seconds": round(max(now - connection.since, 0.0), 3),
        "octets_in": octets_in,
        "octets_out": octets_out,
    }


def _user(connection: Connection) -> str:
    # Credentials of an application's own may have text.
    name: bytes | str = connection.user
    octets = name.encode() if isinstance(name, str) else name
    try:
        return canonical_login(octets) if octets else ""
    except MailError:
        return octets.decode("utf-8", "replace")


def _state(connection: Any) -> str:
    """Where the session stands, in the words of its protocol's RFC."""
    session = getattr(connection, "session", None)
    return "connected" if session is None else str(session.state.name).lower()


def _octets(transport: Any) -> tuple[int | None, int | None]:
    """What came in and what went out, where the system tells."""
    # Under TLS from the first octet there is a transport below the transport.
    plain = getattr(transport, "socket", None)
    if plain is None:
        plain = getattr(getattr(transport, "transport", None), "socket", None)
    if not isinstance(plain, socket.socket) or _TCP_INFO is None:
        return None, None
    try:
        told = plain.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _COUNTS.size)
    except OSError:
        return None, None
    if len(told) < _COUNTS.size:
        return None, None
    out, came = _COUNTS.unpack(told)
    return came, out
