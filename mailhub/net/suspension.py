"""What a conversation waits for, besides a ``Deferred``."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


class Signal:
    """Awaited, suspends the conversation until the connection resumes it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        yield self


INPUT = Signal()
OUTPUT = Signal()
