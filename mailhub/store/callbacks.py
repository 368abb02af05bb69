"""Functions to be called when something has changed."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

log = Logger()


class Callbacks:
    """Who wants to hear of the changes of one thing."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[], object]] = {}

    def add(self, callback: Callable[[], object]) -> Callable[[], None]:
        """-> a function that ends it; calling it again is harmless"""
        ticket = object()
        self._callbacks[ticket] = callback

        def end() -> None:
            self._callbacks.pop(ticket, None)

        return end

    def __len__(self) -> int:
        return len(self._callbacks)

    def call(self) -> None:
        """Call all of them; the fault of one is not the others' fault."""
        for callback in tuple(self._callbacks.values()):
            try:
                callback()
            except Exception:
                log.failure("a watcher failed")
