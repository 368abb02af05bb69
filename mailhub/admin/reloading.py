"""Reading the configuration again: all processes use the new one, or none does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from ..config.changes import settle
from ..config.faults import ConfigError
from ..config.loading import Known, load_again
from ..config.settings import Config
from .answers import told


class Asks(Protocol):
    """The way to all processes that serve mail."""

    async def ask_all(
        self, question: str, **details: Any
    ) -> Mapping[str, dict[str, Any]]:
        """The answers, by worker."""


class Reloading:
    """Makes all processes that serve mail use what the configuration says now.

    It is read once, here, and everybody gets the same text.  Each process then gets
    everything ready for it; where one of them cannot, or one of the files that the
    configuration names is of no use, all go on as before.

    :param config: what is in force.
    :param asks: the way to the processes.
    :ivar config: what is in force now.
    :ivar reloaded: called with the configuration, each time that it is another.
    """

    log = Logger()

    def __init__(self, config: Config, asks: Asks) -> None:
        self.config = config
        self.reloaded: list[Callable[[Config], object]] = []
        self._asks = asks
        self._turn = DeferredLock()

    async def run(self) -> dict[str, Any]:
        """Read it again.

        -> ``faults``, each with a ``text`` and, as far as they are known, ``origin``,
        ``line``, ``table``, ``key``, ``value`` and ``expected``; where there are none,
        ``source``, ``changed`` and ``restart``: the names of settings
        """
        await self._turn.acquire()
        try:
            answer = await self._run()
        finally:
            self._turn.release()
        for fault in answer["faults"]:
            text = fault["text"]
            self.log.error("the configuration stays as it was: {text}", text=text)
        for name in answer.get("restart", ()):
            self.log.warn("{name} needs a restart", name=name)
        if not answer["faults"]:
            names = ", ".join(answer["changed"]) or "nothing"
            self.log.info("configuration read again; changed: {names}", names=names)
        return answer

    async def _run(self) -> dict[str, Any]:
        config = self.config
        try:
            if config.call is not None:
                config = load_again(config)
        except ConfigError as error:
            return {"faults": [told(fault) for fault in error.faults]}
        known = Known(config.source, config.text)
        answers = await self._asks.ask_all(
            "reload", step="prepare", path=known.path, text=known.text
        )
        faults = _faults(answers)
        if faults:
            await self._asks.ask_all("reload", step="drop")
            return {"faults": faults}
        first = next(iter(answers.values()))
        self.config, _ = settle(config, self.config)
        # Who is started from here on begins with the new one; then all others use it.
        for tell in self.reloaded:
            tell(self.config)
        await self._asks.ask_all("reload", step="use")
        return {
            "faults": [],
            "source": config.source,
            "changed": first["changed"],
            "restart": first["restart"],
        }


def _faults(answers: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What is wrong, in the words of the first process to which anything is."""
    for answer in answers.values():
        if answer["faults"]:
            faults: list[dict[str, Any]] = answer["faults"]
            return faults
    return [] if answers else [{"text": "no process of the server answers"}]
