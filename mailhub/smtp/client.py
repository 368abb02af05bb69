"""A session with another server: SMTP or LMTP, from the side of who sends.

::

    factory = SMTPClientFactory(reactor, hello=b"mail.example.org")
    reactor.connectTCP(address, 25, factory)
    client = await factory.opened          # greeted, in TLS, logged in
    sent = await client.send_mail(mail)    # as often as one likes

One conversation per connection (:mod:`mailhub.net.connection`); one message at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.python.failure import Failure

from ..errors import MailError
from ..mail.envelope import Peer
from ..net.connection import Connection
from ..net.endings import (
    BareNewline,
    Disconnected,
    Ending,
    InputBeforeTLS,
    LineTooLong,
)
from ..net.limits import Limits
from ..net.roll import Roll
from .client_capabilities import NONE, Capabilities, capabilities_of
from .client_data import Stuffing, stuffed, with_clean_lines
from .client_outcome import Mail, Sent, SessionFailed
from .client_replies import MAX_REPLY_LINE, MalformedReply, ReplyLines, ServerReply
from .client_steps import Step, Waits
from .client_transaction import Move, Transaction

#: Octets of a message that are read and written in one go.
PIECE = 262_144
#: Octets of a message that are sent before it is known whether anybody gets it.
MAX_CHUNK = 65_536
QUIT = b"QUIT\r\n"
#: RFC 5321, section 4.2.2.
_OUT_OF_ORDER = 503
#: More connections than a process can have.
_UNLIMITED = 1 << 30
_PROTOCOL_FAULTS = (MalformedReply, LineTooLong, BareNewline)


class SMTPClientFactory(ClientFactory):
    """Makes one connection.

    :param clock: ``IReactorTime``.
    :param hello: what we call ourselves.
    :param verb: ``EHLO``, or ``LHLO`` for LMTP.
    :param certificates: an ``IOpenSSLClientConnectionCreator``, or ``None`` for no
        TLS.
    :param check: called with the client when it is in TLS, or has found that there is
        none; may raise a ``MailError``.
    :param log_in: a coroutine function that logs in on the client, if that is needed.
    :param waits: the time that each step may take.
    :param roll: of all connections to other servers.
    :param idle: seconds that the session waits for another message.
    :ivar ended: called with the client when the session is over.
    :ivar opened: fires with the :class:`SMTPClient` that is ready, or fails with
        :class:`SessionFailed`.
    """

    noisy = False

    def __init__(
        self,
        clock: Any,
        *,
        hello: bytes,
        verb: bytes = b"EHLO",
        certificates: Any = None,
        implicit_tls: bool = False,
        check: Callable[[SMTPClient], object] | None = None,
        log_in: Callable[[SMTPClient], Any] | None = None,
        waits: Waits | None = None,
        roll: Roll | None = None,
        idle: float = 10.0,
    ) -> None:
        self.clock = clock
        self.hello = verb + b" " + hello + b"\r\n"
        self.old_hello = b"HELO " + hello + b"\r\n" if verb == b"EHLO" else b""
        self.certificates = certificates
        self.implicit_tls = implicit_tls
        self.check = check
        self.log_in = log_in
        self.waits = waits or Waits()
        # How many go to one server is for who sends to decide.
        self.limits = Limits(
            connections=_UNLIMITED,
            connections_per_address=_UNLIMITED,
            handshake=self.waits.short,
            write_stall=self.waits.content,
        )
        self.roll = roll or Roll("out")
        self.tally = self.roll.tally
        self.idle = idle
        self.opened: Deferred[SMTPClient] = Deferred(self._cancel)
        self._connector: Any = None
        self._client: SMTPClient | None = None
        self.ended: Callable[[SMTPClient], object] | None = None
        self.seconds = {step: self.waits.for_step(step) for step in Step}

    def startedConnecting(self, connector: Any) -> None:
        self._connector = connector

    def buildProtocol(self, addr: object) -> SMTPClient:
        client = self._client = SMTPClient()
        client.factory = self
        return client

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        if not self.opened.called:
            text = reason.getErrorMessage()
            self.opened.errback(SessionFailed(Step.CONNECT, text))

    def _cancel(self, opened: Deferred[SMTPClient]) -> None:
        if self._client is not None:
            self._client.abort()
        elif self._connector is not None:
            self._connector.disconnect()

    def describe_peer(self, transport: Any) -> Peer:
        """The connection's facts, before TLS."""
        address = transport.getPeer()
        return Peer(
            getattr(address, "host", ""), getattr(address, "port", 0), "out", ""
        )

    def admit(self, client: SMTPClient) -> bool:
        """Count *client* in; whether it is within the limits."""
        return self.roll.enter(client, self.limits, self.clock)

    def forget(self, client: SMTPClient) -> None:
        """*client* is closed."""
        self.roll.leave(client)


@dataclass(slots=True)
class _Job:
    """A message that is being sent."""

    mail: Mail
    done: Deferred[Sent]
    verdicts: list[ServerReply | None] = field(default_factory=list)
    is_written: bool = False


class SMTPClient(Connection):
    """One session with another server; see :class:`SMTPClientFactory`.

    :ivar able: what the server can do.
    :ivar name: what it calls itself, in lower case.
    :ivar messages: how many were sent over it.
    :ivar chain: what the server has shown in TLS; for who sends to keep, likewise
        *accepted*, the policy that it was found to follow.
    """

    factory: Any
    able: Capabilities = NONE
    name = ""
    messages = 0
    chain: Any = None
    accepted: object = None
    _job: _Job | None = None
    _step = Step.GREETING
    _needs_reset = False
    _is_aborted = False
    _fault: SessionFailed | None = None
    _reason: Failure | None = None

    # For who sends.

    @property
    def is_free(self) -> bool:
        """Whether it can be given a message."""
        is_open = not (self._ended or self._is_aborted) and self._stop is None
        return is_open and self._job is None

    def send_mail(self, mail: Mail) -> Deferred[Sent]:
        """Send a message; only where :attr:`is_free`.

        It never fails.  Who cancels it ends the session, as nobody could read a
        message to its end any more.
        """
        job = self._job = _Job(mail, Deferred(self._cancel))
        self.wake()
        return job.done

    def _cancel(self, done: Deferred[Sent]) -> None:
        self._job = None
        self.abort()

    @property
    def tls(self) -> Any:
        """The ``OpenSSL.SSL.Connection``, if :attr:`is_secure`."""
        return self.transport.getHandle()  # type: ignore[union-attr]

    def quit(self) -> None:
        """End the session as soon as no message is on its way."""
        self.cut(Ending.SHUTDOWN)

    def abort(self) -> None:
        """See :meth:`mailhub.net.connection.Connection.abort`; it is free no more."""
        self._is_aborted = True
        super().abort()

    # The conversation.

    async def serve(self) -> None:
        """From the greeting until nobody needs the session any more."""
        try:
            await self._open()
            if self.factory.opened.called:
                return  # nobody waits for it any more
            self.factory.opened.callback(self)
            while self._fault is None:
                self.expect(self.factory.idle)
                await self.wait()
                await self._serve_job()
        except SessionFailed as fault:
            self._fault = fault
        except _PROTOCOL_FAULTS as fault:
            text = str(fault) or type(fault).__name__
            self._fault = SessionFailed(self._step, f"no mail server: {text}")

    def farewell(self, ending: Ending) -> bytes:
        """``QUIT`` where the server expects a command."""
        return QUIT if self._job is None and self.factory.opened.called else b""

    def is_midway(self) -> bool:
        """A message is on its way."""
        return self._job is not None

    def ended(self) -> None:
        """Tell whoever waits for the session, or for its message."""
        fault = self._fault or SessionFailed(
            self._step,
            self._what_happened(),
            may_go_clear=self._step is Step.TLS,
            is_silent=self._stop in (Ending.IDLE, Ending.SLOW) or self._is_aborted,
        )
        job, self._job = self._job, None
        if self.factory.ended is not None:
            self.factory.ended(self)
        if not self.factory.opened.called:
            self.factory.opened.errback(fault)
        if job is not None:
            # Who has closed the connection without an answer to MAIL has not looked
            # at what came behind it.
            was_stale = self._step is Step.MAIL and self._stop is None
            unknown = job.is_written and fault.reply is None and not was_stale
            job.done.callback(Sent(job.verdicts, fault, unknown))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reason = reason
        super().connectionLost(reason)

    def handshakeCompleted(self) -> None:
        super().handshakeCompleted()
        self.wake()

    def _what_happened(self) -> str:
        if self._stop is not None:
            return f"{self._stop.value}, waiting for {self._step.value}"
        if self._is_aborted:
            return f"no progress for too long, waiting for {self._step.value}"
        lost = f"connection lost, waiting for {self._step.value}"
        reason = self._reason
        if reason is None or isinstance(reason.value, ConnectionDone):
            return lost
        return f"{lost}: {reason.getErrorMessage()}"

    async def _reply(self, step: Step) -> ServerReply:
        """The next reply, within the time of *step*."""
        self._step = step
        seconds = self.factory.seconds[step]
        self.expect(seconds)
        reply = self._lines.feed(await self.read_line(MAX_REPLY_LINE))
        if reply is None:
            ends = self._now() + seconds
            while reply is None:
                self.expect(max(ends - self._now(), 0.0))
                reply = self._lines.feed(await self.read_line(MAX_REPLY_LINE))
        return reply

    async def command(self, line: bytes, step: Step) -> ServerReply:
        """The reply to a command, given with its CRLF."""
        self.send(line)
        return await self._reply(step)

    async def _open(self) -> None:
        self._lines = ReplyLines()
        greeting = await self._reply(Step.GREETING)
        if not greeting.is_positive:
            self.send(QUIT)
            raise SessionFailed(Step.GREETING, str(greeting), greeting)
        await self._hello()
        if self.factory.certificates is not None and not self.is_secure:
            await self._secure()
        try:
            if self.factory.check is not None:
                self.factory.check(self)
            if self.factory.log_in is not None:
                self._step = Step.LOGIN
                await self.factory.log_in(self)
        except MailError as error:
            self.send(QUIT)
            raise SessionFailed(self._step, str(error), error=error) from error

    async def _hello(self) -> None:
        factory = self.factory
        reply = await self.command(factory.hello, Step.HELLO)
        if reply.is_positive:
            self.able = capabilities_of(reply)
            self.name = _first_word(reply)
            return
        if reply.is_permanent and factory.old_hello:
            reply = await self.command(factory.old_hello, Step.HELLO)
        if not reply.is_positive:
            self.send(QUIT)
            raise SessionFailed(Step.HELLO, str(reply), reply)
        self.able = NONE
        self.name = _first_word(reply)

    async def _secure(self) -> None:
        """STARTTLS, where it is offered (RFC 3207)."""
        if not self.able.starttls:
            return
        reply = await self.command(b"STARTTLS\r\n", Step.TLS)
        if not reply.is_positive:
            return
        try:
            await self.start_tls()
        except InputBeforeTLS:
            # Whoever wrote that wants it to be read as if the server had said it
            # within TLS (attack: response injection).
            raise SessionFailed(
                Step.TLS, "octets in the clear behind the answer to STARTTLS"
            ) from None
        self.expect(self.factory.seconds[Step.TLS])
        await self.wait()
        # What it said in the clear is forgotten (RFC 3207, section 4.2).
        self._lines = ReplyLines()
        await self._hello()

    async def _serve_job(self) -> None:
        """Send the message that was given, or take leave of the server."""
        job = self._job
        if self.has_input:
            # It has something to say that nobody asked for: that it goes.
            self._step = Step.MAIL
            reply = await self._reply(Step.MAIL)
            raise SessionFailed(Step.MAIL, str(reply), reply)
        if job is None:
            return
        try:
            await self._transfer(job)
        except MalformedReply:
            raise
        except MailError as error:
            # It waits for the rest, which we cannot read: no end, no message.
            raise SessionFailed(self._step, str(error), error=error) from error
        self.messages += 1
        if self._job is job:
            self._job = None
            job.done.callback(Sent(job.verdicts, self._fault))

    async def _transfer(self, job: _Job) -> None:
        mail, able = job.mail, self.able
        job.verdicts = [None] * len(mail.recipients)
        if self._needs_reset:
            reply = await self.command(b"RSET\r\n", Step.RESET)
            if not reply.is_positive:
                raise SessionFailed(Step.RESET, str(reply), reply)
        chunk = _chunk(mail.content.data) if able.chunking else None
        transaction = Transaction(
            mail.opening,
            mail.recipients,
            pipelining=able.pipelining,
            chunk=chunk,
            one_by_one=mail.one_by_one,
        )
        job.verdicts = transaction.verdicts
        self.send(transaction.opening)
        job.is_written = chunk is not None and able.pipelining
        while True:
            reply = await self._reply(transaction.step)
            if reply.code == _OUT_OF_ORDER and self._is_first(transaction.step):
                raise SessionFailed(Step.MAIL, str(reply), reply)
            move = transaction.take(reply)
            if move is Move.READ:
                continue
            if move is Move.DONE:
                break
            if self.has_input:
                # Taken for the answer to what we say next, it would promise what
                # nobody has promised.
                raise MalformedReply("a reply to what was not said yet")
            if move is Move.WRITE:
                self.send(transaction.outgoing)
                job.is_written = transaction.step is Step.END
            else:
                await self._write_content(mail.content)
                job.is_written = True
        self._needs_reset = transaction.is_open
        if transaction.closing is not None:
            closing = transaction.closing
            self._fault = SessionFailed(transaction.step, str(closing), closing)

    def _is_first(self, step: Step) -> bool:
        """Whether it is MAIL, of another message than the session's first: who does
        not want that now is still at the last one, which is no verdict on this one.
        """
        return step is Step.MAIL and self.messages > 0

    async def _write_content(self, content: Any) -> None:
        """The message as DATA sends it, and its end."""
        if content.data is not None and content.size <= PIECE:
            self.send(stuffed(content.data))
            return
        self._step = Step.CONTENT
        stuffing = Stuffing()
        for start in range(0, content.size, PIECE):
            piece = await content.read(start, start + PIECE)
            if self._lost:
                raise Disconnected
            self.send(stuffing.feed(piece))
            await self.drain()
        self.send(stuffing.finish())
        await self.drain()


def _first_word(reply: ServerReply) -> str:
    return reply.lines[0].partition(b" ")[0].decode("ascii", "replace").lower()


def _chunk(data: bytes | None) -> bytes | None:
    """BDAT with all of a message that is small enough (RFC 3030, section 2)."""
    if data is None or len(data) > MAX_CHUNK:
        return None
    data = with_clean_lines(data)
    return b"BDAT %d LAST\r\n" % len(data) + data
