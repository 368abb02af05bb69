"""A message as a reply of several lines (RFC 1939, section 3).

Whole buffers are looked at with searches that run in C; a message that needs no
change, as nearly all, is sent without a copy.
"""

from __future__ import annotations

import re

from .replies import END

_BARE_LF = re.compile(rb"(?<!\r)\n")


def stuff(data: bytes) -> bytes:
    """*data*, which starts a line, with lines ended by CRLF and dots doubled.

    A bare LF becomes CRLF first: a client that takes it for a line end would see
    ``\\n.\\r\\n`` as the end of the message (attack: response smuggling).
    """
    if data.count(b"\n") != data.count(b"\r\n"):
        data = _BARE_LF.sub(b"\r\n", data)
    if b"\n." in data:
        data = data.replace(b"\n.", b"\n..")
    return b"." + data if data.startswith(b".") else data


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
        # "x" stands for the unfinished line that went before.
        started = b"" if self._at_line_start else b"x"
        self._at_line_start = data.endswith(b"\n")
        return stuff(started + data)[len(started) :]

    def finish(self) -> bytes:
        """The last octets of the reply."""
        rest = self._held
        return rest + (END if self._at_line_start and not rest else b"\r\n" + END)
