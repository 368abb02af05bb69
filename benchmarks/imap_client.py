"""IMAP clients: one that blocks, and a script of a short session."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence

from .crowd import IsComplete, Script
from .smtp_client import Tally
from .wire import TAIL, Wire

INBOX = b"INBOX"
#: Messages that one MULTIAPPEND, or one burst of APPENDs, takes.
WINDOW = 50


class IMAPRefused(Exception):
    """A command did not end with OK; the text is command and answer."""


def last_line(data: bytes | bytearray) -> bytes:
    """The last whole line of *data*; ``b""`` where it ends within a line."""
    if not data.endswith(b"\r\n"):
        return b""
    return bytes(data[data.rfind(b"\r\n", 0, -2) + 2 if b"\r\n" in data[:-2] else 0 :])


class IMAP(Wire):
    """One connection, one command at a time."""

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        source: str = "",
    ) -> None:
        super().__init__(address, tls, source)
        self.line()
        self._number = 0
        self._capabilities = b""

    def next_tag(self) -> bytes:
        """A tag that no data looks like, with the space after it."""
        self._number += 1
        return b"zqx%d " % self._number

    def read_to(self, tag: bytes, kept: bytearray | None = None) -> tuple[bytes, int]:
        """Read up to the line that begins with *tag*: the line, and all octets.

        :param kept: takes everything that was read.
        """
        total, tail = 0, b""
        while True:
            data = self.receive()
            total += len(data)
            if kept is not None:
                kept += data
            tail = (tail + bytes(data[-TAIL:]))[-TAIL:]
            line = last_line(tail)
            if line.startswith(tag):
                return line, total

    def command(self, text: bytes, kept: bytearray | None = None) -> int:
        """Run a command; the octets of its answer.

        :raises IMAPRefused: it did not succeed.
        """
        tag = self.next_tag()
        self.socket.sendall(tag + text + b"\r\n")
        line, total = self.read_to(tag, kept)
        if not line.startswith(tag + b"OK"):
            raise IMAPRefused(f"{text[:80]!r}: {line!r}")
        return total

    def seconds(self, text: bytes) -> tuple[float, int]:
        """Run a command: how long it took, and the octets of its answer."""
        begin = time.perf_counter()
        size = self.command(text)
        return time.perf_counter() - begin, size

    def login(self, user: bytes, password: bytes) -> None:
        """Log in, and learn what the server can do."""
        answer = bytearray()
        self.command(b'LOGIN "%b" "%b"' % (user, password), answer)
        if b"[CAPABILITY " not in answer:
            answer.clear()
            self.command(b"CAPABILITY", answer)
        self._capabilities = bytes(answer).upper()

    def can(self, capability: bytes) -> bool:
        """Whether the server said so after the login."""
        return capability in self._capabilities

    def append(self, mailbox: bytes, message: bytes) -> None:
        """Store one message, and wait until it is."""
        tag = self.next_tag()
        command = tag + b"APPEND %b {%d" % (mailbox, len(message))
        if self.can(b"LITERAL+"):
            self.socket.sendall(command + b"+}\r\n" + message + b"\r\n")
        else:
            self.socket.sendall(command + b"}\r\n")
            self.line()
            self.socket.sendall(message + b"\r\n")
        self._finish(tag)

    def append_many(self, mailbox: bytes, messages: Sequence[bytes]) -> str:
        """Store messages the fastest way that the server offers; its name."""
        if not self.can(b"LITERAL+"):
            for message in messages:
                self.append(mailbox, message)
            return "one by one"
        multiple = self.can(b"MULTIAPPEND")
        for first in range(0, len(messages), WINDOW):
            lot = messages[first : first + WINDOW]
            if multiple:
                self._append_together(mailbox, lot)
            else:
                self._append_in_a_row(mailbox, lot)
        return "MULTIAPPEND" if multiple else "pipelined"

    def _append_together(self, mailbox: bytes, messages: Sequence[bytes]) -> None:
        tag = self.next_tag()
        pieces = [tag + b"APPEND " + mailbox]
        for message in messages:
            pieces += [b" {%d+}\r\n" % len(message), message]
        self.socket.sendall(b"".join([*pieces, b"\r\n"]))
        self._finish(tag)

    def _append_in_a_row(self, mailbox: bytes, messages: Sequence[bytes]) -> None:
        pieces, tag = [], b""
        for message in messages:
            tag = self.next_tag()
            pieces += [tag, b"APPEND %b {%d+}\r\n" % (mailbox, len(message))]
            pieces += [message, b"\r\n"]
        self.socket.sendall(b"".join(pieces))
        self._finish(tag)

    def _finish(self, tag: bytes) -> None:
        line, _ = self.read_to(tag)
        if not line.startswith(tag + b"OK"):
            raise IMAPRefused(repr(line))

    def count(self, mailbox: bytes = INBOX) -> int:
        """The messages in *mailbox*, by STATUS."""
        answer = bytearray()
        self.command(b"STATUS %b (MESSAGES)" % mailbox, answer)
        _, _, rest = bytes(answer).upper().rpartition(b"(MESSAGES ")
        return int(rest.partition(b")")[0])


def ends_with(tag: bytes) -> IsComplete:
    """Whether the last line begins with *tag*."""
    return lambda data: last_line(data).startswith(tag)


_TAGS = [ends_with(b"a%d " % number) for number in range(5)]


def short_session(user: bytes, password: bytes, tally: Tally) -> Script:
    """Log in, select, fetch one message's header, log out."""
    yield None, lambda data: data.endswith(b"\r\n")
    commands = (
        b'LOGIN "%b" "%b"' % (user, password),
        b"SELECT INBOX",
        b"FETCH 1 (FLAGS BODY.PEEK[HEADER])",
        b"LOGOUT",
    )
    succeeded = True
    for number, command in enumerate(commands, start=1):
        answer = yield b"a%d %b\r\n" % (number, command), _TAGS[number]
        # LOGOUT may be answered with a BYE and nothing more.
        succeeded &= b"a%d OK" % number in answer or command == b"LOGOUT"
    if succeeded:
        tally.accepted += 1
    else:
        tally.refused += 1
