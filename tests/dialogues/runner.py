"""Play transcripts against a protocol on a transport in memory.

A transcript is a text file ``tests/dialogues/<protocol>/<name>.txt``.  Every line
starts with two characters that say what it is:

======  ===================================================================
``#``   a comment; empty lines count as comments, too
``%:``  ``key = value``: an option for whoever makes the connection
``C:``  the client sends the rest of the line, and CRLF
``C+``  the client sends exactly the rest of the line, as Python's bytes
        escapes (``\\r``, ``\\n``, ``\\x00``, ``\\\\``); no CRLF is added
``S:``  the server sends this line, and CRLF; ``...`` stands for any octets
        within the line
``T:``  this many seconds pass
``X:``  ``server``: by now the server has closed the connection;
        ``client``: the client closes it;
        ``tls``: TLS, which the server has begun, is agreed on
======  ===================================================================

One space after the two characters is not part of the text.  ``C`` lines that
follow one another travel in one segment (pipelining; a literal with its line).
The server must have sent exactly what stands there when the client speaks
again, and at the end: more is a failure, and so is less.

Use, in ``tests/pop3/test_dialogues.py``::

    @dialogues("pop3")
    class POP3Dialogues(SynchronousTestCase):
        '''Each transcript, in whole segments and one octet at a time.'''

        def connect(self, options):
            clock = Clock()
            factory = POP3Factory(portal, clock=clock, ...)
            return Player(factory.buildProtocol(PEER), clock)

``options`` is the dictionary of the ``%:`` lines (``{}`` without any).  Each
file ``x.txt`` becomes ``test_x`` and ``test_x_octet_by_octet`` (not with
``%: octets = no``: where what arrives in one segment is the point).  Files and
options are read when the test class is defined, so a broken transcript fails at
once.  :class:`Player` alone serves tests that need Python between the lines::

    player = Player(protocol, clock)
    player.send(b"NOOP\\r\\n")
    self.assertEqual(player.received(), b"250 2.0.0 Ok\\r\\n")
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

#: Where the transcripts are, one folder per protocol.
FOLDER = Path(__file__).parent
#: The client's address, unless a player is told another.
PEER = IPv4Address("TCP", "127.0.0.1", 54321)
HOST = IPv4Address("TCP", "127.0.0.1", 2525)


class Kind(Enum):
    """What a line of a transcript is."""

    OPTION = "%:"
    SEND = "C:"
    SEND_RAW = "C+"
    EXPECT = "S:"
    PASS_TIME = "T:"
    CLOSE = "X:"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a transcript: its number, kind and text (octets for ``C``)."""

    line: int
    kind: Kind
    text: str

    @property
    def octets(self) -> bytes:
        """What a ``C`` line sends."""
        if self.kind is Kind.SEND:
            return self.text.encode() + b"\r\n"
        return self.text.encode().decode("unicode_escape").encode("latin-1")


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript: its name, options and steps."""

    name: str
    options: dict[str, str]
    steps: list[Step]

    @classmethod
    def parse(cls, name: str, text: str) -> Transcript:
        """Read *text*.

        :raises ValueError: a line that is none of the kinds; names the line.
        """
        options: dict[str, str] = {}
        steps = []
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                step = Step(number, Kind(line[:2]), line[2:].removeprefix(" "))
            except ValueError:
                raise ValueError(f"{name}:{number}: {line!r}?") from None
            if step.kind is Kind.OPTION:
                key, _, value = step.text.partition("=")
                options[key.strip()] = value.strip()
            else:
                steps.append(step)
        return cls(name, options, steps)

    @classmethod
    def read(cls, path: Path) -> Transcript:
        """The transcript in the file *path*."""
        return cls.parse(path.stem, path.read_text("utf-8"))


class MemoryTransport(StringTransport):
    """A StringTransport that lets ``startTLS`` be called.

    ``tls_context`` is what ``startTLS`` was given, or ``None``.  Octets written
    after that are kept in clear text: this is not about cryptography.
    """

    tls_context: object = None

    def __init__(self, peer: object = PEER, host: object = HOST) -> None:
        super().__init__(hostAddress=host, peerAddress=peer)

    def startTLS(self, context: object, normal: bool = True) -> None:
        self.tls_context = context

    def getHandle(self) -> MemoryTransport:
        return self

    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"


@dataclass
class Player:
    """The client's end of a conversation in memory.

    :ivar protocol: not connected yet; the player connects it.
    :ivar clock: what the protocol takes its time from.
    :ivar most: octets per segment at most; 0 sends each piece whole.
    """

    protocol: Any
    clock: Clock = field(default_factory=Clock)
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    most: int = 0
    lost: bool = False

    def __post_init__(self) -> None:
        self.protocol.makeConnection(self.transport)
        self._settle()

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection, or asked for it."""
        transport = self.transport
        return transport.disconnecting or transport.disconnected

    def send(self, data: bytes) -> None:
        """Let the server receive *data*, as a real transport would.

        Nothing arrives at a server that has closed.  A transport that the
        server has paused delivers all the same: what was read cannot be unread.
        """
        most = self.most or max(len(data), 1)
        for start in range(0, len(data), most):
            if self.closed:
                return
            self.protocol.dataReceived(data[start : start + most])
            self._settle()

    def received(self) -> bytes:
        """What the server has sent since the last call."""
        data = self.transport.value()
        self.transport.clear()
        return data

    def wait(self, seconds: float) -> None:
        """Let *seconds* pass, in steps of a second so that timers chain."""
        while seconds > 0:
            self.clock.advance(min(seconds, 1))
            seconds -= 1
        self._settle()

    def finish_handshake(self) -> None:
        """TLS, which the server has begun, is agreed on."""
        if self.transport.tls_context is None:
            raise AssertionError("the server has not begun TLS")
        self.protocol.handshakeCompleted()
        self._settle()

    def close(self) -> None:
        """The connection goes away; twice is harmless."""
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(ConnectionDone()))
            self._settle()

    def _settle(self) -> None:
        """Let delayed calls that are due run, also those they make."""
        for _ in range(10):
            self.clock.advance(0)
        # Who aborts does not wait for what was written to be taken.
        may_close = self.transport.disconnected or not self.transport.producer
        if self.closed and not self.lost and may_close:
            self.close()

    def play(self, transcript: Transcript) -> None:
        """Go through *transcript*.

        :raises AssertionError: the server said something else; names the line.
        """
        unread = b""
        pending = b""
        for step in transcript.steps:
            where = f"{transcript.name}.txt:{step.line}"
            if step.kind in (Kind.SEND, Kind.SEND_RAW):
                if not pending:
                    _nothing(unread + self.received(), where)
                    unread = b""
                pending += step.octets
                continue
            if pending:
                self.send(pending)
                pending = b""
            unread += self.received()
            match step.kind:
                case Kind.EXPECT:
                    unread = _match(step.text, unread, where)
                case Kind.PASS_TIME:
                    _nothing(unread, where)
                    self.wait(float(step.text))
                case _:
                    unread = _nothing(unread, where)
                    self._turn(step.text, where)
        self.send(pending)
        _nothing(unread + self.received(), f"{transcript.name}.txt: at the end")
        self.close()

    def _turn(self, what: str, where: str) -> None:
        """An ``X:`` line: the connection takes a turn, or has taken it."""
        match what:
            case "client":
                self.close()
            case "tls":
                self.finish_handshake()
            case "server":
                if not self.closed:
                    raise AssertionError(f"{where}: the connection is open")
            case _:
                raise AssertionError(f"{where}: X: {what}?")


def _nothing(unread: bytes, where: str) -> bytes:
    if unread:
        raise AssertionError(f"{where}: unexpected {unread!r}")
    return unread


def _match(expected: str, unread: bytes, where: str) -> bytes:
    """*unread* without its first line, which must look like *expected*."""
    line, end, rest = unread.partition(b"\r\n")
    pattern = b".*".join(
        re.escape(part.encode()) for part in expected.split("...")
    )
    if not end or not re.fullmatch(pattern, line, re.DOTALL):
        raise AssertionError(f"{where}: expected {expected!r}, got {unread!r}")
    return rest


TestClass = TypeVar("TestClass", bound=type)


def dialogues(protocol: str) -> Callable[[TestClass], TestClass]:
    """Give a test class two tests for each transcript of *protocol*.

    The class has ``connect(options) -> Player``.
    """

    def add_tests(case: TestClass) -> TestClass:
        paths = sorted((FOLDER / protocol).glob("*.txt"))
        if not paths:
            raise ValueError(f"no transcripts in {FOLDER / protocol}")
        for path in paths:
            transcript = Transcript.read(path)
            setattr(case, f"test_{path.stem}", _player_test(transcript, 0))
            by_octet = f"test_{path.stem}_octet_by_octet"
            if transcript.options.get("octets", "yes") != "no":
                setattr(case, by_octet, _player_test(transcript, 1))
        return case

    return add_tests


def _player_test(transcript: Transcript, most: int) -> Callable[[Any], None]:
    def test(case: Any) -> None:
        player = case.connect(transcript.options)
        player.most = most
        player.play(transcript)

    test.__doc__ = f"{transcript.name}.txt"
    return test
