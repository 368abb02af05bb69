"""SMTP, submission and LMTP on a connection.

::

    factory = SMTPFactory(portal, service="smtp", host_name="mx.example")
    endpoint.listen(factory)

The portal's realm gives :class:`mailhub.interfaces.ISubmission`, to
``twisted.cred``'s anonymous login on port 25 and in LMTP, else to a login with a
name and a password.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from twisted.cred.credentials import Anonymous
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.task import deferLater

from ..auth.credentials import PasswordLogin
from ..auth.sasl import (
    Challenge,
    ExchangeCancelled,
    Step,
    decode_initial,
    decode_response,
    encode_base64,
    mechanisms,
)
from ..errors import (
    AuthenticationFailed,
    LocalFault,
    MailError,
    MessageTooLarge,
    SyntaxFault,
)
from ..interfaces import ISubmission
from ..mail.envelope import Envelope
from ..net.connection import Connection
from ..net.endings import BareNewline, Ending, LineTooLong
from ..net.factory import ConnectionFactory
from . import replies
from .commands import COMMANDS
from .data import DataFault, DataReader
from .dialogue import Command, Service, Started, rows_of
from .replies import Reply, reply_for
from .session import Session, SMTPLimits
from .syntax import FOREIGN_VERBS, split_command

#: Octets of message data that are looked at in one go.
PIECE = 65_536
#: What TLS takes for a connection, in octets, beyond what a stranger's message leaves
#: room for; and what each recipient takes, with as long an address as there may be.
TLS_MEMORY = 20_480
RECIPIENT_MEMORY = 256

_FAREWELLS = {
    Ending.SHUTDOWN: replies.SHUTTING_DOWN,
    Ending.IDLE: replies.TIMED_OUT,
    Ending.SLOW: replies.TIMED_OUT,
    Ending.FLOOD: replies.FLOODED,
    Ending.FAULT: Reply(421, ("Local error, try again later",), LocalFault.status),
    Ending.CROWDED: replies.CROWDED,
}
_DATA_FAULTS = {
    DataFault.BARE_NEWLINE: replies.BARE_NEWLINE_IN_DATA,
    DataFault.LONG_LINE: replies.TEXT_LINE_TOO_LONG,
}


class SMTPConnection(Connection):
    """One client of an :class:`SMTPFactory`."""

    factory: SMTPFactory
    session: Session
    mechanisms: Collection[bytes] = tuple(mechanisms)
    _avatar: Any = None

    async def serve(self) -> None:
        """The whole conversation."""
        factory = self.factory
        session = self.session = Session(factory.smtp_limits)
        if factory.greeting_delay:
            await deferLater(factory.clock, factory.greeting_delay)
        if self.has_input and not factory.smtp_service.allows_haste:
            # The client did not wait to hear who we are: no mail server does so.
            self.send(replies.OUT_OF_STEP.wire)
            return
        self.send(factory.greeting.wire)
        while not session.over:
            reply = await self._next_reply()
            if reply is not None:
                self.send(reply.wire)

    async def _next_reply(self) -> Reply | None:
        """The next command's reply, counted."""
        session = self.session
        try:
            line = await self.read_line(session.limits.command_line)
        except LineTooLong:
            return session.settle(replies.LINE_TOO_LONG)
        except BareNewline:
            return session.settle(replies.BARE_NEWLINE)
        verb, argument = split_command(line)
        command = self.factory.commands.get(verb)
        if command is None:
            foreign = verb in FOREIGN_VERBS
            unknown = replies.NOT_HTTP if foreign else replies.UNKNOWN_COMMAND
            return session.settle(unknown)
        reply = await self._perform(command, argument)
        if reply is None:
            return None
        return session.settle(reply, junk=command.junk)

    async def _perform(self, command: Command, argument: bytes) -> Reply | None:
        refusal = command.refused_in.get(self.session.state)
        if refusal is not None:
            return refusal
        is_hasty = self.has_input and not self.service.allows_haste
        if command.last_in_group and is_hasty:
            # What follows was not meant as commands, or not by the client.
            self.session.over = True
            return replies.OUT_OF_STEP
        try:
            return await command.perform(self, argument)
        except MailError as error:
            self.refused(command.verb, error)
            return reply_for(error)
        except Exception:
            self.report_fault()
            return reply_for(LocalFault())

    def farewell(self, ending: Ending) -> bytes:
        """``421`` and why (RFC 5321, section 3.8)."""
        return _FAREWELLS[ending].wire

    def is_midway(self) -> bool:
        """A message was announced, and may be on its way."""
        return self._conversation is not None and self.session.envelope is not None

    # What commands ask for: see mailhub.smtp.dialogue.Dialogue.

    @property
    def service(self) -> Service:
        """What the listener is for."""
        return self.factory.smtp_service

    @property
    def commands(self) -> Mapping[bytes, Command]:
        """The rows of this service."""
        return self.factory.commands

    @property
    def is_private(self) -> bool:
        """Whether a password may be said here."""
        service = self.factory.smtp_service
        return (
            self.is_secure
            or service.trusts_everybody
            or (service.trusts_loopback and self.peer.is_loopback)
        )

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS is offered on this port."""
        return self.factory.can_start_tls

    def forget_client(self) -> None:
        """As newly connected (RFC 3207, section 4.2)."""
        self.session.restart()
        self.peer = replace(self.peer, helo="")
        self._avatar = None

    async def submission(self) -> Any:
        """The avatar; an anonymous one is asked for at the first need."""
        if self._avatar is None:
            try:
                self._avatar = await self.login(Anonymous(), ISubmission)
            except (LoginFailed, NotImplementedError):
                return None
        return self._avatar

    async def authenticate(self, mechanism: bytes, initial: bytes | None) -> Reply:
        """Run the exchange of *mechanism* (RFC 4954, section 4)."""
        exchange = mechanisms[mechanism]()
        limit = self.session.limits.exchange_line
        try:
            first = None if initial is None else decode_initial(initial)
            step = exchange.start(first)
            while isinstance(step, Challenge):
                self.send(replies.challenge(encode_base64(step.data)).wire)
                step = exchange.next(decode_response(await self.read_line(limit)))
        except ExchangeCancelled:
            return replies.EXCHANGE_CANCELLED
        except SyntaxFault:
            return replies.BAD_BASE64
        except LineTooLong:
            return replies.EXCHANGE_TOO_LONG
        except BareNewline:
            return replies.BARE_NEWLINE
        except AuthenticationFailed as error:
            return self.session.failed_login(reply_for(error))
        return await self._log_in(step, mechanism.decode("ascii"))

    async def _log_in(self, step: Step, mechanism: str) -> Reply:
        assert not isinstance(step, Challenge)
        name = step.username.decode("utf-8", "replace").lower()
        credentials = PasswordLogin(step.username, step.password, self.peer)
        try:
            self._avatar = await self.login(credentials, ISubmission, mechanism)
        except (LoginFailed, AuthenticationFailed) as error:
            self.log.info(
                "{peer}: login of {user!r} failed: {error}",
                peer=self.peer.host,
                user=name,
                error=error,
            )
            if not isinstance(error, MailError):
                error = AuthenticationFailed("the portal says no")
            return self.session.failed_login(reply_for(error))
        except LocalFault as error:
            if self.factory.complaints.is_due():
                self.log.warn("login impossible now: {error}", error=error)
            return replies.LOGIN_UNAVAILABLE
        self.session.user = name
        self.log.info("{peer}: {user!r} logged in", peer=self.peer.host, user=name)
        return replies.AUTHENTICATED

    def check_room(self, octets: int) -> None:
        """Whether there is a place for a message of so many octets."""
        self.factory.check_room(octets)

    async def receive(self) -> Any:
        """Message data into a spool; see :class:`mailhub.smtp.data.DataReader`.

        Whatever is wrong with it, or with us, it is read up to its true end
        first: the reply stands for the message, and nothing of it becomes a
        command.
        """
        reader = DataReader(self.session.limits.text_line)
        # Before the go-ahead: without a place for it nothing is asked for.
        spool: Any = self.factory.spool()
        if self.session.user is None:
            spool.in_memory -= self._memory_in_use()
        refusal: Reply | None = None
        self.send(replies.SEND_DATA.wire)
        try:
            while not reader.ended:
                data = reader.feed(await self.read_some(PIECE))
                if data and refusal is None:
                    refusal = self._keep(spool, data)
                # Not kept until the next piece comes: that may be never.
                data = b""
            self.unread(reader.rest)
            if reader.fault is not None:
                fault = SyntaxFault(f"{reader.fault.value} in the message")
                self.refused(b"DATA", fault)
                return _DATA_FAULTS[reader.fault]
            return refusal or spool.finish()
        except Exception as error:
            return self._refusal(error)
        finally:
            spool.close()

    def _memory_in_use(self) -> int:
        """What a stranger's connection takes beside its message, about.

        Together it is to be less than 64 KiB (attack: thousands of connections, each
        of which sends most of a message and waits).
        """
        envelope = self.session.envelope
        others = 0 if envelope is None else len(envelope.recipients) - 1
        return (TLS_MEMORY if self.is_secure else 0) + RECIPIENT_MEMORY * others

    def _keep(self, spool: Any, data: bytes) -> Reply | None:
        """Store *data*; a reply if it cannot be, after which there is no more."""
        limit = self.session.limits.message_size
        try:
            if spool.size + len(data) > limit:
                raise MessageTooLarge(f"more than {limit} octets")
            spool.write(data)
        except Exception as error:
            return self._refusal(error)
        return None

    def _refusal(self, error: Exception) -> Reply:
        """The reply for what went wrong with message data, a bug included."""
        if isinstance(error, MailError):
            self.refused(b"DATA", error)
            return reply_for(error)
        self.report_fault()
        return reply_for(LocalFault())

    async def start_queue(self, node: str, below: bool) -> Started:
        """Ask whoever looks after the queue."""
        start = self.factory.start_queue
        return Started.NOT_ALLOWED if start is None else await start(node, below)

    def new_id(self) -> str:
        """A name for a transaction."""
        return self.factory.new_id()

    def seconds(self) -> int:
        """Since the epoch."""
        return int(self.factory.wall_clock())

    def taken(self, envelope: Envelope, size: int) -> None:
        """Count and log a message that was taken."""
        tally = self.factory.tally
        tally.messages += 1
        tally.octets += size
        self.log.info(
            "{id}: {size} octets from {sender} for {count} taken, message-id={name}",
            id=envelope.id,
            name=envelope.message_id,
            size=size,
            sender=envelope.sender,
            count=len(envelope.recipients),
        )

    def refused(self, verb: bytes, error: MailError) -> None:
        """Count and log a refused command; a fault of ours so that it is seen."""
        self.factory.tally.refused(verb, error)
        say = self.log.info
        if isinstance(error, LocalFault):
            if not self.factory.complaints.is_due():
                return
            say = self.log.error
        say(
            "{peer}: {verb} rejected: {error}",
            peer=self.peer.host,
            verb=verb.decode("ascii"),
            error=error,
        )

    def report_fault(self) -> None:
        """Count and log the exception that is being dealt with."""
        self.factory.tally.faults += 1
        if self.factory.bugs.is_due():
            self.log.failure("a command of {peer} failed", peer=self.peer.host)


#: What the listeners' names mean: RFC 5321, RFC 6409 and RFC 8314.
_SERVICES = {
    "smtp": Service(),
    "submission": Service(offers_login=True, requires_login=True, requires_tls=True),
    "submissions": Service(offers_login=True, requires_login=True, requires_tls=True),
    "lmtp": Service(lmtp=True),
}


class SMTPFactory(ConnectionFactory):
    """Listens for SMTP: mail from other servers, or from users.

    :param service: ``smtp`` takes mail for local users from anybody;
        ``submission`` and ``submissions`` take mail from users, after a login
        and in TLS; ``submissions`` speaks TLS from the first octet.
    :param offers_login: whether AUTH exists; the service's own way if ``None``.
    :param requires_login: likewise.
    :param requires_tls: likewise.
    :param trusts_loopback: clients on this machine may log in without TLS.
    :param trusts_everybody: all may; for networks that encrypt below us.
    :param queues: mail may wait here to be sent on, so that extensions which need
        that are offered.
    :param allows_haste: clients are programs on this machine's standard input.
    :param start_queue: lets mail for a domain go now, and for those below it if that
        is wished for, if its server may ask (ETRN).
    :param smtp_limits: limits of a session; sizes, recipients and failed logins
        are those of *limits*.
    :param greeting_delay: seconds to wait before the greeting; who talks in the
        meantime is no mail server and is turned away.
    :param wall_clock: seconds since the epoch, for the trace header.

    All else as for :class:`~mailhub.net.factory.ConnectionFactory`.
    """

    protocol = SMTPConnection

    def __init__(
        self,
        portal: Portal,
        *,
        service: str = "smtp",
        implicit_tls: bool | None = None,
        offers_login: bool | None = None,
        requires_login: bool | None = None,
        requires_tls: bool | None = None,
        trusts_loopback: bool = True,
        trusts_everybody: bool = False,
        queues: bool = False,
        allows_haste: bool = False,
        start_queue: Callable[[str, bool], Awaitable[Started]] | None = None,
        smtp_limits: SMTPLimits | None = None,
        greeting_delay: float = 0.0,
        wall_clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        if implicit_tls is None:
            implicit_tls = service == "submissions"
        super().__init__(portal, service=service, implicit_tls=implicit_tls, **options)
        ways = _SERVICES.get(service, Service())
        self.smtp_service = replace(
            ways,
            host_name=self.host_name,
            offers_login=_chosen(offers_login, ways.offers_login),
            requires_login=_chosen(requires_login, ways.requires_login),
            requires_tls=_chosen(requires_tls, ways.requires_tls),
            trusts_loopback=trusts_loopback,
            trusts_everybody=trusts_everybody,
            queues=queues,
            allows_haste=allows_haste,
        )
        self.start_queue = start_queue
        self.smtp_limits = replace(
            smtp_limits or self._usual_limits(),
            message_size=self.limits.message_size,
            recipients=self.limits.recipients,
            stranger_recipients=self.limits.stranger_recipients,
            failed_logins=self.limits.login_failures,
        )
        self.greeting_delay = greeting_delay
        self.wall_clock = wall_clock
        self.commands = rows_of(self.smtp_service, COMMANDS)
        protocol = "LMTP" if self.smtp_service.lmtp else "ESMTP"
        self.greeting = replies.greeting(self.host_name, protocol)
        # No two processes begin at the same place, so ids stay apart.
        self._ids = itertools.count(secrets.randbits(47))

    def _usual_limits(self) -> SMTPLimits:
        if not self.smtp_service.lmtp:
            return SMTPLimits()
        # A trusted MTA may well have a message for many who are unknown here.
        # Cutting it off would keep the others from theirs, again and again.
        return SMTPLimits(errors=self.limits.recipients)

    def new_id(self) -> str:
        """Twelve characters that name a transaction."""
        return f"{next(self._ids):012X}"


class LMTPFactory(SMTPFactory):
    """Listens for LMTP (RFC 2033): an MTA of ours hands over mail for local users.

    Peers are trusted to have done the checks of an MTA; listen on loopback or a
    UNIX socket.
    """

    def __init__(
        self, portal: Portal, *, service: str = "lmtp", **options: Any
    ) -> None:
        super().__init__(portal, service=service, **options)


def _chosen(given: bool | None, usual: bool) -> bool:
    return usual if given is None else given
