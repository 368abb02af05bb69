"""How long the reactor keeps everybody waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service

from ..counting import Histogram

#: Seconds between two looks.  One that takes longer is always seen; of those that
#: are shorter, a share.
INTERVAL = 0.1


class ReactorLag(Service):
    """A timer that looks how late it is.

    :param clock: provides ``callLater``.
    :param seconds: a clock that only goes forward, unlike the reactor's.
    :ivar histogram: what it has seen.
    """

    def __init__(
        self, clock: Any, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.histogram = Histogram()
        self._clock = clock
        self._seconds = seconds
        self._due = 0.0
        self._call: Any = None

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._wait()

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _wait(self) -> None:
        self._due = self._seconds() + INTERVAL
        self._call = self._clock.callLater(INTERVAL, self._look)

    def _look(self) -> None:
        self.histogram.add(max(0.0, self._seconds() - self._due))
        self._wait()
