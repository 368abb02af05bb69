"""POP3 on a connection.

::

    factory = POP3Factory(portal, service="pop3", host_name="mail.example")
    endpoint.listen(factory)

The portal's realm gives :class:`mailhub.interfaces.IMailAccount` to a login with a
name and a password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.task import deferLater

from ..auth.credentials import PasswordLogin
from ..auth.sasl import (
    Challenge,
    Plain,
    decode_initial,
    decode_response,
    encode_base64,
)
from ..errors import AuthenticationFailed, LocalFault, MailError, SyntaxFault
from ..interfaces import IMailAccount
from ..mail.mailbox import INBOX
from ..net.endings import BareNewline, Ending, LineTooLong
from ..net.factory import ConnectionFactory
from ..net.turns import TurnTaking
from . import replies
from .commands import COMMANDS
from .dialogue import Command
from .maildrop import Maildrop
from .session import POP3Limits, Session, State
from .syntax import split_command

_FAREWELLS = {
    Ending.SHUTDOWN: replies.SHUTTING_DOWN,
    # RFC 1939, section 3: "without removing any messages or sending any response".
    Ending.IDLE: b"",
    Ending.SLOW: replies.TOO_SLOW,
    Ending.FLOOD: replies.FLOODED,
    Ending.FAULT: replies.TEMPORARY,
    Ending.CROWDED: replies.CROWDED,
}
#: By the state that a command is not valid in.
_MISPLACED = {
    State.AUTHORIZATION: replies.LOG_IN_FIRST,
    State.TRANSACTION: replies.LOGGED_IN_ALREADY,
}


class POP3Connection(TurnTaking):
    """One client of a :class:`POP3Factory`."""

    factory: POP3Factory
    session: Session
    commands: Mapping[bytes, Command] = COMMANDS
    mechanisms = (b"PLAIN",)
    _release: Callable[[], object] | None = None

    async def serve(self) -> None:
        """The whole conversation; marks that no QUIT confirms are lost with it."""
        session = self.session = Session(self.factory.pop3_limits)
        self.send(replies.greeting(self.factory.host_name))
        try:
            while not session.over:
                self.send(await self._next_reply())
        finally:
            if session.maildrop is not None:
                session.maildrop.close()
            self.unlock()

    async def _next_reply(self) -> bytes:
        session = self.session
        try:
            line = await self.read_command(session.limits.command_line)
        except LineTooLong:
            return session.count_error(replies.LINE_TOO_LONG, unknown=True)
        except BareNewline:
            return session.count_error(replies.BARE_NEWLINE, unknown=True)
        if session.count_command():
            return replies.TOO_MANY_COMMANDS
        verb, argument = split_command(line)
        command = COMMANDS.get(verb)
        if command is None:
            return session.count_error(replies.UNKNOWN_COMMAND, unknown=True)
        if session.state not in command.states:
            return session.count_error(_MISPLACED[session.state])
        started = perf_counter()
        try:
            return await self._perform(command, verb, argument)
        finally:
            self.factory.tally.took(verb, perf_counter() - started)

    async def _perform(self, command: Command, verb: bytes, argument: bytes) -> bytes:
        """The reply to *command*; a bug in it costs this one command."""
        try:
            return await command.perform(self, argument)
        except SyntaxFault as error:
            return self.session.count_error(replies.reply_for(error))
        except LocalFault as error:
            if self.factory.complaints.is_due():
                self.log.error(
                    "{verb} of {peer} failed: {error}",
                    verb=verb.decode(), peer=self.peer.host, error=error,
                )  # fmt: skip
            return self._reply_for(error)
        except MailError as error:
            return self._reply_for(error)
        except Exception:
            self.factory.tally.faults += 1
            if self.factory.bugs.is_due():
                self.log.failure(
                    "{verb} of {peer} failed", verb=verb.decode(), peer=self.peer.host
                )
            return self._reply_for(LocalFault())

    def _reply_for(self, error: MailError) -> bytes:
        if self.session.sending:
            # Part of a message has gone out: nothing but its end can follow.
            self.session.over = True
            return b""
        return replies.reply_for(error)

    def farewell(self, ending: Ending) -> bytes:
        """``-ERR`` and why, or nothing."""
        return _FAREWELLS[ending]

    # What commands ask for: see mailhub.pop3.dialogue.Dialogue.

    @property
    def maildrop(self) -> Maildrop:
        """The session's; commands of the TRANSACTION state have one."""
        maildrop = self.session.maildrop
        assert maildrop is not None
        return maildrop

    @property
    def is_private(self) -> bool:
        """Whether a password may be said here."""
        factory = self.factory
        return (
            self.is_secure
            or factory.trusts_everybody
            or (factory.trusts_loopback and self.peer.is_loopback)
        )

    @property
    def can_start_tls(self) -> bool:
        """Whether STLS is offered on this port."""
        return self.factory.can_start_tls

    async def pause(self) -> None:
        """Let the reactor serve others."""
        await deferLater(self.factory.clock, 0)

    async def authenticate(self, mechanism: bytes, initial: bytes | None) -> None:
        """Run the exchange of *mechanism*, PLAIN, and log in."""
        exchange = Plain()
        limit = self.session.limits.exchange_line
        step = exchange.start(None if initial is None else decode_initial(initial))
        while isinstance(step, Challenge):
            self.send(replies.challenge(encode_base64(step.data)))
            try:
                line = await self.read_line(limit)
            except (LineTooLong, BareNewline):
                raise SyntaxFault("a malformed line in an exchange") from None
            step = exchange.next(decode_response(line))
        await self.log_in(step.username, step.password, mechanism.decode("ascii"))

    async def log_in(
        self, name: bytes, password: bytes, mechanism: str = "USER"
    ) -> None:
        """Get the avatar, and its INBOX for this session alone.

        :param mechanism: how the client logs in, to be counted.
        """
        credentials = PasswordLogin(name, password, self.peer)
        try:
            account = await self.login(credentials, IMailAccount, mechanism)
        except MailError:
            raise
        except LoginFailed as error:
            raise AuthenticationFailed(str(error)) from None
        self._release = await account.lock_maildrop()
        try:
            self.session.enter(await Maildrop.load(await account.open(INBOX)))
        except BaseException:
            self.unlock()
            raise
        self.expect(self.session.limits.idle)

    def unlock(self) -> None:
        """Give the lock back, if there is one."""
        release, self._release = self._release, None
        if release is not None:
            release()


class POP3Factory(ConnectionFactory):
    """Listens for POP3.

    :param service: ``pop3``, or ``pop3s`` which speaks TLS from the first octet.
    :param trusts_loopback: clients on this machine may log in without TLS.
    :param trusts_everybody: all may; for networks that encrypt below us.
    :param pop3_limits: limits of a session.

    All else as for :class:`~mailhub.net.factory.ConnectionFactory`.
    """

    protocol = POP3Connection

    def __init__(
        self,
        portal: Portal,
        *,
        service: str = "pop3",
        implicit_tls: bool | None = None,
        trusts_loopback: bool = True,
        trusts_everybody: bool = False,
        pop3_limits: POP3Limits | None = None,
        **base: Any,
    ) -> None:
        if implicit_tls is None:
            implicit_tls = service == "pop3s"
        super().__init__(portal, service=service, implicit_tls=implicit_tls, **base)
        self.trusts_loopback = trusts_loopback
        self.trusts_everybody = trusts_everybody
        self.pop3_limits = pop3_limits or POP3Limits(
            failed_logins=self.limits.login_failures
        )
