"""APPEND: messages that go from the wire to the store (RFC 3501, section 6.3.11).

A message is never held whole in memory: it streams into a spool.  Whatever goes
wrong, the literals that a client sends unasked (RFC 7888) are read to their end,
so that they are never taken for commands.
"""

from __future__ import annotations

from ...errors import (
    LimitReached,
    MailError,
    MessageTooLarge,
    NoSuchMailbox,
    Refused,
    SyntaxFault,
)
from ...mail.flags import NO_FLAGS, Flags
from .. import responses
from ..reading import Literal, LiteralRefused, announced
from ..session import Content, Conversation, OutOfStep, Spool
from ..syntax import Scanner

#: Messages of one APPEND (RFC 3502); small ones wait for its end in memory.
MAX_MESSAGES = 500
#: Unwanted octets are read to their end up to this many times the size of the
#: largest message; beyond that the connection closes.
DISCARD_FACTOR = 2
#: Octets read at once where nobody wants them.
_CHUNK = 65_536

_Message = tuple[Content, Flags, int]


async def append(talk: Conversation, scanner: Scanner) -> bytes:
    """APPEND (RFC 3501, section 6.3.11; RFC 3502).

    Request:  ``append = "APPEND" SP mailbox 1*(SP [flag-list SP] [date-time SP]
              literal)``
    Response: OK with APPENDUID (RFC 4315, section 3); all messages are stored, or
              none.
    """
    upload = _Upload(talk)
    try:
        name = await _receive(upload, scanner)
        if upload.failure is not None:
            raise upload.failure
        copied = await talk.session.account.append(name, upload.messages)
    except NoSuchMailbox:
        return responses.TRY_CREATE
    finally:
        upload.close()
    talk.session.expect_change(name)
    return responses.append_uid(copied)


async def _receive(upload: _Upload, scanner: Scanner) -> str:
    """Read all messages.  -> the mailbox's name.

    :raises OutOfStep: also for a bug, which leaves part of a literal unread.
    """
    try:
        return await upload.receive(scanner)
    except (MailError, OutOfStep):
        raise
    except Exception as error:
        raise OutOfStep(responses.INTERNAL_FAULT) from error


class _Upload:
    """The messages of one APPEND while they arrive.

    :ivar failure: why none of them will be stored; the first reason counts.
    """

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self.messages: list[_Message] = []
        self.failure: MailError | None = None

    def close(self) -> None:
        """Free the messages, stored or not."""
        for content, _, _ in self.messages:
            content.close()

    async def receive(self, scanner: Scanner) -> str:
        """Read all messages.  -> the mailbox's name.

        :raises MailError: nothing will be stored, and the client waits.
        """
        name = ""
        literal = self._literal(scanner)
        try:
            scanner.space()
            name = scanner.mailbox()
            if literal.waits:
                await self._talk.session.account.status(name)
        except MailError as error:
            self.failure = error
        while True:
            await self._receive_message(scanner, literal)
            line = await self._talk.next_line()
            if not line:
                return name
            scanner = Scanner(line)
            literal = self._literal(scanner)

    @staticmethod
    def _literal(scanner: Scanner) -> Literal:
        """The message that the line ends with.

        :raises OutOfStep: what follows cannot be known.
        """
        try:
            literal = announced(scanner.data)
        except LiteralRefused as error:
            if not error.waits:
                raise OutOfStep(responses.LITERAL_REFUSED) from None
            raise SyntaxFault(str(error)) from None
        if literal is None:
            raise scanner.fault("a message as a literal")
        return literal

    async def _receive_message(self, scanner: Scanner, literal: Literal) -> None:
        flags, moment = NO_FLAGS, self._talk.arrival_time()
        spool = None
        if self.failure is None:
            try:
                flags, moment = self._details(scanner, moment)
                self._check(literal)
                spool = self._talk.spool()
            except MailError as error:
                self.failure = error
        if self.failure is not None and literal.waits:
            raise self.failure
        if literal.waits:
            self._talk.send(responses.GO_AHEAD)
        if spool is None:
            await self._discard(literal.octets)
        else:
            await self._store(spool, literal.octets, flags, moment)
        self._talk.end_stream()

    def _details(self, scanner: Scanner, moment: int) -> tuple[Flags, int]:
        """Flags and date before a message; the scanner ends at the literal."""
        flags = NO_FLAGS
        scanner.space()
        if self.messages:
            # imapclient puts two spaces between messages.
            scanner.take(0x20)
        if scanner.peek() == 0x28:
            flags = scanner.flag_list()
            scanner.space()
        if scanner.peek() == 0x22:
            moment = scanner.date_time()
            scanner.space()
        if scanner.peek() != 0x7B:
            raise scanner.fault("a literal")
        return flags, moment

    def _check(self, literal: Literal) -> None:
        """What can be known before a message is sent (attack: huge literals)."""
        if literal.octets > self._talk.largest_message:
            raise MessageTooLarge(f"APPEND of {literal.octets} octets")
        if literal.octets == 0:
            raise Refused("An empty message cancels APPEND")
        if len(self.messages) >= MAX_MESSAGES:
            raise LimitReached(f"APPEND of more than {MAX_MESSAGES} messages")
        self._talk.check_room(literal.octets)

    async def _store(
        self, spool: Spool, octets: int, flags: Flags, moment: int
    ) -> None:
        """Read a message into *spool*."""
        try:
            while octets:
                data = await self._talk.read_some(octets)
                octets -= len(data)
                spool.write(data)
            self.messages.append((spool.finish(), flags, moment))
        except MailError as error:
            self.failure = error
            await self._discard(octets)
        finally:
            spool.close()

    async def _discard(self, octets: int) -> None:
        """Read a message that will not be stored."""
        if octets > DISCARD_FACTOR * self._talk.largest_message:
            raise OutOfStep(responses.LITERAL_REFUSED)
        while octets:
            octets -= len(await self._talk.read_some(min(octets, _CHUNK)))
