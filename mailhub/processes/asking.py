"""Asking all processes that serve mail, be there one or many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

#: A question's details, and the answer: what JSON can carry.
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Unanswered(Exception):
    """A process could not answer, or nobody is there to ask."""


class Alone:
    """The way to the only process, which is this one.

    :param answers: what it can be asked, by the name of the question.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self.workers: Mapping[str, int] = {"0": 0}
        self.is_well = True

    async def ask_all(
        self, question: str, **details: Any
    ) -> Mapping[str, dict[str, Any]]:
        """The answers, by worker."""
        return {"0": await self._answers[question](details)}

    async def ask_one(self, question: str, **details: Any) -> dict[str, Any]:
        """The answer of any worker."""
        return await self._answers[question](details)
