"""How reading a line goes wrong, and how conversations end."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """Why the server ends a conversation; the protocol finds the words."""

    SHUTDOWN = "the server stops"
    IDLE = "no input for too long"
    SLOW = "input arrives too slowly"
    FLOOD = "a line without an end"
    FAULT = "a fault of ours"
    CROWDED = "too many connections"


class Disconnected(BaseException):
    """The peer has gone; ends ``serve()`` without a word.

    Not an ``Exception``, so that code which guards one command against bugs
    does not swallow it.
    """


class Cut(BaseException):
    """Ends ``serve()`` with a farewell; not an ``Exception``, as above."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending


class LineTooLong(Exception):
    """A line over its limit; it was thrown away up to its real end."""


class BareNewline(Exception):
    """A line ended by LF alone, or with a CR within; it was thrown away.

    Two ends of one connection that disagree about line ends can be made to see
    different commands (attack: smuggling), so such lines are never interpreted.
    """


class InputBeforeTLS(Exception):
    """Octets wait behind STARTTLS: they must not be read as if encrypted."""
