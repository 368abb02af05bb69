"""Input that arrived and was not read yet."""

from __future__ import annotations

from .endings import BareNewline, LineTooLong


class InputBuffer:
    """Octets in order, with lines found in linear time however they are cut."""

    __slots__ = ("_octets", "_offset", "_scanned")

    def __init__(self) -> None:
        self._octets = b""
        self._offset = 0
        self._scanned = 0

    def __len__(self) -> int:
        return len(self._octets) - self._offset

    def feed(self, data: bytes) -> None:
        """Add what arrived; without a copy where nothing waits."""
        if self._offset >= len(self._octets):
            self._octets = data
            self._scanned = 0
        else:
            self._octets = self._octets[self._offset :] + data
            self._scanned -= self._offset
        self._offset = 0

    def unread(self, data: bytes) -> None:
        """Put octets back in front."""
        self._octets = data + self._octets[self._offset :]
        self._offset = self._scanned = 0

    def clear(self) -> None:
        """Forget everything."""
        self._octets = b""
        self._offset = self._scanned = 0

    def take_line(self, limit: int) -> bytes | None:
        """The next line without its CRLF, or ``None`` while it is not whole.

        :param limit: octets, CRLF included.
        :raises LineTooLong: a whole line; it is dropped.
        :raises BareNewline: a whole line; it is dropped.
        """
        octets = self._octets
        end = octets.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(octets)
            return None
        start = self._offset
        self._offset = self._scanned = end + 1
        if end + 1 - start > limit:
            raise LineTooLong
        line = octets[start:end]
        if line.find(b"\r") != len(line) - 1 or not line:
            raise BareNewline
        return line[:-1]

    def drop_line(self) -> bool:
        """Drop octets up to a line's end; whether the end was there."""
        end = self._octets.find(b"\n", self._offset)
        if end < 0:
            self.clear()
            return False
        self._offset = self._scanned = end + 1
        return True

    def take(self, most: int) -> bytes:
        """Up to *most* octets, those that are there."""
        start = self._offset
        if start == 0 and len(self._octets) <= most:
            data = self._octets
            self.clear()
            return data
        data = self._octets[start : start + most]
        self._offset = self._scanned = start + len(data)
        return data
