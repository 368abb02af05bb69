"""What stands for the processes of a server."""

from __future__ import annotations

import json
from typing import Any

from mailhub.observing.answers import answers_of
from mailhub.observing.samples import Measured


class Alone:
    """One process that serves mail, and is asked without a way between."""

    def __init__(self, mail: Measured, clock: Any) -> None:
        self.workers = {"0": 0}
        self._answers = answers_of(mail, clock)

    async def ask_all(self, question: str) -> dict[str, dict[str, Any]]:
        answer = await self._answers[question]({})
        return {"0": json.loads(json.dumps(answer))}


class Several:
    """Processes whose answers are given beforehand."""

    def __init__(self, *answers: dict[str, dict[str, Any]] | None) -> None:
        self.workers = {str(number): 0 for number in range(len(answers))}
        self.answers = {str(number): each for number, each in enumerate(answers)}

    async def ask_all(self, question: str) -> dict[str, dict[str, Any]]:
        return {
            worker: each[question] for worker, each in self.answers.items() if each
        }
