"""The base of every line protocol: one coroutine per connection.

A protocol is written as the conversation it is::

    async def serve(self):
        self.send(b"220 ready\\r\\n")
        while True:
            line = await self.read_line(2048)
            ...

Invariants, for every protocol built on it:

* Replies leave in the order of their commands: nothing reads the next command
  before the last one is answered.
* What is sent is gathered and written once, when the conversation waits.
* Reading stops while work is pending and :attr:`Limits.read_ahead` is full, and
  commands stop while the peer does not read what it asked for.
* TLS starts only when no input waits, so that nothing sent in clear text is ever
  read as if it had come encrypted (RFC 3207, section 6; attack: STARTTLS command
  injection).
* No exception reaches the transport.

While the coroutine only waits for input there is no ``Deferred``: it is resumed
straight from ``dataReceived``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.cred.credentials import ICredentials
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from ..logbook import Logbook
from ..mail.envelope import Peer
from .buffer import InputBuffer
from .endings import Cut, Disconnected, Ending, InputBeforeTLS, LineTooLong
from .suspension import INPUT, OUTPUT, Signal
from .writing import close, writer_for

if TYPE_CHECKING:
    from .factory import ConnectionFactory

#: Output gathered beyond this many octets is written at once.
FLUSH_AT = 65_536
#: Seconds of silence that a server which stops bears from who is midway.
LAST_PATIENCE = 10.0
_FOREVER = float("inf")


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """One connection; subclasses write ``serve()`` and ``farewell()``."""

    log = Logbook()
    factory: ConnectionFactory
    peer: Peer
    is_secure = False
    #: As who the peer logged in, in its own spelling; empty for strangers.
    user = b""
    since = 0.0  #: When it was made, by the factory's clock.

    _now: Callable[[], float]
    _conversation: Coroutine[Any, Any, None] | None = None
    _waiting: object = None
    _running = False
    _ended = False
    _lost = False
    _end_of_input = False
    _queued = 0
    _reading = True
    _choked = False
    _woken = False
    _stop: Ending | None = None
    _patience = 300.0
    _stream_started = 0.0
    _stream_octets = -1
    #: When the sweep may cut the connection; only meaningful while waiting.
    deadline = _FOREVER

    # What a protocol writes.

    async def serve(self) -> None:
        """The whole conversation; returning closes the connection."""
        raise NotImplementedError

    def farewell(self, ending: Ending) -> bytes:
        """The last words to the peer, in the protocol's own terms."""
        raise NotImplementedError

    def is_midway(self) -> bool:
        """Whether something has begun that a server which stops waits for."""
        return False

    def ended(self) -> None:
        """Called once when the conversation is over: free what it held."""

    # Reading.

    @property
    def has_input(self) -> bool:
        """Whether octets wait that were not read yet."""
        return len(self._input) > 0

    async def read_line(self, limit: int) -> bytes:
        """The next line, without its CRLF.

        :param limit: octets, CRLF included.
        :raises mailhub.net.endings.LineTooLong: the conversation may go on.
        :raises mailhub.net.endings.BareNewline: likewise.
        :raises Disconnected: at the end of input.
        """
        if self._choked:
            await self.drain()
        if self._stop is not None and not self._is_finishing:
            raise Cut(self._stop)
        while (line := self._input.take_line(limit)) is None:
            if len(self._input) > limit:
                await self._discard_line()
                raise LineTooLong
            await self._more_input()
        self.deadline = _FOREVER
        return line

    async def read_some(self, most: int) -> bytes:
        """At least one octet, at most *most*, as they arrive.

        :raises Disconnected: at the end of input.
        """
        if self._stream_octets < 0:
            self._stream_octets = 0
            self._stream_started = self._now()
        while not (data := self._input.take(most)):
            await self._more_input()
        self._stream_octets += len(data)
        return data

    def unread(self, data: bytes) -> None:
        """Give back octets that were read too far, and end the stream."""
        self._input.unread(data)
        self.end_stream()

    def end_stream(self) -> None:
        """The message data or literal is complete: its rate counts no more."""
        self._stream_octets = -1

    async def wait(self) -> None:
        """Until there is input, or :meth:`wake`; consumes nothing."""
        if self._stop is not None:
            raise Cut(self._stop)
        if not self.has_input and not self._woken:
            await self._more_input()
        self._woken = False

    def wake(self) -> None:
        """Let :meth:`wait` return, now or when it is next awaited."""
        self._woken = True
        if self._waiting is INPUT and not self._running:
            self._resume()

    def expect(self, seconds: float) -> None:
        """From now on, allow *seconds* without input before the farewell."""
        self._patience = seconds

    # Writing.

    def send(self, data: bytes) -> None:
        """Queue *data*; it is written when the conversation waits."""
        self._outgoing.append(data)
        self._queued += len(data)
        if self._queued >= FLUSH_AT:
            self._flush()

    async def drain(self) -> None:
        """Write what is queued; wait while the peer does not read."""
        self._flush()
        while self._choked:
            self.deadline = self._now() + self.factory.limits.write_stall
            await OUTPUT
            if self._lost:
                raise Disconnected

    # TLS.

    async def start_tls(self) -> None:
        """Speak TLS from here on; what was sent before goes out in clear.

        :raises InputBeforeTLS: nothing was changed; close the connection.
        """
        if self.has_input:
            raise InputBeforeTLS
        if self._lost:
            raise Disconnected
        self._flush()
        assert self.transport is not None
        self.is_secure = True
        self.transport.startTLS(self.factory.certificates)  # type: ignore[attr-defined]

    def handshakeCompleted(self) -> None:
        """TLS is agreed on (IHandshakeListener)."""
        handle = self.transport.getHandle()  # type: ignore[union-attr]
        version = handle.get_protocol_version_name()
        self.is_secure = True
        self.factory.tally.handshakes += 1
        self.peer = replace(self.peer, tls=version)
        if self._conversation is None and not self._ended:
            self._begin()

    # Login.

    async def login(
        self,
        credentials: ICredentials,
        interface: type[Interface],
        mechanism: str = "",
    ) -> Any:
        """The avatar for *credentials*, from the factory's portal.

        It is logged out when the conversation ends.

        :param mechanism: how the client logs in, to be counted; empty where nobody
            logs in by name.
        :raises twisted.cred.error.UnauthorizedLogin: and what the portal's
            checkers raise besides.
        """
        avatar, logout = await self.factory.log_in(
            credentials, self.peer, interface, mechanism
        )
        if self._ended:
            logout()
            raise Disconnected
        self._logouts.append(logout)
        self.user = getattr(credentials, "username", b"")
        return avatar

    # What Twisted calls.

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._input = InputBuffer()
        self._outgoing: list[bytes] = []
        self._logouts: list[Callable[[], object]] = []
        self._write = writer_for(self.transport)
        self.peer = self.factory.describe_peer(self.transport)
        self._now = self.factory.clock.seconds
        if self.peer.port and hasattr(self.transport, "setTcpNoDelay"):
            # Output is gathered here already.  Left to itself, TCP holds a small
            # piece until the last one is acknowledged: 40 ms, to a client that
            # only listens (IDLE).  UNIX sockets have no port and no such option.
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)  # type: ignore[attr-defined]
        if not self.factory.admit(self):
            self._stop = Ending.CROWDED
            self._conclude(Ending.CROWDED)
        elif self.factory.implicit_tls:
            self.deadline = self._now() + self.factory.limits.handshake
        else:
            self._begin()

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            return
        self._input.feed(data)
        if self._waiting is INPUT and not self._running:
            self._resume()
        elif len(self._input) >= self.factory.limits.read_ahead:
            self._pause_reading()

    def readConnectionLost(self) -> None:
        """The peer sends no more, but may still read (IHalfCloseableProtocol)."""
        self._end_of_input = True
        if self._waiting is INPUT and not self._running:
            self._resume()
        elif self._conversation is None and not self._ended:
            self._conclude(None)

    def writeConnectionLost(self) -> None:
        """Part of IHalfCloseableProtocol; we never close one half."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = self._end_of_input = True
        if self._ended:
            self.factory.forget(self)
        elif self._conversation is None:
            self._finish()
        elif isinstance(self._waiting, Signal) and not self._running:
            self._resume()

    def pauseProducing(self) -> None:
        """The peer does not read: stop writing (IPushProducer)."""
        self._choked = True

    def resumeProducing(self) -> None:
        self._choked = False
        if self._waiting is OUTPUT and not self._running:
            self._resume()

    def stopProducing(self) -> None:
        """The transport is gone; ``connectionLost`` follows."""
        self._choked = False

    # What the factory calls.

    def sweep(self, now: float) -> None:
        """Cut the connection when its time is over (called every second)."""
        if now < self.deadline:
            octets = self._stream_octets
            if octets < 0 or self._waiting is not INPUT:
                return
            limits = self.factory.limits
            late = now - self._stream_started - limits.record
            if late <= 0 or octets >= late * limits.minimum_rate:
                return
            self.cut(Ending.SLOW)
        elif self._ended or self._waiting is OUTPUT or self._is_handshaking:
            # Nobody would read our last words.
            self.abort()
        else:
            self.cut(Ending.IDLE)

    def cut(self, ending: Ending) -> None:
        """End the conversation as soon as no command is being worked on."""
        if self._ended:
            return
        self._stop = ending
        if self._is_finishing:
            self._patience = LAST_PATIENCE
            if self._waiting is INPUT and self._stream_octets < 0:
                self._set_deadline()
            return
        if self._waiting is INPUT and not self._running:
            self._resume()
        elif self._conversation is None:
            self._conclude(ending)

    @property
    def _is_finishing(self) -> bool:
        """Whether a server that stops still takes the message that is coming in."""
        is_stopping = self._stop is Ending.SHUTDOWN
        return is_stopping and (self._stream_octets >= 0 or self.is_midway())

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    # The conversation's machinery.

    def _begin(self) -> None:
        self._patience = self.factory.limits.login_idle
        self._conversation = self.serve()
        self._resume()

    def _resume(self, result: object = None) -> None:
        """Run the conversation until it waits for something again.

        A ``Deferred`` hands over its failure here; its value it keeps.
        """
        if self._running or self._conversation is None:
            return
        self._running = True
        self._waiting = None
        try:
            if isinstance(result, Failure):
                waiting = result.throwExceptionIntoGenerator(self._conversation)
            else:
                waiting = self._conversation.send(None)
        except StopIteration:
            self._conclude(None)
        except Disconnected:
            self._conclude(None)
        except Cut as cut:
            self._conclude(cut.ending)
        except Exception:
            self.log.failure("conversation with {peer} failed", peer=self.peer.host)
            self._conclude(Ending.FAULT)
        else:
            self._running = False
            self._suspend(waiting)

    def _suspend(self, waiting: object) -> None:
        self._waiting = waiting
        if self._queued:
            self._flush()
        if isinstance(waiting, Deferred):
            self.deadline = _FOREVER
            waiting.addBoth(self._resume)

    async def _more_input(self) -> None:
        """Suspend until something arrives (or :meth:`wake`)."""
        if self._stop is not None and not self._is_finishing:
            raise Cut(self._stop)
        if self._end_of_input:
            raise Disconnected
        before = len(self._input)
        if not self._reading:
            self._resume_reading()
        self._set_deadline()
        await INPUT
        if self._stop is not None and not self._is_finishing:
            raise Cut(self._stop)
        if self._end_of_input and len(self._input) == before:
            raise Disconnected

    def _set_deadline(self) -> None:
        """When the wait that begins now is over."""
        limits = self.factory.limits
        now = self._now()
        if self._input:
            # Part of a line is here.  More parts do not buy more time.
            self.deadline = min(self.deadline, now + limits.record)
            return
        self._input.clear()
        handshake = self.is_secure and self.peer.tls is None
        self.deadline = now + (limits.handshake if handshake else self._patience)

    @property
    def _is_handshaking(self) -> bool:
        """Whether TLS has begun, or has to, and was not agreed on yet."""
        if self._conversation is None:
            return True
        return self.is_secure and self.peer.tls is None

    async def _discard_line(self) -> None:
        """Throw the current line away up to its LF, within bounds."""
        allowance = self.factory.limits.discard - len(self._input)
        while not self._input.drop_line():
            if allowance < 0:
                raise Cut(Ending.FLOOD)
            await self._more_input()
            allowance -= len(self._input)

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def _resume_reading(self) -> None:
        self._reading = True
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def _flush(self) -> None:
        if not self._queued:
            return
        outgoing = self._outgoing
        data = outgoing[0] if len(outgoing) == 1 else b"".join(outgoing)
        outgoing.clear()
        self._queued = 0
        if not self._lost:
            self._write(data)

    def _conclude(self, ending: Ending | None) -> None:
        """The conversation is over: last words, then close."""
        if ending is not None:
            self.send(self.farewell(ending))
        self._flush()
        self._finish()
        if not self._lost:
            self.transport.unregisterProducer()  # type: ignore[union-attr]
            close(self.transport)

    def _finish(self) -> None:
        """Free everything, once."""
        if self._ended:
            return
        if self._is_handshaking and self._stop is not Ending.CROWDED:
            self.factory.tally.broken_handshakes += 1
        self._ended = True
        self._running = False
        self._waiting = None
        self.deadline = self._now() + self.factory.limits.linger
        self._input.clear()
        if self._conversation is not None:
            self._conversation.close()
        logouts, self._logouts = self._logouts, []
        for last in (*logouts, self.ended):
            try:
                last()
            except Exception:
                # What one of them could not free is no reason to keep the rest.
                self.log.failure("{peer} did not end well", peer=self.peer.host)
        if self._lost:
            self.factory.forget(self)
