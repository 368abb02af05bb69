"""Fields of a message's header, counted without holding the message."""

from __future__ import annotations

import re
from typing import Any

from ..errors import Refused, Status

#: Octets of a header; real ones end below 100 KiB (attack: the endless header).
MAX_HEADER = 10 * 1024 * 1024
#: Octets that are read at first, enough for almost every header, and then.
_FIRST = 16_384
_STEP = 262_144
#: Anything else would be a way to write lines of one's own into the log.
_MESSAGE_ID = re.compile(rb"[ \t]*(?:\r?\n[ \t]+)?(<[!-;=?-~]{1,250}>)")
_SPELLINGS = (b"\nMessage-ID:", b"\nMessage-Id:", b"\nmessage-id:")


async def count_fields(content: Any, *names: bytes) -> list[int]:
    """How many fields of each of *names* (lower case) the header has.

    A message without an empty line is all header (RFC 5322, section 2.1).

    :param content: :class:`mailhub.interfaces.IContent`.
    :raises Refused: the header is longer than :data:`MAX_HEADER`.
    """
    marks = [b"\n" + name + b":" for name in names]
    data = content.data
    if data is not None and len(data) <= _STEP:
        text = b"\n" + data
        end = _end_in(text)
        text = (text if end < 0 else text[:end]).lower()
        return [text.count(mark) for mark in marks]
    counts = [0] * len(marks)
    held = b"\n"
    offset = 0
    while True:
        piece = await content.read(offset, offset + (_STEP if offset else _FIRST))
        offset += len(piece)
        text = held + piece
        end = _end_in(text)
        length = offset - len(text) + end + 1 if end >= 0 else offset
        if length > MAX_HEADER:
            raise Refused("The message header is too long", status=Status.CONTENT)
        text = (text if end < 0 else text[:end]).lower()
        for number, mark in enumerate(marks):
            counts[number] += text.count(mark)
        if end >= 0 or not piece:
            return counts
        held = _start_of_a_field(text, marks)


def _end_in(text: bytes) -> int:
    """Where the first empty line's line end begins before it, or -1."""
    found = text.find(b"\n\r\n")
    bare = text.find(b"\n\n", 0, found if found >= 0 else len(text))
    return found if bare < 0 else bare


def _start_of_a_field(text: bytes, marks: list[bytes]) -> bytes:
    """The line that *text* breaks off in, if it may still become one of *marks*.

    Also a line end that may be the header's.
    """
    line = text[text.rfind(b"\n") :]
    if len(line) > max(map(len, marks)) or line.startswith(tuple(marks)):
        return b""
    return line


async def field_values(content: Any, name: bytes) -> list[bytes]:
    """What fields called *name* (lower case) have on their first line, trimmed.

    Only the first 256 KiB are looked at: this server's own lines are on top.

    :param content: :class:`mailhub.interfaces.IContent`.
    """
    text = b"\n" + await content.read(0, _STEP)
    end = _end_in(text)
    text = text if end < 0 else text[:end]
    mark = b"\n" + name + b":"
    lowered = text.lower()
    values, found = [], lowered.find(mark)
    while found >= 0:
        start = found + len(mark)
        stop = text.find(b"\n", start)
        values.append(text[start : stop if stop >= 0 else len(text)].strip())
        found = lowered.find(mark, start)
    return values


async def message_id(content: Any) -> str:
    """What a message calls itself, for people who look for it in the log.

    ``""`` where it does not, or not among the first 16 KiB of its header.

    :param content: :class:`mailhub.interfaces.IContent`.
    """
    data = content.data
    head = data if data is not None else await content.read(0, _FIRST)
    end = 0 if head.startswith(b"\r\n") else head.find(b"\r\n\r\n", 0, _FIRST)
    stop = min(len(head), _FIRST) if end < 0 else end
    for mark in _SPELLINGS:
        # Nearly all have other fields before it.
        start = head.find(mark, 0, stop)
        if start >= 0:
            break
    else:
        start = (b"\n" + head[:stop].lower()).find(_SPELLINGS[-1])
        if start < 0:
            return ""
        start -= 1
    found = _MESSAGE_ID.match(head, start + len(mark), stop)
    return "" if found is None else found[1].decode()
