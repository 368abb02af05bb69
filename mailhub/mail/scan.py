"""Searching in octets that may be a view or a mapped file, without copying them."""

from __future__ import annotations

from .headers import Octets

#: Octets looked at in one step; few at first, as what is sought is often near.
_FIRST_STEP = 4 * 1024
_LONGEST_STEP = 64 * 1024
#: So many times as fast as the needle is one octet found.
_HYPHEN_GAIN = 32


class DelimiterSearch:
    """Finds delimiter lines of MIME parts, up to an allowance of work.

    In each step a hyphen is sought first: there is none in base64, and one octet
    is found many times faster than a string.

    :ivar allowance: octets that may still be searched for delimiters.
    """

    def __init__(self, data: Octets, allowance: int) -> None:
        self._data = data
        self.allowance = allowance

    def find(self, needle: bytes, start: int, stop: int) -> int:
        """Where *needle* starts in ``data[start:stop]``; -1 if it does not, or if
        the allowance is used up.

        :param needle: its second octet is ``-``.
        """
        step = _FIRST_STEP
        overlap = len(needle) - 1
        while start + overlap < stop and self.allowance >= 0:
            end = min(start + step + overlap, stop)
            found = self._find_in_step(needle, start, end)
            if found >= 0:
                return found
            start += step
            step = min(step * 2, _LONGEST_STEP)
        return -1

    def _find_in_step(self, needle: bytes, start: int, end: int) -> int:
        data = self._data
        offset = 0
        if not isinstance(data, bytes):
            data, offset = bytes(data[start:end]), start
        hyphen = data.find(b"-", start - offset, end - offset)
        if hyphen < 0:
            self.allowance -= (end - start) // _HYPHEN_GAIN
            return -1
        found = data.find(needle, max(start - offset, hyphen - 1), end - offset)
        if found < 0:
            self.allowance -= end - start
            return -1
        self.allowance -= found + offset - start
        return found + offset


def count_lines(data: Octets, start: int, stop: int) -> int:
    """The line ends in ``data[start:stop]``."""
    if isinstance(data, bytes):
        return data.count(b"\n", start, stop)
    return sum(
        bytes(data[at : min(at + _LONGEST_STEP, stop)]).count(b"\n")
        for at in range(start, stop, _LONGEST_STEP)
    )
