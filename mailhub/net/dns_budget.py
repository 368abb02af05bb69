"""What a session may wait for DNS in all: each question alone has its time, but a
session asks many, and names that do not answer are cheap to make (attack: a message
whose checks need a hundred of them)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from zope.interface import implementer

from ..errors import DNSFault
from ..interfaces import IResolver
from ..mail.dns import Answer, RecordType

#: Seconds that an SMTP session may wait for DNS in all.
SESSION = 20.0


class Budget:
    """Seconds to wait, spent while anybody waits.

    Several who wait at the same time spend it together, not each for himself.
    """

    def __init__(self, clock: Any, seconds: float = SESSION) -> None:
        self.clock = clock
        self._left = seconds
        self._waiting = 0
        self._since = 0.0

    @property
    def left(self) -> float:
        """Seconds that are left; never below 0."""
        spent = self.clock.seconds() - self._since if self._waiting else 0.0
        return max(0.0, self._left - spent)

    def begin(self) -> None:
        """Somebody begins to wait."""
        if not self._waiting:
            self._since = self.clock.seconds()
        self._waiting += 1

    def end(self) -> None:
        """And has ended to."""
        left = self.left
        self._waiting -= 1
        if not self._waiting:
            self._left = left


@implementer(IResolver)
class BudgetedResolver:
    """Asks *resolver* as long as *budget* lasts; then everything is a ``DNSFault``."""

    def __init__(self, resolver: Any, budget: Budget) -> None:
        self._resolver = resolver
        self.budget = budget

    async def query(self, name: str, kind: RecordType) -> Answer:
        """See ``IResolver``."""
        if self.budget.left <= 0:
            raise DNSFault(f"{name}: the time for DNS is used up")
        self.budget.begin()
        try:
            asking: Deferred[Answer] = Deferred.fromCoroutine(
                self._resolver.query(name, kind)
            )
            if not asking.called:
                asking.addTimeout(self.budget.left, self.budget.clock)
            return await asking
        except TimeoutError:
            raise DNSFault(f"{name}: the time for DNS is used up") from None
        finally:
            self.budget.end()
