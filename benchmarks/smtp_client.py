"""SMTP senders: scripts for a :class:`~.crowd.Crowd`, and one that blocks.

MAIL, RCPT and DATA travel together where the server offers PIPELINING, as they do
between mail servers (RFC 2920, section 3.1); each message has one recipient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .crowd import Script
from .wire import Wire

SENDER = b"load@bench.example"
EHLO = b"EHLO client.bench.example\r\n"
#: Messages up to this size are sent with their last line in one piece.
ONE_PIECE = 16_384


def is_reply(data: bytearray | bytes) -> bool:
    """Whether the last line of *data* ends a reply (RFC 5321, section 4.2.1)."""
    if not data.endswith(b"\r\n"):
        return False
    begin = data.rfind(b"\r\n", 0, -2)
    return data[begin + 5 : begin + 6] == b" " if begin >= 0 else data[3:4] == b" "


def are_three_replies(data: bytearray) -> bool:
    """Whether *data* answers MAIL, RCPT and DATA."""
    return data.endswith(b"\r\n") and data.count(b"\r\n") >= 3 and is_reply(data)


@dataclass(slots=True)
class Tally:
    """What came of the messages."""

    accepted: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages to send: *count* of them, *each* on every connection.

    :ivar recipients: take turns; so do *bodies*.
    :ivar tag: makes every message of every batch a different one.
    """

    count: int
    each: int
    recipients: Sequence[bytes]
    bodies: Sequence[bytes]
    tag: str

    def expected(self, position: int) -> int:
        """How many messages the recipient at *position* gets."""
        return len(range(position, self.count, len(self.recipients)))


def sessions(batch: Batch, tally: Tally) -> Iterator[Script]:
    """One script for each connection that the batch takes."""
    for first in range(0, batch.count, batch.each):
        numbers = range(first, min(first + batch.each, batch.count))
        yield _session(batch, numbers, tally)


def _message(batch: Batch, number: int) -> list[bytes]:
    head = f"X-Bench: {batch.tag}.{number}\r\n".encode()
    body = batch.bodies[number % len(batch.bodies)]
    if len(body) > ONE_PIECE:
        return [head, body, b".\r\n"]
    return [head + body + b".\r\n"]


def _session(batch: Batch, numbers: range, tally: Tally) -> Script:
    yield None, is_reply
    capabilities = yield EHLO, is_reply
    pipelining = b"PIPELINING" in capabilities
    for number in numbers:
        recipient = batch.recipients[number % len(batch.recipients)]
        commands = [b"MAIL FROM:<%b>\r\n" % SENDER, b"RCPT TO:<%b>\r\n" % recipient]
        if pipelining:
            commands = [b"".join(commands) + b"DATA\r\n"]
            reply = yield commands, are_three_replies
            go_ahead = reply.rfind(b"\r\n354") > 0
        else:
            for command in (*commands, b"DATA\r\n"):
                reply = yield command, is_reply
            go_ahead = reply.startswith(b"354")
        if not go_ahead:
            tally.refused += 1
            return
        reply = yield _message(batch, number), is_reply
        if reply.startswith(b"2"):
            tally.accepted += 1
        else:
            tally.refused += 1
    yield b"QUIT\r\n", is_reply


class SMTPRefused(Exception):
    """A server did not take a message; the text is its reply."""


class Sender(Wire):
    """A connection that sends one message after the other."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self._reply()
        self._ask(EHLO)

    def _reply(self) -> bytes:
        data = b""
        while not is_reply(data):
            data += self.receive()
        return data

    def _ask(self, data: bytes) -> bytes:
        self.socket.sendall(data)
        return self._reply()

    def announce(self, recipients: Sequence[bytes]) -> None:
        """Everything up to the go-ahead for the message.

        :raises SMTPRefused: the server does not want it.
        """
        commands = [b"MAIL FROM:<%b>\r\n" % SENDER]
        commands += [b"RCPT TO:<%b>\r\n" % recipient for recipient in recipients]
        for command in (*commands, b"DATA\r\n"):
            reply = self._ask(command)
            if reply[:1] not in b"23":
                raise SMTPRefused(repr(reply))

    def send(self, body: bytes) -> None:
        """The message itself; returns when it is acknowledged.

        :raises SMTPRefused: it is not.
        """
        reply = self._ask(body + b".\r\n")
        if not reply.startswith(b"2"):
            raise SMTPRefused(repr(reply))

    def quit(self) -> None:
        """End politely."""
        self._ask(b"QUIT\r\n")
        self.close()
