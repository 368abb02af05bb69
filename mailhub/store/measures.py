"""What a store has done so far, for whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..counting import SIZES, Histogram

_NEVER = float("-inf")


@dataclass(slots=True, eq=False)
class Measures:
    """Counts since the store was opened; the writer's thread adds to them.

    :ivar changes: how many changes commits made durable together.
    :ivar seconds: how long commits took, from the first change to the flush's end.
    :ivar failed: commits that failed, with all their changes.
    :ivar checkpoints: how long checkpoints took.
    :ivar last_commit: when one worked last, on the clock of :func:`time.monotonic`.
    :ivar last_failure: when one failed last.
    """

    changes: Histogram = field(default_factory=lambda: Histogram(SIZES))
    seconds: Histogram = field(default_factory=Histogram)
    failed: int = 0
    checkpoints: Histogram = field(default_factory=Histogram)
    last_commit: float = _NEVER
    last_failure: float = _NEVER

    def committed(self, changes: int, began: float, ended: float) -> None:
        """Count a commit; one without changes proves nothing."""
        if not changes:
            return
        self.changes.add(changes)
        self.seconds.add(ended - began)
        self.last_commit = ended

    def failed_at(self, now: float) -> None:
        """Count a commit that failed."""
        self.failed += 1
        self.last_failure = now

    def worked_within(self, seconds: float, now: float) -> bool:
        """Whether there was a commit of late, and no failure after it."""
        return now - self.last_commit <= seconds and (
            self.last_failure < self.last_commit
        )
