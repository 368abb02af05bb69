"""Message data for another server: clean line ends and the dot of transparency.

No bare CR and no bare LF ever leaves.  A server that took one for a line end would
find another end of the message than we meant, and commands behind it (attack: SMTP
smuggling, outbound); so each of them becomes the CRLF that it was meant for.
"""

from __future__ import annotations

import re

#: What ends the data when its last line is whole (RFC 5321, section 4.1.1.4).
END = b".\r\n"
_NEWLINE = re.compile(rb"\r\n|\r|\n")


def with_clean_lines(data: bytes) -> bytes:
    """*data* with CRLF for every line end of whatever kind."""
    # Counting single octets takes three times as long, as lines are short.
    text = data.replace(b"\r\n", b"")
    if b"\r" in text or b"\n" in text:
        return _NEWLINE.sub(b"\r\n", data)
    return data


def stuffed(data: bytes) -> bytes:
    """All of a message as DATA sends it, with the dot that ends it."""
    data = with_clean_lines(data)
    if b"\n." in data:
        data = data.replace(b"\n.", b"\n..")
    if data.startswith(b"."):
        data = b"." + data
    end = END if data.endswith(b"\n") or not data else b"\r\n" + END
    return data + end


class Stuffing:
    """The same, for a message that comes in pieces."""

    __slots__ = ("_at_line_start", "_held")

    def __init__(self) -> None:
        self._held = b""
        self._at_line_start = True

    def feed(self, data: bytes) -> bytes:
        """What *data* becomes; a CR at its end waits for what follows it."""
        data = self._held + data
        self._held = b""
        if data.endswith(b"\r"):
            self._held, data = b"\r", data[:-1]
        if not data:
            return b""
        data = with_clean_lines(data)
        was_at_start = self._at_line_start
        self._at_line_start = data.endswith(b"\n")
        if b"\n." in data:
            data = data.replace(b"\n.", b"\n..")
        return b"." + data if was_at_start and data.startswith(b".") else data

    def finish(self) -> bytes:
        """The rest, and the dot that ends it."""
        if self._held:
            return b"\r\n" + END
        return END if self._at_line_start else b"\r\n" + END
