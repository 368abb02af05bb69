"""Files for tests of those who read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred


class Folder:
    """Files whose time of change is long ago, and another each time.

    :param path: made if it is not there.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        os.makedirs(self.path, exist_ok=True)
        self._time = 1_000_000_000

    def write(self, name: str, text: str, mode: int = 0o644) -> str:
        """-> the path of the file"""
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        self._time += 10
        os.utime(path, (self._time, self._time))
        return path


class Threads:
    """An ``InThread`` whose work is done when the test says so."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    async def __call__(self, work: Callable[[], Any]) -> Any:
        done: Deferred[Any] = Deferred()
        self._waiting.append((work, done))
        return await done

    def __len__(self) -> int:
        return len(self._waiting)

    def finish(self) -> None:
        """Do all that waits."""
        waiting, self._waiting = self._waiting, []
        for work, done in waiting:
            try:
                done.callback(work())
            except Exception:
                done.errback()
