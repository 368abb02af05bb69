"""What may be asked over the administration socket, of all processes together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from .answers import Answer


class Asks(Protocol):
    """The way to all processes that serve mail."""

    @property
    def workers(self) -> Mapping[str, int]:
        """All that there should be, and how often each was started anew."""

    async def ask_all(
        self, question: str, **details: Any
    ) -> Mapping[str, dict[str, Any]]:
        """The answers, by worker."""

    async def ask_one(self, question: str, **details: Any) -> dict[str, Any]:
        """The answer of any worker."""


def questions_of(
    asks: Asks,
    reload: Callable[[], Awaitable[dict[str, Any]]],
    stop: Callable[[], dict[str, Any]],
) -> dict[str, Answer]:
    """By name; details and answers are what JSON can carry.

    ``status``, ``sessions``, ``kick`` (``whom``), ``command`` and ``queue`` (``work``,
    ``details``): see :mod:`mailhub.admin.answers`; what processes tell is put
    together.  ``reload``: see :class:`mailhub.admin.reloading.Reloading`.  ``stop``:
    let all sessions finish, and end.

    :param stop: begins it, and says which process will end last (``pid``).
    """

    questions = _Questions(asks)

    async def read_again(details: dict[str, Any]) -> dict[str, Any]:
        return await reload()

    async def end(details: dict[str, Any]) -> dict[str, Any]:
        return stop()

    return {
        "status": questions.status,
        "sessions": questions.sessions,
        "kick": questions.kick,
        "command": questions.command,
        "queue": questions.queue,
        "trace": questions.trace,
        "reload": read_again,
        "stop": end,
    }


class _Questions:
    """Those that all processes answer together, or one for all."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks

    async def status(self, details: dict[str, Any]) -> dict[str, Any]:
        return _together(await self._asks.ask_all("status"), self._asks.workers)

    async def sessions(self, details: dict[str, Any]) -> dict[str, Any]:
        heard = await self._asks.ask_all("sessions")
        found = [
            {**session, "worker": worker}
            for worker, answer in heard.items()
            for session in answer["sessions"]
        ]
        found.sort(key=lambda session: -session["seconds"])
        return {"sessions": found}

    async def kick(self, details: dict[str, Any]) -> dict[str, Any]:
        heard = await self._asks.ask_all("kick", whom=details["whom"])
        return {"ended": sum(answer["ended"] for answer in heard.values())}

    async def command(self, details: dict[str, Any]) -> dict[str, Any]:
        work, given = details["work"], details["details"]
        return await self._asks.ask_one("command", work=work, details=given)

    async def queue(self, details: dict[str, Any]) -> dict[str, Any]:
        work, given = details["work"], details["details"]
        if given.get("alteration", {}).get("retry"):
            # Whoever sends must not put off again what is due by it.
            destination = given.get("selection", {}).get("destination")
            await self._asks.ask_all("hurry", destination=destination)
        return await self._asks.ask_one("queue", work=work, details=given)

    async def trace(self, details: dict[str, Any]) -> dict[str, Any]:
        address, sender = details["address"], details["sender"]
        return await self._asks.ask_one("trace", address=address, sender=sender)


#: What all processes say alike.
_SHARED = ("version", "listeners", "certificate_ends", "source", "store", "draining")


def _together(
    heard: Mapping[str, dict[str, Any]], workers: Mapping[str, int]
) -> dict[str, Any]:
    """One status of many; that of a process that says nothing is ``null``."""
    services: dict[str, Counter[str]] = {}
    for answer in heard.values():
        for service, figures in answer["services"].items():
            services.setdefault(service, Counter()).update(figures)
    first: dict[str, Any] = next(iter(heard.values()), {})
    return {
        **{name: first.get(name) for name in _SHARED},
        "started": min((each["started"] for each in heard.values()), default=None),
        "services": {name: dict(figures) for name, figures in services.items()},
        "workers": [
            {
                "worker": worker,
                "restarts": restarts,
                "pid": heard[worker]["pid"] if worker in heard else None,
                "started": heard[worker]["started"] if worker in heard else None,
            }
            for worker, restarts in workers.items()
        ],
    }
