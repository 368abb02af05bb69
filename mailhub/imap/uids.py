"""The UIDs of a mailbox in order, as few numbers as they can be told in.

UIDs are given one after the other, so that those of a mailbox mostly are a few runs:
a million messages of which nobody removed one are a single pair of numbers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from .numset import Ranges, ranges_of


class Uids(Sequence[int]):
    """Ascending UIDs; a value, never changed.

    An index is the sequence number less one.

    :param ranges: inclusive, ascending, neither overlapping nor touching.
    """

    __slots__ = ("_firsts", "_places")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        # Where each run begins, as UID and as index; the latter also behind the end.
        self._firsts = array("I")
        self._places = array("I", (0,))
        place = 0
        for first, last in ranges:
            place += last - first + 1
            self._firsts.append(first)
            self._places.append(place)

    @classmethod
    def of(cls, uids: Sequence[int]) -> Uids:
        """The ascending *uids*."""
        return cls(ranges_of(uids))

    def __len__(self) -> int:
        return self._places[-1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges():
            yield from range(first, last + 1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Uids):
            return NotImplemented
        return self._firsts == other._firsts and self._places == other._places

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...

    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        """One UID, or those of a slice without a step: a ``range`` if they are one."""
        count = self._places[-1]
        if isinstance(index, slice):
            start, stop, _ = index.indices(count)
            return self._between(start, stop)
        if index < 0:
            index += count
        if not 0 <= index < count:
            raise IndexError(index)
        return self.at((index,))[0]

    def _between(self, start: int, stop: int) -> Sequence[int]:
        runs = self._runs(start, stop)
        if not runs:
            return range(0)
        if len(runs) == 1:
            return runs[0]
        return array("I", [uid for run in runs for uid in run])

    def _runs(self, start: int, stop: int) -> list[range]:
        """What stands at the indexes from *start* to *stop*, in runs."""
        places, firsts = self._places, self._firsts
        found = []
        run = bisect_right(places, start) - 1
        while start < stop:
            end = min(stop, places[run + 1])
            first = firsts[run] + start - places[run]
            found.append(range(first, first + end - start))
            start = end
            run += 1
        return found

    def ranges(self, start: int = 0) -> Ranges:
        """The UIDs from index *start* on, as inclusive ranges."""
        return tuple((run[0], run[-1]) for run in self._runs(start, len(self)))

    def below(self, uid: int) -> int:
        """How many UIDs are lower than *uid*: the index that it has or would have."""
        run = bisect_right(self._firsts, uid) - 1
        if run < 0:
            return 0
        place = self._places[run] + uid - self._firsts[run]
        return min(place, self._places[run + 1])

    def at(self, places: Iterable[int]) -> list[int]:
        """The UIDs at these indexes."""
        indexes, firsts = self._places, self._firsts
        if len(firsts) == 1:
            [first] = firsts
            return [first + place for place in places]
        found = []
        for place in places:
            run = bisect_right(indexes, place) - 1
            found.append(firsts[run] + place - indexes[run])
        return found

    def places_of(self, uids: Iterable[int]) -> list[int]:
        """The indexes of those of *uids* that are here."""
        places, firsts = self._places, self._firsts
        if len(firsts) == 1:
            [first] = firsts
            after = first + places[1]
            return [uid - first for uid in uids if first <= uid < after]
        found = []
        for uid in uids:
            run = bisect_right(firsts, uid) - 1
            if run >= 0:
                place = places[run] + uid - firsts[run]
                if place < places[run + 1]:
                    found.append(place)
        return found

    def joined(self, ranges: Iterable[tuple[int, int]]) -> Uids:
        """These, and higher ones in *ranges*."""
        found = Uids()
        found._firsts, found._places = self._firsts[:], self._places[:]
        last = self[-1] if self else -1
        for first, stop in ranges:
            if first == last + 1:
                found._places[-1] += stop - last
            else:
                found._firsts.append(first)
                found._places.append(found._places[-1] + stop - first + 1)
            last = stop
        return found

    def without(self, places: Sequence[int]) -> Uids:
        """Those that are not at the ascending indexes *places*."""
        left: list[tuple[int, int]] = []
        start = 0
        for place in (*places, len(self)):
            left += [(run[0], run[-1]) for run in self._runs(start, place)]
            start = place + 1
        return Uids(left)
