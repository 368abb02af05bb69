"""The sockets that a configuration asks for."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ..net.binding import UNAVAILABLE, bind_internet, bind_unix
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
    bound: list[Bound] = []
    faults: list[Fault] = []
    for service in PORTS:
        chosen = getattr(config.listen, service) is not None
        for endpoint in config.listen.endpoints(service):
            try:
                bound.append(_bind(service, endpoint))
            except OSError as error:
                if ":" in endpoint.host and error.errno in UNAVAILABLE and not chosen:
                    continue
                text = f"cannot listen on {endpoint}: {error.strerror}"
                faults.append(config.fault("listen", service, text))
    if faults:
        for each in bound:
            each.socket.close()
        raise ConfigError(faults)
    return bound


def _bind(service: str, endpoint: Endpoint) -> Bound:
    if endpoint.path:
        return Bound(service, endpoint, bind_unix(endpoint.path))
    listening = bind_internet(endpoint.host, endpoint.port)
    host, port = listening.getsockname()[:2]
    return Bound(service, Endpoint(host, port), listening)
