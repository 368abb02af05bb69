"""A POP3 client that blocks."""

from __future__ import annotations

import ssl

from .wire import Wire


class POP3Refused(Exception):
    """A command was answered with -ERR; the text is the answer."""


class POP3(Wire):
    """One connection."""

    def __init__(
        self, address: tuple[str, int], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(address, tls)
        self.line()

    def command(self, text: bytes) -> None:
        """A command with one line for an answer."""
        self.socket.sendall(text + b"\r\n")
        answer = self.line()
        if not answer.startswith(b"+OK"):
            raise POP3Refused(repr(answer))

    def login(self, user: bytes, password: bytes) -> None:
        """Log in, which locks the maildrop."""
        self.command(b"USER " + user)
        self.command(b"PASS " + password)

    def listing(self, text: bytes, count: int = 1) -> int:
        """*count* pipelined commands, each answered up to a lone dot: the octets."""
        self.socket.sendall(text)
        total, seen, tail = 0, 0, b""
        while seen < count:
            data = self.receive()
            total += len(data)
            piece = tail + data
            seen += piece.count(b"\r\n.\r\n")
            tail = piece[-4:]
        return total

    def retrieve(self, first: int, last: int) -> int:
        """RETR of all messages from *first* to *last*, pipelined: the octets."""
        commands = b"".join(b"RETR %d\r\n" % n for n in range(first, last + 1))
        return self.listing(commands, last - first + 1)
