"""A message as a reply of several lines (RFC 1939, section 3).

Whole buffers are looked at with searches that run in C; a message that needs no
change, as nearly all, is sent without a copy.
"""

from __future__ import annotations

import re
from io import IncrementalNewlineDecoder

from .replies import END

#: Octets searched at a time for dots behind newlines.
_STEP = 8 * 1024

_BARE_LF = re.compile(rb"(?<!\r)\n")


def stuff(data: bytes, at_line_start: bool = True) -> bytes:
    """*data* with lines ended by CRLF, and the dots that lines start with doubled.

    A bare LF becomes CRLF first: a client that takes it for a line end would see
    ``\\n.\\r\\n`` as the end of the message (attack: response smuggling).

    :param at_line_start: *data* starts a line; if not, no CR went before it.
    """
    if _has_bare_newline(data):
        data = _BARE_LF.sub(b"\r\n", data)
    if _has_dot_behind_newline(data):
        data = data.replace(b"\n.", b"\n..")
    return b"." + data if at_line_start and data.startswith(b".") else data


def _has_bare_newline(data: bytes) -> bool:
    """Whether *data* may have a bare LF, or has a bare CR.

    The decoder notes which kinds of line ends it met, several times as fast as
    they could be counted.
    """
    newlines = IncrementalNewlineDecoder(None, translate=False)
    newlines.decode(data.decode("latin-1"))
    return newlines.newlines not in (None, "\r\n")


def _has_dot_behind_newline(data: bytes) -> bool:
    """Whether ``\\n.`` is in *data*.

    One octet is sought many times as fast as two, and base64 has no dots.  Where
    there is one, a step is searched backwards, several times as fast as forwards.
    """
    dot = data.find(b".")
    while dot >= 0:
        end = dot + _STEP
        if data.rfind(b"\n.", max(dot - 1, 0), end) >= 0:
            return True
        dot = data.find(b".", end)
    return False


def ending(data: bytes) -> bytes:
    """What follows *data* on the wire: its own line end if need be, and a dot."""
    return END if not data or data.endswith(b"\n") else b"\r\n" + END


class Stuffer:
    """The same for a message in pieces, cut anywhere."""

    __slots__ = ("_at_line_start", "_held")

    def __init__(self) -> None:
        self._at_line_start = True
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The next octets for the wire.

        A CR at the end is held back: whether it is bare the next octet tells.
        """
        data = self._held + data
        self._held = b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        if not data:
            return b""
        stuffed = stuff(data, self._at_line_start)
        self._at_line_start = data.endswith(b"\n")
        return stuffed

    def finish(self) -> bytes:
        """The last octets of the reply."""
        rest = self._held
        return rest + (END if self._at_line_start and not rest else b"\r\n" + END)
