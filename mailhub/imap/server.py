"""The IMAP server on a Twisted transport: the loop around the commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, cast

from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.python.failure import Failure

from ..auth.credentials import PasswordLogin
from ..auth.sasl import (
    Challenge,
    decode_initial,
    decode_response,
    encode_base64,
    mechanisms,
)
from ..errors import AuthenticationFailed, MailError, NoSuchMailbox, SyntaxFault
from ..interfaces import IMailAccount
from ..net.endings import BareNewline, Ending, InputBeforeTLS, LineTooLong
from ..net.factory import ConnectionFactory
from ..net.turns import TurnTaking
from ..powers import IOutlinedMailbox
from . import responses
from .commands.row import Command
from .commands.table import UnknownCommand, capabilities, find
from .reading import AFTER_LOGIN, BEFORE_LOGIN, Assembly, LiteralRefused, ReadingLimits
from .session import (
    LOGGED_IN,
    Account,
    Mailbox,
    OutlinedMailbox,
    OutOfStep,
    Session,
    Spool,
    State,
)
from .syntax import Scanner

#: Commands answered BAD before the connection is cut, after the login one after the
#: other: a client that makes so many errors is no mail client.
MAX_ERRORS = 10
MAX_ERRORS_BEFORE_LOGIN = 3
#: Commands before the login, right or wrong, before the connection is cut: clients
#: need half a dozen (attack: NOOP for ever, to hold a connection).
MAX_COMMANDS_BEFORE_LOGIN = 100

_FAREWELLS = {
    Ending.SHUTDOWN: responses.SHUTTING_DOWN,
    Ending.IDLE: responses.IDLE_TOO_LONG,
    Ending.SLOW: responses.TOO_SLOW,
    Ending.FLOOD: responses.LINE_TOO_LONG,
    Ending.FAULT: responses.INTERNAL_FAULT,
    Ending.CROWDED: responses.CROWDED,
}


class IMAPConnection(TurnTaking):
    """One client.  Commands see it as :class:`mailhub.imap.session.Conversation`."""

    factory: IMAPFactory
    session: Session
    _waits_for_news = False

    def __init__(self) -> None:
        self.session = Session()

    # The conversation.

    async def serve(self) -> None:
        self.send(responses.greeting(self.capabilities, self.factory.host_name))
        try:
            while not self.session.over:
                await self._serve_command()
        except OutOfStep as end:
            if end.__cause__ is not None:
                failure = Failure(end.__cause__)  # type: ignore[no-untyped-call]
                peer = self.peer.host
                self.log.failure("a literal of {peer} broke off", failure, peer=peer)
            self.send(end.last_words)
        except InputBeforeTLS:
            self.log.warn("{peer} sent commands behind STARTTLS", peer=self.peer.host)

    async def _serve_command(self) -> None:
        """Read one command, perform it, answer it."""
        self.session.tag = b"*"
        try:
            data = await self._read_command()
        except LineTooLong:
            raise OutOfStep(responses.LINE_TOO_LONG) from None
        except BareNewline:
            self._answer_bad(responses.BARE_NEWLINE)
            return
        except LiteralRefused as refused:
            self._answer_bad(responses.LITERAL_OVER_LIMIT)
            if not refused.waits:
                raise OutOfStep(responses.LITERAL_REFUSED) from None
            return
        scanner = Scanner(data)
        try:
            command = self._command(scanner)
        except SyntaxFault:
            self._answer_bad(responses.BAD_TAG)
        except UnknownCommand:
            self._answer_bad(responses.NO_SUCH_COMMAND)
        else:
            await self._answer(command, scanner)

    def _command(self, scanner: Scanner) -> Command:
        self.session.tag = b"*"
        tag = scanner.tag()
        scanner.space()
        self.session.tag = tag
        return find(scanner)

    async def _answer(self, command: Command, scanner: Scanner) -> None:
        session = self.session
        if not command.states & session.state:
            self._answer_bad(responses.WRONG_STATE)
            return
        started = perf_counter()
        status = await self._perform(command, scanner)
        self.factory.tally.took(command.name, perf_counter() - started)
        if not status:
            return
        if session.state is State.SELECTED:
            await self._tell_news(expunges=command.expunges)
        if status.startswith(b"BAD"):
            self._answer_bad(status)
            return
        self.send(responses.tagged(session.tag, status))
        if session.state & LOGGED_IN:
            session.errors = 0
            return
        session.early += 1
        if session.early >= MAX_COMMANDS_BEFORE_LOGIN:
            self._say_goodbye(responses.TOO_MANY_COMMANDS)
        elif session.failed_logins >= self.factory.limits.login_failures:
            self._say_goodbye(responses.TOO_MANY_LOGINS)

    async def _tell_news(self, *, expunges: bool) -> None:
        """What happened to the selected mailbox, before the tagged response.

        The command has been performed, so no fault here is its fault; what could
        not be told now is told another time.
        """
        try:
            news = await self.session.catch_up(expunges=expunges)
        except NoSuchMailbox:
            self._say_goodbye(responses.MAILBOX_GONE)
        except Exception:
            if self.factory.complaints.is_due():
                self.log.failure("no news of a mailbox for {peer}", peer=self.peer.host)
        else:
            if news:
                self.send(news)

    async def _perform(self, command: Command, scanner: Scanner) -> bytes:
        """The status of *command*; a bug in it costs this one command."""
        try:
            status = await command.perform(self, scanner)
        except MailError as error:
            if isinstance(error, AuthenticationFailed):
                self.session.failed_logins += 1
            return responses.response_for(error)
        except (OutOfStep, InputBeforeTLS):
            raise
        except Exception:
            self.factory.tally.faults += 1
            if self.factory.bugs.is_due():
                self.log.failure(
                    "{command} of {peer} failed",
                    command=command.name.decode("ascii"), peer=self.peer.host,
                )  # fmt: skip
            return responses.SERVER_BUG
        return command.completed if status is None else status

    def _answer_bad(self, status: bytes) -> None:
        """Answer a command that is none, and cut who sends many of them."""
        session = self.session
        self.send(responses.tagged(session.tag, status))
        session.errors += 1
        logged_in = session.state & LOGGED_IN
        if session.errors >= (MAX_ERRORS if logged_in else MAX_ERRORS_BEFORE_LOGIN):
            self._say_goodbye(responses.TOO_MANY_ERRORS)

    def _say_goodbye(self, bye: bytes) -> None:
        self.send(bye)
        self.session.over = True

    def farewell(self, ending: Ending) -> bytes:
        return _FAREWELLS[ending]

    def ended(self) -> None:
        self.session.deselect()

    # Reading.

    @property
    def _limits(self) -> ReadingLimits:
        return AFTER_LOGIN if self.session.state & LOGGED_IN else BEFORE_LOGIN

    async def _read_command(self) -> bytes:
        """A command with its literals in place; APPEND's without its messages."""
        limits = self._limits
        line = await self.read_command(limits.line)
        if not line.endswith(b"}"):
            return line
        self._take_tag(line)
        assembly = Assembly(limits)
        while (literal := assembly.add_line(line)) is not None:
            if literal.waits:
                self.send(responses.GO_AHEAD)
            missing = literal.octets
            while missing:
                data = await self.read_some(missing)
                missing -= len(data)
                assembly.add_octets(data)
            self.end_stream()
            line = await self.next_line()
        return assembly.command

    def _take_tag(self, line: bytes) -> None:
        """Remember the tag, for an answer to a command that is never read."""
        try:
            self.session.tag = Scanner(line).tag()
        except SyntaxFault:
            self.session.tag = b"*"

    async def next_line(self) -> bytes:
        """See :class:`mailhub.imap.session.Conversation`."""
        try:
            return await self.read_line(self._limits.line)
        except LineTooLong:
            raise OutOfStep(responses.LINE_TOO_LONG) from None
        except BareNewline:
            raise OutOfStep(responses.LINE_ENDS) from None

    # Time.

    def arrival_time(self) -> int:
        """Now, in seconds since the epoch: the date of what arrives."""
        return int(self.factory.wall_clock())

    # Login and TLS.

    @property
    def capabilities(self) -> bytes:
        """The words after CAPABILITY."""
        return capabilities(self)

    @property
    def mechanisms(self) -> Sequence[bytes]:
        """The SASL mechanisms that AUTHENTICATE knows."""
        return tuple(mechanisms)

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS is possible here and now."""
        return self.factory.can_start_tls and not self.is_secure

    @property
    def login_allowed(self) -> bool:
        """Whether a password may be sent here: in TLS, or where none can listen."""
        factory = self.factory
        return (
            self.is_secure
            or factory.trusts_everybody
            or (factory.trusts_loopback and self.peer.is_loopback)
        )

    async def log_in(
        self, username: bytes, password: bytes, mechanism: str = "LOGIN"
    ) -> None:
        """Ask the portal for the account.

        :param mechanism: how the client logs in, to be counted.
        :raises AuthenticationFailed: and other kinds of ``MailError``.
        """
        credentials = PasswordLogin(username, password, self.peer)
        try:
            account: Account = await self.login(
                credentials, IMailAccount, mechanism
            )
        except MailError:
            raise
        except LoginFailed:
            raise AuthenticationFailed("the portal refused the login") from None
        self.session.log_in(account)
        self.expect(self.factory.limits.idle)

    async def authenticate(self, mechanism: bytes, initial: bytes | None) -> None:
        """Run the SASL exchange, then :meth:`log_in`.

        :param initial: as it stands in the command (RFC 4959).
        """
        exchange = mechanisms[mechanism]()
        step = exchange.start(None if initial is None else decode_initial(initial))
        while isinstance(step, Challenge):
            self.send(b"+ %b\r\n" % encode_base64(step.data))
            step = exchange.next(decode_response(await self.next_line()))
        await self.log_in(step.username, step.password, mechanism.decode("ascii"))

    # Messages and mailboxes.

    @property
    def largest_message(self) -> int:
        """Octets that APPEND takes at most."""
        return self.factory.limits.message_size

    def check_room(self, octets: int) -> None:
        """See :class:`mailhub.imap.session.Conversation`."""
        self.factory.check_room(octets)

    def spool(self) -> Spool:
        """A place for a message that arrives."""
        return cast(Spool, self.factory.spool())

    def outlined(self, mailbox: Mailbox) -> OutlinedMailbox | None:
        """See :class:`mailhub.imap.session.Conversation`."""
        return cast("OutlinedMailbox | None", IOutlinedMailbox(mailbox, None))

    def watch(self, mailbox: Mailbox) -> Callable[[], object]:
        """See :class:`mailhub.imap.session.Conversation`."""
        return mailbox.watch(self._mailbox_changed)

    def _mailbox_changed(self) -> None:
        self.session.stale = True
        if self._waits_for_news:
            self.wake()

    async def wait_for_news(self) -> None:
        """See :class:`mailhub.imap.session.Conversation`."""
        self._waits_for_news = True
        try:
            await self.wait()
        finally:
            self._waits_for_news = False


class IMAPFactory(ConnectionFactory):
    """Makes IMAP connections; the portal gives them ``IMailAccount`` avatars.

    :param trusts_loopback: clients on this machine may log in without TLS.
    :param trusts_everybody: all may; for networks that encrypt below us.
    :param wall_clock: seconds since the epoch: the date of what arrives.

    The others are those of :class:`mailhub.net.factory.ConnectionFactory`.
    """

    protocol = IMAPConnection

    def __init__(
        self,
        portal: Portal,
        *,
        service: str = "imap",
        trusts_loopback: bool = True,
        trusts_everybody: bool = False,
        wall_clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        super().__init__(portal, service=service, **options)
        self.trusts_loopback = trusts_loopback
        self.trusts_everybody = trusts_everybody
        self.wall_clock = wall_clock
