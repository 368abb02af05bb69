"""Counts that somebody may read while the server works; nothing here knows why.

What is measured keeps plain numbers, and who wants to know reads them.  Adding to
one costs less than a microsecond, whether anybody ever asks or not.
"""

from __future__ import annotations

from bisect import bisect_left

#: Upper bounds, in seconds, of what takes a moment or hangs.
SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
)  # fmt: skip
#: Upper bounds of how many there are of something.
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Histogram:
    """How often a value was how large.

    It may be read in another thread than the one that adds.

    :ivar bounds: the upper bounds of all classes but the last, which has none; a
        value that equals a bound is below it.
    :ivar counts: values in each class.
    :ivar total: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count *value*."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)
