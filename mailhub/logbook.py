"""What goes into the log, from the side of those who write it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import Any

from twisted.logger import Logger, LogLevel


class Lines(str):
    """Text of several lines that is ours, and shown as lines.

    In all other text a line end is escaped: it may have come from the network, and
    what follows it would look like an entry of its own (attack: log forging).
    """

    __slots__ = ()


#: Seconds between two lines in the log about a fault of ours that lasts.
COMPLAINT_SECONDS = 1.0


class Complaints:
    """Decides whether to log a fault: one that lasts must not fill the log.

    :param seconds: a clock that only goes forward.
    """

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._last = float("-inf")

    def is_due(self) -> bool:
        """Whether the last one that was logged is long enough ago."""
        if self._seconds() - self._last < COMPLAINT_SECONDS:
            return False
        self._last = self._seconds()
        return True


class Logbook(Logger):
    """A ``Logger`` for what happens with every message, at a third of the cost.

    A ``Logger`` makes another one whenever it is looked up on an object, and looks
    through all levels with each event.  This one is made once for each class; its
    events have no ``log_source``, so that no log keeps a connection alive.
    """

    def __get__(self, instance: object, owner: type | None = None) -> Logbook:
        if owner is None:
            return self
        known: dict[type, Logbook] = self.__dict__.setdefault("_of_class", {})
        found = known.get(owner)
        if found is None:
            namespace = f"{owner.__module__}.{owner.__name__}"
            found = known[owner] = Logbook(namespace, None, self.observer)
        return found

    def info(self, format: str | None = None, **event: Any) -> None:
        """An event of the level that most have."""
        event["log_logger"] = self
        event["log_level"] = LogLevel.info
        event["log_namespace"] = self.namespace
        event["log_source"] = None
        event["log_format"] = format
        event["log_time"] = time()
        self.observer(event)
