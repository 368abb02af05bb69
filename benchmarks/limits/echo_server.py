"""Servers that answer each line and do nothing else: ``echo_server.py KIND PORT``."""

from __future__ import annotations

import asyncio
import select
import socket
import sys
from typing import Any

HOST = "127.0.0.1"


def replies(data: bytes) -> bytes:
    """An answer to each line."""
    return b"".join(b"250 " + line + b"\r\n" for line in data.split(b"\r\n")[:-1])


def serve_epoll(port: int) -> None:
    """The least that Python can do."""
    server = socket.create_server((HOST, port))
    poll, clients = select.epoll(), {}
    poll.register(server.fileno(), select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == server.fileno():
                client, _ = server.accept()
                clients[client.fileno()] = client
                poll.register(client.fileno(), select.EPOLLIN)
            elif data := clients[number].recv(65_536):
                clients[number].send(replies(data))
            else:
                poll.unregister(number)
                clients.pop(number).close()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(replies(data))  # type: ignore[attr-defined]


async def _serve_asyncio(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Echo, HOST, port)
    await server.serve_forever()


def serve_asyncio(port: int) -> None:
    """asyncio with its own loop."""
    asyncio.run(_serve_asyncio(port))


def serve_uvloop(port: int) -> None:
    """asyncio with uvloop."""
    import uvloop

    uvloop.run(_serve_asyncio(port))


def serve_twisted(port: int) -> None:
    """Twisted's reactor with epoll."""
    from twisted.internet import epollreactor

    epollreactor.install()
    from twisted.internet import protocol
    from twisted.internet import reactor as installed

    reactor: Any = installed

    class Echo(protocol.Protocol):
        def dataReceived(self, data: bytes) -> None:
            if self.transport is not None:
                self.transport.write(replies(data))

    factory = protocol.Factory()
    factory.protocol = Echo
    reactor.listenTCP(port, factory, interface=HOST)
    reactor.run()


KINDS = {
    "epoll": serve_epoll,
    "asyncio": serve_asyncio,
    "uvloop": serve_uvloop,
    "twisted": serve_twisted,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](int(sys.argv[2]))
