"""The sockets that a configuration asks for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from ..net.binding import UNAVAILABLE, bind_copies, bind_internet, bind_unix
from .faults import ConfigError, Fault
from .kinds import Endpoint
from .settings import PORTS, Config

#: The services that mail comes in by.
INCOMING = frozenset({"smtp", "submission", "submissions", "lmtp"})


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
    return [bound for [bound] in bind_rows(config, 1)]


def forget_names(bounds: Iterable[Bound]) -> None:
    """Remove UNIX sockets from the file system, as far as we may.

    To be called while they still listen: a server that takes over then has names of
    its own there.
    """
    for bound in bounds:
        if bound.endpoint.path:
            with suppress(OSError):
                os.unlink(bound.endpoint.path)


def bind_rows(config: Config, number: int) -> list[list[Bound]]:
    """By address, the sockets that are bound to it, for *number* processes to share.

    :raises ConfigError: as :func:`bind_all`.
    """
    bound: list[list[Bound]] = []
    faults: list[Fault] = []
    for service in PORTS:
        chosen = getattr(config.listen, service) is not None
        for endpoint in config.listen.endpoints(service):
            try:
                takers = _takers(config, service, number)
                bound.append(_bind(service, endpoint, takers))
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


def deal(config: Config, rows: list[list[Bound]], number: int) -> list[list[Bound]]:
    """What each of *number* processes listens on.

    Where there are more processes than sockets of an address, some share one; where
    there are fewer, some have several, as connections may wait in each.  Mail comes in
    through the first ``[server] receivers`` only.

    :param rows: by address, the sockets that are bound to it.
    """
    hands: list[list[Bound]] = [[] for _ in range(number)]
    for row in rows:
        takers = _takers(config, row[0].service, number)
        for turn in range(max(takers, len(row))):
            hands[turn % takers].append(row[turn % len(row)])
    return hands


def _takers(config: Config, service: str, number: int) -> int:
    """How many of *number* processes have a service."""
    return min(number, config.server.receivers) if service in INCOMING else number


def _bind(service: str, endpoint: Endpoint, number: int) -> list[Bound]:
    if endpoint.path:
        return [Bound(service, endpoint, bind_unix(endpoint.path))]
    if number == 1:
        sockets = [bind_internet(endpoint.host, endpoint.port)]
    else:
        sockets = bind_copies(endpoint.host, endpoint.port, number)
    return [Bound(service, Endpoint(*each.getsockname()[:2]), each) for each in sockets]
