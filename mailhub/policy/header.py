"""The header of a message that may be too large for memory."""

from __future__ import annotations

import re
from typing import Any

from ..errors import Refused, Status

#: Octets of a header; real ones end below 100 KiB (attack: the endless header).
MAX_HEADER = 10 * 1024 * 1024
#: Octets that are read at first, enough for almost every header, and then.
_FIRST = 16_384
_STEP = 262_144
_END = re.compile(rb"\n\r?\n")


async def read_header(content: Any) -> bytes:
    """The header of *content*, the empty line not included.

    A message without an empty line is all header (RFC 5322, section 2.1).

    :param content: :class:`mailhub.interfaces.IContent`.
    :raises Refused: it is longer than :data:`MAX_HEADER`.
    """
    header = await content.read(0, _FIRST)
    if header.startswith((b"\r\n", b"\n")):
        return b""
    looked_at = 0
    while (found := _END.search(header, looked_at)) is None:
        length = len(header)
        if length > MAX_HEADER:
            raise Refused("The message header is too long", status=Status.CONTENT)
        more = await content.read(length, length + _STEP)
        if not more:
            return bytes(header)
        looked_at = max(length - 2, 0)
        header += more
    return bytes(header[: found.start() + 1])
