"""A small protocol on the connection base, and a transport in memory."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.connection import Connection
from mailhub.net.endings import BareNewline, Ending, InputBeforeTLS, LineTooLong
from mailhub.net.factory import ConnectionFactory
from mailhub.net.limits import Limits

LIMIT = 32


class Wire(StringTransport):
    """A transport in memory that can start TLS, be stalled and be cut."""

    def __init__(self, host: str = "192.0.2.1") -> None:
        super().__init__()
        self.host = host
        self.aborted = False
        self.tls_started = 0
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)

    def getPeer(self):
        peer = super().getPeer()
        return type(peer)("TCP", self.host, 40000)

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def startTLS(self, creator) -> None:
        self.tls_started += 1


class Talk(Connection):
    """Answers each line with what it was; some words do something."""

    async def serve(self) -> None:
        self.send(b"hello\r\n")
        self.seen: list[bytes] = []
        while True:
            try:
                line = await self.read_line(LIMIT)
            except LineTooLong:
                self.send(b"too long\r\n")
                continue
            except BareNewline:
                self.send(b"bare\r\n")
                continue
            self.seen.append(line)
            if not await self.perform(line):
                return

    async def perform(self, line: bytes) -> bool:
        word, _, rest = line.partition(b" ")
        if word == b"quit":
            self.send(b"bye\r\n")
            return False
        if word == b"slow":
            self.pending: Deferred[bytes] = Deferred()
            line = await self.pending
        elif word == b"data":
            line = await self.take(int(rest))
        elif word == b"tls":
            try:
                self.send(b"go\r\n")
                await self.start_tls()
            except InputBeforeTLS:
                return False
            return True
        elif word == b"careful":
            self.pending = Deferred()
            try:
                line = await self.pending
            except LookupError:
                line = b"not found"
        elif word == b"bug":
            raise ZeroDivisionError("a bug")
        elif word == b"much":
            for _ in range(10):
                self.send(b"x" * 1000)
                await self.drain()
        elif word == b"idle":
            await self.wait()
            line = b"woken"
        self.send(line + b"\r\n")
        return True

    async def take(self, length: int) -> bytes:
        got = b""
        while len(got) < length:
            got += await self.read_some(length - len(got))
        self.end_stream()
        return b"%d" % len(got)

    def farewell(self, ending: Ending) -> bytes:
        return b"421 " + ending.name.encode() + b"\r\n"

    def ended(self) -> None:
        self.endings = getattr(self, "endings", 0) + 1


class TalkFactory(ConnectionFactory):
    protocol = Talk


class ConversationCase(SynchronousTestCase):
    """A factory on a virtual clock, and connections in memory."""

    limits = Limits(
        login_idle=300, record=100, read_ahead=1000, discard=200, write_stall=60
    )

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = TalkFactory(
            Portal(None),  # type: ignore[arg-type]
            service="smtp",
            limits=self.limits,
            clock=self.clock,
            certificates=object(),
        )

    def connect(self, host: str = "192.0.2.1") -> tuple[Talk, Wire]:
        connection = self.factory.buildProtocol(None)
        wire = Wire(host)
        connection.makeConnection(wire)
        return connection, wire

    def said(self, wire: Wire) -> bytes:
        value = wire.value()
        wire.clear()
        return value

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)
