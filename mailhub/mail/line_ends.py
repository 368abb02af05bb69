"""Text as programs write it, with the line ends of mail (RFC 5322, section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

#: Octets that are read at a time.
PIECE = 1 << 16


def lines_of(source: BinaryIO, *, dot_ends: bool) -> Iterator[bytes]:
    """The message that *source* has, in pieces, with CRLF at the end of each line.

    :param dot_ends: a line with only a dot ends it.
    """
    goes_on = False
    while line := source.readline(PIECE):
        is_whole = line.endswith(b"\n")
        text = line.rstrip(b"\r\n") if is_whole else line.rstrip(b"\r")
        if dot_ends and not goes_on and text == b".":
            return
        # The next piece goes on where a long line was cut.
        goes_on = not is_whole and len(line) == PIECE
        # A lone CR within a line would be refused wherever it goes.
        text = text.replace(b"\r", b"")
        yield text if goes_on else text + b"\r\n"
    if goes_on:
        yield b"\r\n"
