"""Searching in octets that may be a view or a mapped file, without copying them."""

from __future__ import annotations

from .headers import Octets

#: Octets looked at in one step; few at first, as what is sought is often near.
_FIRST_STEP = 4 * 1024
_LONGEST_STEP = 64 * 1024


def find(data: Octets, needle: bytes, start: int, stop: int) -> int:
    """Where *needle*, whose second octet is ``-``, starts in ``data[start:stop]``.

    -1 if it does not.  In each step a hyphen is sought first: there is none in
    base64, and one octet is found many times faster than a string.
    """
    step = _FIRST_STEP
    overlap = len(needle) - 1
    while start + overlap < stop:
        end = min(start + step + overlap, stop)
        if isinstance(data, bytes):
            hyphen = data.find(b"-", start, end)
            if hyphen >= 0:
                found = data.find(needle, max(start, hyphen - 1), end)
                if found >= 0:
                    return found
        else:
            chunk = bytes(data[start:end])
            if b"-" in chunk and (found := chunk.find(needle)) >= 0:
                return start + found
        start += step
        step = min(step * 2, _LONGEST_STEP)
    return -1


def count_lines(data: Octets, start: int, stop: int) -> int:
    """The line ends in ``data[start:stop]``."""
    if isinstance(data, bytes):
        return data.count(b"\n", start, stop)
    return sum(
        bytes(data[at : min(at + _LONGEST_STEP, stop)]).count(b"\n")
        for at in range(start, stop, _LONGEST_STEP)
    )
