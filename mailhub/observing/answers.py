"""What a process of the server answers when it is asked how it is."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from .health import examine
from .samples import Measured, collect

#: A question's details, and the answer: what JSON can carry.
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def answers_of(mail: Measured, clock: Any) -> dict[str, Answer]:
    """By the name of the question.

    ``samples``: the process id, and by metric its samples
    (:data:`mailhub.observing.samples.Samples`).  ``health``: the process id, and by
    check what is wrong.

    :param clock: provides ``callLater``.
    """

    async def samples(details: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "samples": collect(mail)}

    async def health(details: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "checks": await examine(mail, clock)}

    return {"samples": samples, "health": health}
