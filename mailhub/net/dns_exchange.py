"""One DNS question to one server, by UDP and where that does not do by TCP.

A forged answer has to hit the port, the number, the letters' case in the question and
the moment between question and answer (RFC 5452, section 4.5).  All but the last are
drawn anew for each question; the kernel passes on only what comes from the server's
own address and port.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import ClientCreator, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import DNSFault, SyntaxFault
from .dns_message import (
    Code,
    Reply,
    decode_reply,
    encode_query,
    encode_question,
    is_reply_to,
)

#: Datagrams that are no answer before we ask by TCP: somebody guesses (RFC 5452,
#: section 9.3; attack: thousands of answers for one question).
MAX_STRANGERS = 20
#: What servers answer who do not know EDNS (RFC 6891, section 7).
_NO_EDNS = frozenset({Code.FORMERR, Code.NOTIMP, Code.BADVERS})
#: Larger than any datagram we ask for; what is longer is damaged and refused.
_LARGEST = 4096

_system = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class NameServer:
    """A resolver that may be asked.

    :ivar host: an IP address.
    :ivar trusted: whether its word is taken for what is authentic: it validates, and
        nobody between it and us can change what it says (RFC 4035, section 4.9.3).
    """

    host: str
    port: int = 53
    trusted: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Exchange:
    """Asks servers; how long it waits is up to who cancels.

    :param reactor: reads sockets and connects.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def ask(self, server: NameServer, name: bytes, kind: int) -> Reply:
        """What *server* says of *name* (see ``encode_name``).

        :raises DNSFault: nothing that makes sense.
        """
        try:
            reply = await self._ask(server, name, kind, edns=True)
            if reply.code in _NO_EDNS:
                reply = await self._ask(server, name, kind, edns=False)
        except SyntaxFault as fault:
            raise DNSFault(f"{server}: {fault}") from None
        except (OSError, ConnectError) as error:
            raise DNSFault(f"{server}: {error}") from None
        return reply

    async def _ask(
        self, server: NameServer, name: bytes, kind: int, edns: bool
    ) -> Reply:
        question = encode_question(mixed_case(name), kind)
        message = await self._by_udp(server, question, edns)
        if message:
            reply = decode_reply(message, question)
            if not reply.truncated:
                return reply
        question = encode_question(name, kind)
        return decode_reply(await self._by_tcp(server, question, edns), question)

    async def _by_udp(self, server: NameServer, question: bytes, edns: bool) -> bytes:
        """The answer; ``b""`` where another way to ask is needed."""
        ident = _system.getrandbits(16)
        datagram = _Datagram(self._reactor, server, ident, question)
        try:
            return await datagram.send(encode_query(ident, question, edns))
        finally:
            datagram.close()

    async def _by_tcp(self, server: NameServer, question: bytes, edns: bool) -> bytes:
        ident = _system.getrandbits(16)
        query = encode_query(ident, question, edns)
        connecting = ClientCreator(self._reactor, _Stream, query)
        stream: _Stream = await connecting.connectTCP(server.host, server.port)
        try:
            message = await stream.answered
        finally:
            stream.close()
        if not is_reply_to(message, ident, question):
            raise SyntaxFault("an answer to what was not asked")
        return message


def mixed_case(name: bytes) -> bytes:
    """*name* with each letter in upper or lower case, as chance has it.

    Servers repeat it letter by letter, so that who cannot see the question has one
    bit more to guess for each of them.  Lengths of labels are no letters: they end at
    63, and ``A`` is 65.
    """
    bits = _system.getrandbits(len(name))
    return bytes(
        octet ^ 0x20 if bits >> place & 1 and chr(octet).isalpha() else octet
        for place, octet in enumerate(name)
    )


@implementer(IReadDescriptor)
class _Datagram:
    """A socket for one question by UDP.

    Its port is the kernel's choice, at random.  A ``listenUDP`` port would tell the
    log twice of each question.
    """

    def __init__(
        self, reactor: Any, server: NameServer, ident: int, question: bytes
    ) -> None:
        self._reactor = reactor
        self._server = server
        self._ident = ident
        self._question = question
        self._strangers = 0
        self._answered: Deferred[bytes] = Deferred(lambda _: self.close())
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, query: bytes) -> Deferred[bytes]:
        """Ask, and wait for the answer.

        :raises OSError: the server cannot be reached.
        """
        self._socket.connect((self._server.host, self._server.port))
        self._socket.send(query)
        self._reactor.addReader(self)
        return self._answered

    def close(self) -> None:
        """Wait no longer; twice is harmless."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()

    def fileno(self) -> int:
        """For the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "DNS"

    def doRead(self) -> None:
        """Something has come in, or the server's machine refuses."""
        try:
            message = self._socket.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(Failure(error))
            return
        if is_reply_to(message, self._ident, self._question):
            self._end(message)
            return
        self._strangers += 1
        if self._strangers >= MAX_STRANGERS or self._is_in_another_case(message):
            self._end(b"")

    def _is_in_another_case(self, message: bytes) -> bool:
        """Whether it is an answer but for the case of letters in the question.

        A server may have changed it, or somebody guesses all the rest.
        """
        end = 12 + len(self._question)
        restored = message[:12] + self._question + message[end:]
        return message[12:end].lower() == self._question.lower() and is_reply_to(
            restored, self._ident, self._question
        )

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has given the socket up."""
        self._end(Failure(OSError("the socket is of no use any more")))

    def _end(self, result: bytes | Failure) -> None:
        self.close()
        if not self._answered.called:
            self._answered.callback(result)


class _Stream(Protocol):
    """A connection for one question by TCP (RFC 1035, section 4.2.2)."""

    def __init__(self, query: bytes) -> None:
        self._query = query
        self._input = bytearray()
        self.answered: Deferred[bytes] = Deferred(lambda _: self.close())

    def close(self) -> None:
        """Wait no longer; twice is harmless."""
        transport: Any = self.transport
        transport.abortConnection()

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(len(self._query).to_bytes(2, "big") + self._query)

    def dataReceived(self, data: bytes) -> None:
        self._input += data
        if len(self._input) < 2:
            return
        end = 2 + int.from_bytes(self._input[:2], "big")
        if len(self._input) >= end and not self.answered.called:
            self.answered.callback(bytes(self._input[2:end]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answered.called:
            self.answered.errback(SyntaxFault("the connection ended too early"))
