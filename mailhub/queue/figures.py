"""Figures of a queue, for whoever watches the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Upper bounds of ages, in seconds, and what they are called.
AGES = (300.0, 3600.0, 14_400.0, 86_400.0)
AGE_NAMES = ("5m", "1h", "4h", "1d", "older")
#: Destinations that are counted at most.
MAX_COUNTED = 10_000


@dataclass(slots=True)
class Figures:
    """How it was at the last look.

    :ivar waiting: recipients by age, in the order of :data:`AGE_NAMES`.
    :ivar backlogs: destinations for which something could be sent.
    :ivar oldest: seconds since the first of that became due.
    """

    waiting: list[int] = field(default_factory=lambda: [0] * len(AGE_NAMES))
    backlogs: int = 0
    oldest: float = 0.0


async def look(figures: Figures, queue: Any, now: float) -> None:
    """Bring *figures* up to date.

    :raises mailhub.errors.LocalFault: the queue does not work now.
    """
    rows = await queue.ages(now, AGES)
    figures.waiting = [0] * len(AGE_NAMES)
    for row in rows:
        for index, count in enumerate(row.counts):
            figures.waiting[index] += count
    backlog = await queue.ready(now, MAX_COUNTED)
    figures.backlogs = len(backlog)
    figures.oldest = max((now - each.since for each in backlog), default=0.0)
