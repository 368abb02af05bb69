"""The sockets that a configuration asks for."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ..net.binding import UNAVAILABLE, bind_copies, bind_internet, bind_unix
from .faults import ConfigError, Fault
from .kinds import Endpoint
from .settings import PORTS, Config


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that listens for a service."""

    service: str
    endpoint: Endpoint
    socket: socket.socket


def bind_all(config: Config) -> list[Bound]:
    """Sockets for all that *config* wants to listen.

    Where the machine has no IPv6, the profile's IPv6 addresses are left out.

    :raises ConfigError: some cannot be bound; none is bound then.
    """
    return [bound for [bound] in _bind_each(config, 1)]


def bind_for_workers(config: Config, number: int) -> list[list[Bound]]:
    """Sockets for *number* processes, the first of them for the first, and so on.

    An address in the file system has one socket, which all of them share.

    :raises ConfigError: as :func:`bind_all`.
    """
    rows = _bind_each(config, number)
    return [[row[slot % len(row)] for row in rows] for slot in range(number)]


def _bind_each(config: Config, number: int) -> list[list[Bound]]:
    """By address, the sockets that are bound to it."""
    bound: list[list[Bound]] = []
    faults: list[Fault] = []
    for service in PORTS:
        chosen = getattr(config.listen, service) is not None
        for endpoint in config.listen.endpoints(service):
            try:
                bound.append(_bind(service, endpoint, number))
            except OSError as error:
                if ":" in endpoint.host and error.errno in UNAVAILABLE and not chosen:
                    continue
                text = f"cannot listen on {endpoint}: {error.strerror}"
                faults.append(config.fault("listen", service, text))
    if faults:
        for row in bound:
            for each in row:
                each.socket.close()
        raise ConfigError(faults)
    return bound


def _bind(service: str, endpoint: Endpoint, number: int) -> list[Bound]:
    if endpoint.path:
        return [Bound(service, endpoint, bind_unix(endpoint.path))]
    if number == 1:
        sockets = [bind_internet(endpoint.host, endpoint.port)]
    else:
        sockets = bind_copies(endpoint.host, endpoint.port, number)
    return [Bound(service, Endpoint(*each.getsockname()[:2]), each) for each in sockets]
