"""What a process that serves mail answers to those who look after it."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from ..config.changes import changed, settle
from ..config.faults import ConfigError
from ..config.kinds import Endpoint
from ..config.loading import Known, load_again
from ..config.settings import Config
from ..errors import MailError
from ..interfaces import IAtomicDirectory
from ..net.factory import ConnectionFactory
from ..routing.router import Router
from ..routing.tracing import trace
from . import sessions
from .outcome import Exit, Failure
from .queue_work import QUEUE_WORK
from .version import program_version
from .work import WORK

#: A question's details, and the answer: what JSON can carry.
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Sends(Protocol):
    """As much of a :class:`mailhub.queue.scheduler.Scheduler` as is asked for."""

    def hurry(self, destination: str | None = None) -> None:
        """Try what is due."""


class Served(Protocol):
    """As much of a :class:`mailhub.service.MailService` as is looked after."""

    config: Config
    store: Any

    @property
    def factories(self) -> Mapping[str, ConnectionFactory]:
        """By service."""

    @property
    def certificate_ends(self) -> datetime | None:
        """When the certificate in use ends."""

    @property
    def scheduler(self) -> Sends | None:
        """What sends mail from the queue, if this process does."""

    @property
    def is_draining(self) -> bool:
        """Whether it is about to stop."""

    @property
    def is_listening(self) -> bool:
        """Whether all services accept connections."""

    def router(self) -> Router:
        """What decides where mail goes."""

    def endpoints(self) -> list[tuple[str, Endpoint]]:
        """Everything that is bound."""

    def prepare(self, config: Config) -> Callable[[], None]:
        """Get another configuration ready to be used."""


def answers_of(mail: Served) -> dict[str, Answer]:
    """By the name of the question: each method of ``_Answers`` tells."""
    answers = _Answers(mail)
    return {
        "status": answers.status,
        "sessions": answers.sessions,
        "kick": answers.kick,
        "reload": answers.reload,
        "command": answers.command,
        "queue": answers.queue,
        "hurry": answers.hurry,
        "trace": answers.trace,
    }


class _Answers:
    def __init__(self, mail: Served) -> None:
        self._mail = mail
        self._began = time.monotonic()
        self._use: Callable[[], None] | None = None

    async def status(self, details: dict[str, Any]) -> dict[str, Any]:
        """How this process is.

        ``pid``, ``version``, ``started`` (seconds since the epoch), ``listeners`` and
        ``services`` by name, ``store``, ``certificate_ends`` (ISO 8601), ``source``
        of the configuration, ``draining``.
        """
        mail = self._mail
        listeners: dict[str, list[str]] = {}
        for service, endpoint in mail.endpoints():
            listeners.setdefault(service, []).append(str(endpoint))
        ends = mail.certificate_ends
        return {
            "pid": os.getpid(),
            "version": program_version(),
            # By the clock of now, though somebody may have set it since.
            "started": time.time() - (time.monotonic() - self._began),
            "listeners": listeners,
            "services": {
                service: {
                    "open": len(factory.connections),
                    "accepted": factory.tally.accepted,
                    "turned_away": factory.tally.turned_away.total(),
                    "messages": factory.tally.messages,
                }
                for service, factory in mail.factories.items()
            },
            "store": await self._store(),
            "certificate_ends": None if ends is None else ends.isoformat(),
            "source": mail.config.source,
            "draining": mail.is_draining,
        }

    async def _store(self) -> dict[str, Any]:
        """Its ``kind``, ``data`` folder, and what is wrong with it (``fault``)."""
        config = self._mail.config
        data = None if config.store.kind == "memory" else config.server.data
        told = {"kind": config.store.kind, "data": data, "fault": None}
        try:
            await self._mail.store.directory.domains()
        except MailError as error:
            told["fault"] = str(error)
        return told

    async def sessions(self, details: dict[str, Any]) -> dict[str, Any]:
        """``sessions``: see :func:`mailhub.admin.sessions.describe`."""
        return {"sessions": sessions.describe(self._mail.factories)}

    async def kick(self, details: dict[str, Any]) -> dict[str, Any]:
        """End the sessions of ``whom``; ``ended``: how many."""
        return {"ended": sessions.end(self._mail.factories, details["whom"])}

    async def reload(self, details: dict[str, Any]) -> dict[str, Any]:
        """One of three steps towards another configuration.

        ``prepare``: get the one ready that the file at ``path`` makes, which says
        ``text``.  The answer has ``faults``; where there are any, nothing else
        follows.  Else ``restart`` names what needs one, ``changed`` the rest that is
        another.  ``use``: use it.  ``drop``: forget it.
        """
        match details["step"]:
            case "prepare":
                return self._prepare(Known(details["path"], details["text"]))
            case "use" if self._use is not None:
                self._use()
        self._use = None
        return {}

    def _prepare(self, known: Known) -> dict[str, Any]:
        mail = self._mail
        config = mail.config
        restart: list[str] = []
        self._use = None
        try:
            if config.call is not None:
                config, restart = settle(load_again(config, known), config)
            self._use = mail.prepare(config)
        except ConfigError as error:
            return {"faults": [told(fault) for fault in error.faults]}
        except MailError as error:
            return {"faults": [{"text": str(error)}]}
        return {
            "faults": [],
            "restart": restart,
            "changed": changed(config, mail.config),
        }

    async def command(self, details: dict[str, Any]) -> dict[str, Any]:
        """Do the ``work`` of a command with its ``details``.

        The ``result``, or ``failure`` with ``code`` and ``text``.

        :raises KeyError: there is no such work, or something is missing.
        """
        work, given = WORK[details["work"]], details["details"]
        directory = self._mail.store.directory
        if work.changes and IAtomicDirectory.providedBy(directory):
            return await _outcome(
                directory.perform(lambda there: work.do(there, given))
            )
        return await _outcome(work.do(directory, given))

    async def queue(self, details: dict[str, Any]) -> dict[str, Any]:
        """Do a ``work`` of :mod:`mailhub.admin.queue_work` with its ``details``.

        The ``result``, or ``failure`` with ``code`` and ``text``.

        :raises KeyError: there is no such work, or something is missing.
        """
        work, given = QUEUE_WORK[details["work"]], details["details"]
        queue = self._mail.store.queue
        return await _outcome(work(queue, given, time.time()))


    async def hurry(self, details: dict[str, Any]) -> dict[str, Any]:
        """Try mail for ``destination``, or all, though nobody answered there before."""
        if self._mail.scheduler is not None:
            self._mail.scheduler.hurry(details["destination"])
        return {}

    async def trace(self, details: dict[str, Any]) -> dict[str, Any]:
        """Where mail for ``address`` from ``sender`` would go.

        The ``result`` of :func:`mailhub.routing.tracing.explain`, or ``failure``.
        """
        router = self._mail.router()
        return await _outcome(trace(router, details["address"], details["sender"]))


async def _outcome(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """``result`` or ``failure`` of a piece of work."""
    try:
        return {"result": await work}
    except Failure as failure:
        return {"failure": {"code": int(failure.code), "text": str(failure)}}
    except MailError as error:
        code = Exit.UNAVAILABLE if error.permanent else Exit.TRY_AGAIN
        return {"failure": {"code": int(code), "text": str(error)}}


def told(fault: Any) -> dict[str, Any]:
    """A :class:`~mailhub.config.faults.Fault` for JSON; ``text`` is all of it."""
    return {**asdict(fault), "text": str(fault)}
