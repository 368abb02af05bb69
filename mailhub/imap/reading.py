"""How a command is put together from lines and literals.

Sizes are checked before the go-ahead: a client is never asked for octets that
will be refused.  One that sends them unasked (RFC 7888) ends the conversation,
so that they are never read as commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import LimitReached, SyntaxFault
from .syntax import literal_marker

_APPEND = re.compile(rb"[^ ]+ APPEND (?P<named>[^{])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What one command may hold; sizes are octets.

    :ivar line: one line, CRLF included.
    :ivar literal: one literal.
    :ivar literals: all literals together.
    :ivar count: how many literals.
    :ivar command: lines and literals together.
    :ivar smallest: before login nothing needs an empty literal.
    """

    line: int
    literal: int
    literals: int
    count: int
    command: int
    smallest: int = 0


#: LOGIN with two literals is all that needs any; few enough octets that a
#: connection that nobody answers for stays small (attack: memory before login).
BEFORE_LOGIN = ReadingLimits(
    line=8_192, literal=4_096, literals=4_096, count=16, command=16_384, smallest=1
)
#: Attack: commands of very many literals (Cyrus' CVE-2024-34055).  APPEND's
#: messages are not counted: they never pass through here.
AFTER_LOGIN = ReadingLimits(
    line=65_536, literal=65_536, literals=1_048_576, count=1_000, command=1_048_576
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal that a line announces.

    :ivar waits: a synchronising one: nothing is sent before the go-ahead.
    """

    octets: int
    waits: bool


class LiteralRefused(LimitReached):
    """A literal beyond a limit, or of no size at all.

    :ivar waits: the client waits for a go-ahead, so the session is in step.
    """

    def __init__(self, text: str, *, waits: bool) -> None:
        super().__init__(text)
        self.waits = waits


class Assembly:
    """One command as it arrives: a line, maybe a literal and a line, and so on."""

    __slots__ = ("_appends", "_count", "_data", "_limits", "_literals", "_named")

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits
        self._data = bytearray()
        self._literals = 0
        self._count = 0
        self._appends = self._named = False

    def add_line(self, line: bytes) -> Literal | None:
        """Take *line*, without its CRLF: the literal to read next.

        ``None`` ends the command.  APPEND's ends with the size of its first
        message, as it reads messages itself; the mailbox's name is the only
        other literal it can have, and comes first.  Before login nothing reads
        messages.

        :raises LiteralRefused: the literal is beyond a limit.
        """
        if not self._data and self._limits is not BEFORE_LOGIN:
            start = _APPEND.match(line)
            self._appends = start is not None
            self._named = start is not None and start["named"] is not None
        self._data += line
        literal = announced(line)
        if literal is None or (self._appends and self._named):
            self._check(len(self._data), self._limits.command, waits=True)
            return None
        self._add_literal(literal)
        return literal

    def _add_literal(self, literal: Literal) -> None:
        limits, waits = self._limits, literal.waits
        self._named = True
        self._count += 1
        self._literals += literal.octets
        if literal.octets < limits.smallest:
            raise LiteralRefused("empty literal before login", waits=waits)
        self._check(literal.octets, limits.literal, waits=waits)
        self._check(self._literals, limits.literals, waits=waits)
        self._check(self._count, limits.count, waits=waits)
        self._check(len(self._data) + literal.octets, limits.command, waits=waits)
        self._data += b"\r\n"

    def add_octets(self, data: bytes) -> None:
        """Take some octets of the literal."""
        self._data += data

    @property
    def command(self) -> bytes:
        """All of it, as :class:`mailhub.imap.syntax.Scanner` reads it."""
        return bytes(self._data)

    @staticmethod
    def _check(size: int, limit: int, *, waits: bool) -> None:
        if size > limit:
            raise LiteralRefused(f"{size} is more than {limit}", waits=waits)


def announced(line: bytes) -> Literal | None:
    """The literal that *line* announces at its end.

    :raises LiteralRefused: something in braces that is not a size.
    """
    try:
        marker = literal_marker(line)
    except SyntaxFault as fault:
        raise LiteralRefused(str(fault), waits=not line.endswith(b"+}")) from None
    return None if marker is None else Literal(*marker)
