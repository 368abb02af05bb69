"""One message to another server: the order of commands and replies (RFC 5321, 3.3).

::

    transaction = Transaction(mail, recipients, pipelining=True)
    write(transaction.opening)
    while (move := transaction.take(read_reply())) is not Move.DONE:
        if move is Move.WRITE:
            write(transaction.outgoing)
        elif move is Move.CONTENT:
            write(...)                  # the message as DATA sends it, and its end

With pipelining (RFC 2920) MAIL, all RCPT and DATA leave in one piece, and a message in
one chunk (RFC 3030) with them; else each waits for the reply to the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from .client_data import END
from .client_replies import MalformedReply, ServerReply
from .client_steps import Step

DATA = b"DATA\r\n"
#: RFC 5321, section 3.8: the server ends the session.
CLOSING = 421


class Move(Enum):
    """What to do after a reply."""

    READ = "read the next reply"
    WRITE = "write what is outgoing, then read"
    CONTENT = "write the message, then read"
    DONE = "look at the verdicts"


class Transaction:
    """The dialogue about one message.

    :param mail: the command, with its CRLF; likewise those of *recipients*.
    :param chunk: BDAT and all of the message, to be sent instead of DATA.
    :param one_by_one: there is a reply for each recipient after the data (LMTP: RFC
        2033, section 4.2).
    :ivar verdicts: for each recipient the reply that decided about it; ``None`` if
        none did, as the server ends the session.
    :ivar outgoing: what to write after ``Move.WRITE``.
    :ivar step: what is waited for.
    :ivar closing: the 421 that ended it.
    :ivar is_open: whether the server still has a transaction to forget (RSET).
    """

    def __init__(
        self,
        mail: bytes,
        recipients: Sequence[bytes],
        *,
        pipelining: bool,
        chunk: bytes | None = None,
        one_by_one: bool = False,
    ) -> None:
        self._commands = [mail, *recipients, chunk or DATA]
        self._pipelining = pipelining
        self._is_chunk = chunk is not None
        self._one_by_one = one_by_one
        self._taken = 0
        self._accepted: list[int] = []
        self._ended = 0
        self._refusal: ServerReply | None = None
        self.verdicts: list[ServerReply | None] = [None] * len(recipients)
        self.outgoing = b""
        self.step = Step.MAIL
        self.closing: ServerReply | None = None
        self.is_open = False

    @property
    def opening(self) -> bytes:
        """What to write first."""
        return b"".join(self._commands) if self._pipelining else self._commands[0]

    def take(self, reply: ServerReply) -> Move:
        """What the next reply means.

        :raises MalformedReply: it is none to this command.
        """
        if reply.code == CLOSING:
            self.closing = reply
            return Move.DONE
        index, last = self._taken, len(self._commands) - 1
        self._taken += 1
        if index == 0:
            return self._mail(reply)
        if index < last:
            return self._recipient(index - 1, reply)
        if index == last and not self._is_chunk:
            return self._data(reply)
        return self._end(reply)

    def _mail(self, reply: ServerReply) -> Move:
        if 300 <= reply.code < 400:
            raise MalformedReply(f"{reply} to MAIL")
        if not reply.is_positive:
            self.verdicts[:] = [reply] * len(self.verdicts)
            self._refusal = reply
            return self._next(Step.RECIPIENT) if self._pipelining else Move.DONE
        self.is_open = True
        return self._next(Step.RECIPIENT)

    def _recipient(self, index: int, reply: ServerReply) -> Move:
        if 300 <= reply.code < 400:
            raise MalformedReply(f"{reply} to RCPT")
        if self._refusal is None:
            if reply.is_positive:
                self._accepted.append(index)
            else:
                self.verdicts[index] = reply
        if self._taken < len(self._commands) - 1:
            return self._next(Step.RECIPIENT)
        if not self._accepted and not self._pipelining:
            return Move.DONE
        return self._next(Step.END if self._is_chunk else Step.DATA)

    def _data(self, reply: ServerReply) -> Move:
        if reply.is_positive:
            raise MalformedReply(f"{reply} to DATA")
        if reply.code >= 400:
            self._decide(reply)
            return Move.DONE
        self.step = Step.END
        if self._accepted:
            return Move.CONTENT
        # RFC 2920, section 3.1: it wants data although it knows of no recipient.
        self.outgoing = END
        return Move.WRITE

    def _end(self, reply: ServerReply) -> Move:
        if 300 <= reply.code < 400:
            raise MalformedReply(f"{reply} to a message")
        # RFC 3030, section 2: "The resulting state from a failed BDAT command is
        # indeterminate.  A RSET command MUST be issued"; after DATA nothing is left.
        self.is_open = self._is_chunk and not reply.is_positive
        if not self._one_by_one or not self._accepted:
            self._decide(reply)
            return Move.DONE
        self.verdicts[self._accepted[self._ended]] = reply
        self._ended += 1
        return Move.DONE if self._ended == len(self._accepted) else Move.READ

    def _decide(self, reply: ServerReply) -> None:
        for index in self._accepted:
            self.verdicts[index] = reply

    def _next(self, step: Step) -> Move:
        self.step = step
        if self._pipelining:
            return Move.READ
        self.outgoing = self._commands[self._taken]
        return Move.WRITE
