"""Small clients: one command, one answer, nothing in between.

They ask for no more than a test needs, and cost so little that the load of many
of them is the server's and not their own.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Sequence

from .subject import HOST

#: Seconds that a client waits for an answer; a killed server is dead long before.
TIMEOUT = 20
_LITERAL = re.compile(rb"\{(\d+)\}\Z")


class Refused(Exception):
    """The server has answered that it will not, or not now."""


class Gone(Exception):
    """The server has closed the connection, or says that it is about to."""


class Wire:
    """Lines and octets on a connection.

    :ivar port: the client's own.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.port = self._socket.getsockname()[1]

    def send(self, data: bytes) -> None:
        """All of *data*."""
        self._socket.sendall(data)

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\n" not in self._buffer:
            self._fill()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.removesuffix(b"\r")

    def octets(self, number: int) -> bytes:
        """The next octets, exactly so many."""
        parts, missing = [self._buffer], number - len(self._buffer)
        while missing > 0:
            self._buffer = b""
            self._fill()
            parts.append(self._buffer)
            missing -= len(self._buffer)
        data = b"".join(parts)
        self._buffer = data[number:]
        return data[:number]

    def _fill(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise Gone
        self._buffer += data

    def start_tls(self) -> None:
        """Go on inside TLS, with whoever answers."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket)

    def close(self) -> None:
        """Close without a farewell."""
        self._socket.close()


class SMTPWire(Wire):
    """A client of SMTP (RFC 5321) with PIPELINING (RFC 2920).

    :ivar accepted: how many times it was told to send a message.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.accepted = 0
        self._reply(220)
        self._hello()

    def log_in(self, user: str, password: str, tls: bool) -> None:
        """AUTH PLAIN (RFC 4616), behind STARTTLS (RFC 3207) if *tls* says so."""
        if tls:
            self._command(b"STARTTLS", 220)
            self.start_tls()
            self._hello()
        secret = base64.b64encode(f"\0{user}\0{password}".encode())
        self._command(b"AUTH PLAIN " + secret, 235)

    def mail(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """Return after the server has taken the message.

        :raises Refused: it has not.
        """
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{to}>" for to in recipients)]
        self.send("\r\n".join([*commands, "DATA\r\n"]).encode())
        for _ in commands:
            self._reply(250)
        self._reply(354)
        self.accepted += 1
        self.send(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        self._reply(250)

    def _hello(self) -> None:
        self._command(b"EHLO client.example.net", 250)

    def _command(self, command: bytes, code: int) -> None:
        self.send(command + b"\r\n")
        self._reply(code)

    def _reply(self, code: int) -> None:
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        if line[:3] == b"421":
            raise Gone(line.decode(errors="replace"))
        if line[:3] != b"%d" % code:
            raise Refused(line.decode(errors="replace"))


class IMAPWire(Wire):
    """A client of IMAP (RFC 3501) with LITERAL+ (RFC 7888).

    An untagged response is a list of octets: text, literal, text, literal, text...
    """

    def __init__(self, port: int, user: str, password: str) -> None:
        super().__init__(port)
        self._number = 0
        self.line()
        self.command(f'LOGIN "{user}" "{password}"')

    def next_tag(self) -> bytes:
        """What the next command will be answered with."""
        return b"c%d" % (self._number + 1)

    def command(self, text: str, literal: bytes | None = None) -> list[list[bytes]]:
        """-> the untagged responses, and last the tagged one behind its ``OK``.

        :raises Refused: it is NO or BAD.
        """
        tag = self.next_tag()
        self._number += 1
        line = tag + b" " + text.encode()
        if literal is not None:
            line += b" {%d+}\r\n" % len(literal) + literal
        self.send(line + b"\r\n")
        responses: list[list[bytes]] = []
        while True:
            response = self._response()
            first, _, rest = response[0].partition(b" ")
            if first == tag and rest.startswith(b"OK "):
                return [*responses, [rest]]
            if first == tag:
                raise Refused(f"{text}: {rest.decode(errors='replace')}")
            responses.append([rest, *response[1:]])

    def _response(self) -> list[bytes]:
        parts = []
        while True:
            line = self.line()
            parts.append(line)
            literal = _LITERAL.search(line)
            if literal is None:
                return parts
            parts.append(self.octets(int(literal[1])))
