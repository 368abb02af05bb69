"""A web server for policies of MTA-STS, which answers whatever a test wants."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate

from .authority import Issued


def answer(body: bytes, kind: str = "text/plain", code: str = "200 OK") -> bytes:
    """An HTTP response, whole."""
    head = f"HTTP/1.1 {code}\r\nContent-Type: {kind}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class PolicyHost:
    """Listens on a free port of the loopback.

    :ivar response: the octets that answer every request; ``None``: nothing.
    :ivar requests: the first line of each.
    :ivar hosts: the value of each one's Host field.
    """

    def __init__(self, issued: Issued, response: bytes | None = None) -> None:
        self.response = response
        self.requests: list[bytes] = []
        self.hosts: list[bytes] = []
        factory = Factory()
        factory.noisy = False
        factory.protocol = lambda: _Web(self)
        options = PrivateCertificate.loadPEM(issued.pem).options()
        self._port = reactor.listenSSL(0, factory, options, interface="127.0.0.1")
        self.port: int = self._port.getHost().port

    async def stop(self) -> None:
        """Listen no more."""
        await maybeDeferred(self._port.stopListening)


class _Web(Protocol):
    def __init__(self, host: PolicyHost) -> None:
        self._host = host
        self._input = b""

    def dataReceived(self, data):
        self._input += data
        if not self._input.endswith(b"\r\n\r\n"):
            return
        first, *fields = self._input.split(b"\r\n")
        self._host.requests.append(first)
        self._host.hosts += [
            field.partition(b": ")[2]
            for field in fields
            if field.lower().startswith(b"host:")
        ]
        if self._host.response is not None:
            self.transport.write(self._host.response)
            self.transport.loseConnection()
