"""A blocking connection to a server, as fast as Python reads."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Self

#: Octets read at once.
CHUNK = 1 << 20
#: The tail that is kept while a long answer goes by: longer than any last line.
TAIL = 512
TIMEOUT = 300.0


def client_tls() -> ssl.SSLContext:
    """A client's TLS that believes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """One connection; what answers look like is left to its children.

    :param tls: the TLS that begins at the first octet; none by default.
    :param source: the address to come from.
    """

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        source: str = "",
    ) -> None:
        own = (source, 0) if source else None
        plain = socket.create_connection(address, TIMEOUT, own)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain) if tls else plain
        self._chunk = memoryview(bytearray(CHUNK))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def receive(self) -> memoryview:
        """What arrives next, valid until the next call.

        :raises EOFError: the server has hung up.
        """
        count = self.socket.recv_into(self._chunk)
        if not count:
            raise EOFError("the server has closed the connection")
        return self._chunk[:count]

    def line(self) -> bytes:
        """One line that nothing follows."""
        data = b""
        while not data.endswith(b"\r\n"):
            data += self.receive()
        return data
