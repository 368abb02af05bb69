"""A proxy that can begin to swallow what it should pass on."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from threading import Event, Thread

from .subject import HOST


class Swallower:
    """Stands between clients and one port of a server.

    That somebody closes a connection is not passed on, nor what the other has no room
    for.

    :ivar port: its own.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0), backlog=500)
        self.port: int = self._listener.getsockname()[1]
        self._others: dict[socket.socket, socket.socket] = {}
        self._swallows = Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._waker, self._wake = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def swallow(self) -> None:
        """Pass on nothing from now on."""
        self._swallows.set()

    def close(self) -> None:
        """End it, and all connections."""
        self._waker.close()
        self._thread.join()
        for each in (*self._others, self._listener, self._wake):
            each.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if source is self._wake:
                    return
                if source is self._listener:
                    self._accept()
                else:
                    self._pass_on(source)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection((HOST, self._target), 10)
        self._others[client], self._others[server] = server, client
        for each in (client, server):
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        try:
            data = source.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(source)
            source.close()
        elif not self._swallows.is_set():
            with suppress(OSError):
                self._others[source].send(data)
