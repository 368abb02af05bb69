"""The order in which mail for one destination leaves a queue in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from ..mail.queued import QueuedMessage, Waiting

#: States of a recipient.
READY, LATER, LENT, HELD = range(4)


@dataclass(slots=True, eq=False)
class Kept:
    """A message in the queue.

    :ivar content: ``IContent``: all octets.
    :ivar rows: its recipients that are left, by number.
    """

    message: QueuedMessage
    content: Any
    rows: dict[int, Row] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Row:
    """A recipient.

    :ivar wake: when it becomes ready by itself, if it is due later or lent.
    :ivar stamp: another number after each change of its state: what is noted
        elsewhere with an older one does not count.
    """

    kept: Kept
    waiting: Waiting
    state: int = LATER
    wake: float = 0.0
    token: int = 0
    keeper: str = ""
    stamp: int = 0

    def enter(self, state: int, wake: float = 0.0) -> None:
        """Change the state; nobody has a lease of it but as the caller notes."""
        self.state, self.wake, self.token, self.keeper = state, wake, 0, ""
        self.stamp += 1


@dataclass(slots=True, eq=False)
class Line:
    """Ready recipients of a destination: by priority, then fair to origins.

    A recipient gets the turn after the last of its origin, but none before that of
    who left last (start-time fair queueing).
    """

    _turns: list[tuple[int, int, int, int, Row]] = field(default_factory=list)
    _dues: list[tuple[float, int, int, Row]] = field(default_factory=list)
    _last: dict[tuple[int, str], int] = field(default_factory=dict)
    _current: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, row: Row, origin: str) -> None:
        """Put a recipient in line that has just become ready."""
        rank = -row.kept.message.parameters.priority
        number = row.waiting.recipient_id
        turn = max(self._current[rank], self._last.get((rank, origin), -1) + 1)
        self._last[rank, origin] = turn
        heappush(self._turns, (rank, turn, number, row.stamp, row))
        heappush(self._dues, (row.waiting.due, number, row.stamp, row))

    def since(self) -> float | None:
        """When the first of them became due; ``None`` if there is nobody."""
        while self._dues:
            due, _, stamp, row = self._dues[0]
            if row.stamp == stamp:
                return due
            heappop(self._dues)
        return None

    def leave(self) -> Iterator[Row]:
        """Recipients in turn; each has to change its state before the next."""
        while self._turns:
            rank, turn, _, stamp, row = heappop(self._turns)
            if row.stamp == stamp:
                self._current[rank] = turn
                yield row
        self._last.clear()
        self._current.clear()
