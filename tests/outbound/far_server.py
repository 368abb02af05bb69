"""A server elsewhere, on an address of this machine, that does as a test says."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol

HELLO = (b"PIPELINING", b"8BITMIME", b"SIZE 100000")


class FarServer(Factory):
    """Takes mail.

    :param address: where it listens; *port* 0 is any that is free.
    :param offers: the extensions of its EHLO.
    :param replies: by the first words of a command what it answers instead of 250; a
        list is one answer after the other, the last for ever.  ``None`` is no answer,
        now and later, ``b""`` closes the connection.  ``b""`` stands for the greeting,
        ``b"."`` for the end of a message, which has an answer for each recipient where
        the session began with LHLO.
    :ivar heard: every line of commands.
    :ivar messages: what came between DATA and its end.
    :ivar connections: that were made.
    """

    noisy = False

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        offers: tuple[bytes, ...] = HELLO,
        replies: dict[bytes, Any] | None = None,
    ) -> None:
        self.offers = offers
        self.replies = replies or {}
        self.heard: list[bytes] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.open: set[_Session] = set()
        self._port: Any = reactor.listenTCP(port, self, interface=address)
        self.port: int = self._port.getHost().port

    def buildProtocol(self, addr: object) -> Protocol:
        self.connections += 1
        session = _Session()
        session.factory = self
        return session

    def reply_to(self, line: bytes) -> bytes | None:
        """What is answered to a command."""
        for words, answer in self.replies.items():
            if words and line.upper().startswith(words):
                if isinstance(answer, list):
                    return answer.pop(0) if len(answer) > 1 else answer[0]
                return answer
        return b"250 2.0.0 taken" if line == b"." else b"250 2.0.0 ok"

    async def stop(self) -> None:
        """Listen no more, and close what is open."""
        await maybeDeferred(self._port.stopListening)
        for session in list(self.open):
            session.transport.abortConnection()

    def verbs(self) -> list[bytes]:
        """The first words of what was heard."""
        return [line.split(b" ")[0].upper() for line in self.heard]


class _Session(Protocol):
    factory: FarServer

    def connectionMade(self) -> None:
        self.factory.open.add(self)
        self._buffer = b""
        self._in_data = self._is_stalled = self._is_lmtp = False
        self._recipients = 0
        self.say(self.factory.replies.get(b"", b"220 far ESMTP"))

    def connectionLost(self, reason: object = None) -> None:
        self.factory.open.discard(self)

    def say(self, reply: bytes | None) -> None:
        if reply is None:
            self._is_stalled = True
        elif reply == b"":
            self.transport.loseConnection()
        else:
            self.transport.write(reply + b"\r\n")

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(b"\x16\x03"):
            # The hello of TLS, which is not spoken here.
            self.transport.write(b"500 what?\r\n")
            self.transport.loseConnection()
            return
        self._buffer += data
        while not (self.transport.disconnecting or self._is_stalled):
            if self._in_data:
                message, end, rest = (b"\r\n" + self._buffer).partition(b"\r\n.\r\n")
                if not end:
                    return
                self._in_data, self._buffer = False, rest
                self.factory.messages.append(message[2:] + b"\r\n")
                for _ in range(self._recipients if self._is_lmtp else 1):
                    self.say(self.factory.reply_to(b"."))
                self._recipients = 0
                continue
            line, end, rest = self._buffer.partition(b"\r\n")
            if not end:
                return
            self._buffer = rest
            self._command(line)

    def _command(self, line: bytes) -> None:
        factory = self.factory
        factory.heard.append(line)
        verb = line.split(b" ")[0].upper()
        default: bytes | None = factory.reply_to(line)
        changed = default != b"250 2.0.0 ok"
        self._recipients += verb == b"RCPT" and (default or b"")[:1] == b"2"
        if verb in (b"EHLO", b"LHLO") and not changed:
            self._is_lmtp = verb == b"LHLO"
            lines = [b"far", *factory.offers]
            for each in lines[:-1]:
                self.transport.write(b"250-" + each + b"\r\n")
            self.say(b"250 " + lines[-1])
        elif verb == b"DATA" and not changed:
            self._in_data = True
            self.say(b"354 go")
        elif verb == b"QUIT":
            self.say(b"221 bye")
            self.transport.loseConnection()
        else:
            self.say(default)
