"""What another server answers: its lines, put together and looked at (RFC 5321, 4.2).

Everything here comes from a stranger, who may have been paid to be odd: lines, their
number and their octets are limited, and what is shown to people later is printable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import SyntaxFault

#: Octets of a line with its CRLF; RFC 5321, section 4.5.3.1.5, asks for 512, and real
#: servers explain themselves at length.
MAX_REPLY_LINE = 2_048
#: Lines, and octets, of one reply.
MAX_REPLY_LINES = 256
MAX_REPLY = 32_768
#: Characters of a reply that are kept for people.
MAX_TEXT = 900

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
#: RFC 2034, section 4: the class is that of the code, or it means nothing.
_STATUS = re.compile(rb"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?: |\Z)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]+")


class MalformedReply(SyntaxFault):
    """Octets that no mail server sends; the connection is of no more use."""

    permanent = False


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One reply of another server.

    :ivar lines: without their codes, as they came.
    """

    code: int
    lines: tuple[bytes, ...]

    @property
    def is_positive(self) -> bool:
        """Whether it is 2yz."""
        return self.code < 300

    @property
    def is_permanent(self) -> bool:
        """Whether it is 5yz."""
        return self.code >= 500

    @property
    def status(self) -> str:
        """Its enhanced status code (RFC 3463), or the least that its code says."""
        digit = str(self.code)[0]
        found = _STATUS.match(self.lines[0])
        if found is not None and found[1].decode() == digit:
            return f"{digit}.{int(found[2])}.{int(found[3])}"
        return f"{digit}.0.0"

    def __str__(self) -> str:
        """The code and the text, on one line that is fit to be shown."""
        text = b" ".join(self.lines)[:MAX_TEXT].decode("utf-8", "replace")
        return f"{self.code} {_UNPRINTABLE.sub('?', text)}".rstrip()


class ReplyLines:
    """Puts the lines of a reply together."""

    __slots__ = ("_code", "_lines", "_octets")

    def __init__(self) -> None:
        self._code = b""
        self._lines: list[bytes] = []
        self._octets = 0

    def feed(self, line: bytes) -> ServerReply | None:
        """The reply that *line* completes.

        :param line: without its CRLF.
        :raises MalformedReply: no line of a reply, or one too many.
        """
        found = _LINE.fullmatch(line)
        if found is None:
            raise MalformedReply(f"no reply: {line[:100]!r}")
        code, more, text = found.groups(b"")
        if more != b"-" and not self._lines:
            return ServerReply(int(code), (text,))
        if self._lines and code != self._code:
            raise MalformedReply(f"{code!r} in a reply of {self._code!r}")
        self._code = code
        self._lines.append(text)
        self._octets += len(line)
        if len(self._lines) > MAX_REPLY_LINES or self._octets > MAX_REPLY:
            raise MalformedReply("a reply without an end")
        if more == b"-":
            return None
        reply = ServerReply(int(code), tuple(self._lines))
        self._lines.clear()
        self._octets = 0
        return reply
