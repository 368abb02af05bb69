"""Which answers a server had sent at which moment, read from its own calls."""

from __future__ import annotations

import re

from .trace import SENDS, Call

_TAGGED = re.compile(rb"(c\d+) (OK|NO|BAD)\b")


class Answers:
    """Reads what is sent on connections.

    :ivar moments: when each answer was sent, by the client's port and the tag, or
        for SMTP the ordinal of the message on its connection.
    """

    def __init__(self) -> None:
        self.moments: dict[tuple[int, bytes | int], int] = {}
        self._ports: dict[str, int] = {}
        self._rests: dict[str, bytes] = {}
        self._messages: dict[str, int] = {}
        self._waiting: set[str] = set()

    def follow(self, call: Call) -> bool:
        """-> whether *call* brought an answer."""
        if call.name == "accept4":
            self._ports[call.opened] = call.port
            return False
        if call.name not in SENDS or call.file not in self._ports:
            return False
        before = len(self.moments)
        *lines, rest = (self._rests.get(call.file, b"") + call.data).split(b"\r\n")
        self._rests[call.file] = rest
        for line in lines:
            self._read(call, line)
        return len(self.moments) > before

    def _read(self, call: Call, line: bytes) -> None:
        port = self._ports[call.file]
        if tagged := _TAGGED.match(line):
            if tagged[2] == b"OK":
                self.moments[port, tagged[1]] = call.moment
        elif line.startswith(b"354 "):
            self._messages[call.file] = self._messages.get(call.file, 0) + 1
            self._waiting.add(call.file)
        elif call.file in self._waiting and line[:3].isdigit() and line[3:4] == b" ":
            self._waiting.discard(call.file)
            if line.startswith(b"250 "):
                self.moments[port, self._messages[call.file]] = call.moment
