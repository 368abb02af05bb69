"""Sets of message numbers: ``1,3:5,7:*`` (RFC 3501, section 9, sequence-set)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SyntaxFault

if TYPE_CHECKING:
    from .uids import Uids

#: Message numbers and UIDs are of 32 bits (RFC 3501, section 2.3.1).
MAX_NUMBER = 2**32 - 1

_NUMBER = rb"(?:[1-9][0-9]{0,9}|\*)"
_ITEM = _NUMBER + rb"(?::" + _NUMBER + rb")?"
_SET = re.compile(_ITEM + rb"(?:," + _ITEM + rb")*\Z")

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class NumberSet:
    """Message numbers, or UIDs, as a client names them.

    Reading one is linear in its text and using one is linear in its ranges, as
    they are merged first (attack: ``1,3,5,...`` over a whole line).

    :ivar ranges: inclusive, sorted, disjoint and not adjacent; those without ``*``.
    :ivar star: ``*`` is in the set, together with all from this number to it;
        ``None`` when it is not.  ``n:*`` always holds ``*``, also when ``n`` is
        above it, so several such items amount to the one with the least ``n``.
    """

    ranges: Ranges
    star: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> NumberSet:
        """:raises SyntaxFault: not a sequence-set; zero; above 32 bits."""
        if _SET.match(data) is None:
            raise SyntaxFault(f"not a set of numbers: {data[:64]!r}")
        closed = []
        star = None
        for item in data.split(b","):
            low, _, high = item.partition(b":")
            if not high:
                high = low
            if low == b"*":
                low, high = high, low
            first = MAX_NUMBER if low == b"*" else int(low)
            last = first if high == b"*" else int(high)
            if first > MAX_NUMBER or last > MAX_NUMBER:
                raise SyntaxFault(f"number of more than 32 bits: {item!r}")
            if high == b"*":
                star = first if star is None else min(first, star)
            else:
                closed.append((first, last) if first <= last else (last, first))
        closed.sort()
        return cls(_merged(closed), star)

    @property
    def highest(self) -> int:
        """The highest number that stands in the set; 0 where there is only ``*``."""
        return self.ranges[-1][1] if self.ranges else 0

    def within(self, last: int) -> Ranges:
        """The ranges in ``1..last``, where ``*`` means *last*.

        Numbers above *last* are left out.  Empty where *last* is 0.
        """
        if last == 0:
            return ()
        ranges = self.ranges
        if self.star is not None:
            tail = (min(self.star, last), last)
            ranges = _merged(sorted([*ranges, tail]))
        if not ranges or ranges[-1][1] <= last:
            return ranges
        return tuple((a, min(b, last)) for a, b in ranges if a <= last)

    def positions(self, count: int) -> list[range]:
        """As message sequence numbers: 0-based positions in a view of *count*."""
        return [range(first - 1, last) for first, last in self.within(count)]

    def uid_positions(self, uids: Uids) -> list[range]:
        """As UIDs: 0-based positions of those that are in the view *uids*.

        UIDs that do not exist are no error (RFC 3501, section 6.4.8).
        """
        if not uids:
            return []
        found = []
        for first, last in self.within(uids[-1]):
            positions = range(uids.below(first), uids.below(last + 1))
            if positions:
                found.append(positions)
        return found


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted *ranges* with those that overlap or touch made one."""
    merged: list[tuple[int, int]] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def ranges_of(numbers: Sequence[int]) -> Ranges:
    """Ascending *numbers* as inclusive ranges."""
    if not numbers:
        return ()
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return ((numbers[0], numbers[-1]),)
    ranges: list[tuple[int, int]] = []
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            ranges.append((first, last))
            first = number
        last = number
    return (*ranges, (first, last))


def format_ranges(ranges: Iterable[tuple[int, int]]) -> bytes:
    """Inclusive *ranges* as a sequence-set."""
    return b",".join(
        b"%d" % first if first == last else b"%d:%d" % (first, last)
        for first, last in ranges
    )


def format_uids(uids: Sequence[int]) -> bytes:
    """Ascending *uids*, not empty, as a uid-set: ``1:3,7`` (RFC 4315)."""
    return format_ranges(ranges_of(uids))
