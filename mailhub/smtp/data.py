"""Message data: finding its end and undoing dot-stuffing, as it streams.

Only ``<CRLF>.<CRLF>`` ends a message (RFC 5321, section 4.1.1.4).  Every other
ending that some server takes for one is content here, and content with a bare CR,
a bare LF or a NUL is refused, so that two servers in a row cannot disagree about
where a message ends (attack: SMTP smuggling).  After a fault the octets are thrown
away, but the true end is still looked for: nothing of a body is ever read as a
command.
"""

from __future__ import annotations

from enum import Enum
from io import IncrementalNewlineDecoder

#: Longest line of message text, in octets with CRLF and without the dot of
#: transparency.  RFC 5321, section 4.5.3.1.6, asks for 1,000; real mail has more.
MAX_TEXT_LINE = 65_536

_END = b"\r\n.\r\n"
#: What the octets so far may end with and still become the end, longest first.
_PARTS_OF_END = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


class DataFault(Enum):
    """Why a message's octets are not taken."""

    BARE_NEWLINE = "a CR without LF, an LF without CR, or a NUL"
    LONG_LINE = "a line over the limit"


class DataReader:
    """Turns what follows DATA into the message's octets, piece by piece.

    :ivar ended: whether the true end was found.
    :ivar rest: octets after the end; only meaningful then.
    :ivar fault: the first fault; from there on :meth:`feed` returns nothing.
    """

    __slots__ = (
        "_held",
        "_line",
        "_line_limit",
        "_newlines",
        "_started",
        "ended",
        "fault",
        "rest",
    )

    def __init__(self, line_limit: int = MAX_TEXT_LINE) -> None:
        self.ended = False
        self.rest = b""
        self.fault: DataFault | None = None
        self._line_limit = line_limit
        # The line end of the DATA command counts as the first of the end mark.
        self._held = b"\r\n"
        self._started = False
        self._line = 0
        # Tells which kinds of line ends it met, several times as fast as counting
        # each kind in the octets.
        self._newlines = IncrementalNewlineDecoder(None, translate=False)

    def feed(self, data: bytes) -> bytes:
        """The message's octets that are certain after *data*.

        At most four octets are held back, which may turn out to be the end.
        """
        data = self._held + data
        # One look for both: the only dot after a line end mostly is the end.
        dot = _first_dot(data)
        end = data.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            self.ended = True
            self.rest = data[end + 5 :]
            data = data[: end + 2]
        else:
            self._held = _part_of_end(data)
            if self._held:
                data = data[: -len(self._held)]
        if not data or self.fault is not None:
            return b""
        if 0 <= dot < len(data) - 2:
            data = data.replace(b"\r\n.", b"\r\n")
        if not self._started:
            self._started = True
            data = data[2:]
        self.fault = self._fault_in(data)
        return b"" if self.fault else data

    def _fault_in(self, data: bytes) -> DataFault | None:
        self._newlines.decode(data.decode("latin-1"))
        if self._newlines.newlines not in (None, "\r\n") or b"\0" in data:
            return DataFault.BARE_NEWLINE
        if self._line + len(data) > self._line_limit and self._has_long_line(data):
            return DataFault.LONG_LINE
        last = data.rfind(b"\n")
        self._line = len(data) - last - 1 + (0 if last >= 0 else self._line)
        return None

    def _has_long_line(self, data: bytes) -> bool:
        """Whether a line is over the limit, in one step per limit's length.

        Each step jumps to the last line end that the line's limit allows: all
        lines on the way are shorter still.
        """
        limit = self._line_limit
        start = -self._line
        while start + limit < len(data):
            newline = data.rfind(b"\n", max(start, 0), start + limit)
            if newline < 0:
                return True
            start = newline + 1
        return False


def _first_dot(data: bytes) -> int:
    """Where a dot first follows a line end, or -1.

    Looking backwards is several times as fast, and mostly there is one or none.
    """
    last = data.rfind(b"\r\n.")
    if last < 0 or data.rfind(b"\r\n.", 0, last + 2) < 0:
        return last
    return data.find(b"\r\n.")


def _part_of_end(data: bytes) -> bytes:
    for part in _PARTS_OF_END:
        if data.endswith(part):
            return part
    return b""
