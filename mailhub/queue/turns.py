"""Senders take turns for a destination's places, however much each has waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ByTurns(Generic[T]):
    """What waits, by whom it counts for: one of each after the other.

    What one of them has leaves in the order in which it came.
    """

    __slots__ = ("_lines", "_number")

    def __init__(self) -> None:
        #: Whose turn it is stands first.
        self._lines: dict[str, deque[T]] = {}
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[T]:
        for line in self._lines.values():
            yield from line

    def append(self, origin: str, each: T) -> None:
        """Let *each* wait, which counts for *origin*."""
        line = self._lines.get(origin)
        if line is None:
            line = self._lines[origin] = deque()
        line.append(each)
        self._number += 1

    def popleft(self) -> T:
        """Take away whose turn it is.

        :raises StopIteration: nothing waits.
        """
        origin, line = next(iter(self._lines.items()))
        each = line.popleft()
        self._number -= 1
        if not line:
            del self._lines[origin]
        elif len(self._lines) > 1:
            self._lines[origin] = self._lines.pop(origin)
        return each

    def clear(self) -> None:
        """Let nothing wait any more."""
        self._lines.clear()
        self._number = 0
