"""The administration listener as a service."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from ..config.faults import ConfigError, Fault
from ..config.kinds import Endpoint
from ..config.settings import Config
from ..net.binding import bind_internet, bind_unix
from ..net.listen import adopt

if TYPE_CHECKING:
    from .http import Asks, Pages


class ObservingService(Service):
    """Serves health and metrics where ``[listen] admin`` says.

    It should stop after all else: what it tells is wanted until the end.  A default
    address that somebody else has (another mailhub on the same machine) is left
    alone; one that was asked for has to be had.

    :param asks: the way to all processes that serve mail.
    """

    log = Logger()

    def __init__(self, config: Config, reactor: Any, asks: Asks) -> None:
        self._config = config
        self._reactor = reactor
        self._asks = asks
        self._pages: Pages | None = None
        self._was_bound = False
        self._bound: list[tuple[socket.socket, Endpoint]] = []
        self._ports: list[IListeningPort] = []
        self.endpoints: list[Endpoint] = []

    def privilegedStartService(self) -> None:
        """Bind all addresses.

        :raises ConfigError: one that was asked for cannot be bound.
        """
        super().privilegedStartService()
        self._bind()

    def startService(self) -> None:
        """Listen.

        :raises ConfigError: as above, where nothing was bound before.
        """
        super().startService()
        if not self._was_bound:
            self._bind()
        if self._bound:
            self._listen()

    def _listen(self) -> None:
        # Workers never come here, and need no web server in their memory.
        from .http import Pages, site

        self._pages = Pages(self._asks)
        for bound, _ in self._bound:
            pages = site(self._pages, self._reactor)
            self._ports.append(adopt(bound, pages, self._reactor))
            bound.close()  # the port has its own copy
        self._bound.clear()
        for endpoint in self.endpoints:
            self.log.info("health and metrics at {endpoint}", endpoint=endpoint)

    def drain(self) -> None:
        """Say from now on that the server is not ready: it is about to stop."""
        if self._pages is not None:
            self._pages.is_draining = True

    def stopService(self) -> Deferred[None]:
        """Close all."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for endpoint in self.endpoints:
            if endpoint.path:
                with suppress(OSError):
                    os.unlink(endpoint.path)
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        for bound, _ in self._bound:
            bound.close()
        self._bound.clear()
        self._was_bound = False
        self.endpoints.clear()

    def _bind(self) -> None:
        self._was_bound = True
        faults: list[Fault] = []
        is_chosen = ("listen", "admin") in self._config.origins
        for endpoint in self._config.listen.admin:
            try:
                self._bound.append(_bound(endpoint))
            except OSError as error:
                text = f"cannot listen on {endpoint}: {error.strerror}"
                if is_chosen or error.errno != errno.EADDRINUSE:
                    faults.append(self._config.fault("listen", "admin", text))
                else:
                    self.log.warn("no health and metrics: {reason}", reason=text)
        if faults:
            for bound, _ in self._bound:
                bound.close()
            self._bound.clear()
            raise ConfigError(faults)
        self.endpoints = [endpoint for _, endpoint in self._bound]


def _bound(endpoint: Endpoint) -> tuple[socket.socket, Endpoint]:
    if endpoint.path:
        return bind_unix(endpoint.path), endpoint
    bound = bind_internet(endpoint.host, endpoint.port)
    host, port = bound.getsockname()[:2]
    return bound, Endpoint(host, port)
