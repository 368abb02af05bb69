"""The master: holds the sockets, keeps the workers alive, serves no mail itself.

Each worker has a socket of its own for every address, among which the system deals
connections.  The master keeps all of them open: when a worker dies, connections that
were not accepted yet wait in its queue, and the worker that takes its place serves
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..config.identity import server_name
from ..config.listening import Bound, bind_for_workers, deal, forget_names
from ..config.settings import PORTS, Config
from ..config.text import announcement
from ..logbook import Lines
from ..net.shared_counts import make_memory
from .asking import Unanswered
from .member import Member, State

#: Seconds between two questions whether a worker is alive.
HEARTBEAT = 5.0
#: Seconds without an answer after which a worker is taken for frozen, and killed.
FROZEN = 30.0
#: Seconds that a worker has for an answer; and for work that waits for the disk.
PATIENCE, LONG_PATIENCE = 5.0, 60.0
#: Seconds before a worker that died young is replaced, doubled up to the most.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0

_HEARTBEAT_QUESTION = "pid"


class Master(Service):
    """All workers of a server.

    :param order: what every worker is told to begin with, but for its own part: see
        :class:`mailhub.processes.worker.Worker`.
    :param inherited: sockets to listen on, if somebody else has bound them.
    :ivar started: fires when all workers serve; fails with ``StartFailed``.
    """

    log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        inherited: Sequence[Bound],
        order: dict[str, Any],
    ) -> None:
        self._config = config
        self._reactor = reactor
        known = config.source, config.text
        self._order = {**order, "first": known, "now": known}
        self._is_stopping = False
        self.started: Deferred[None] = Deferred()
        self._inherited = inherited
        self._members: list[Member] = []
        self._heart = LoopingCall(self._beat)
        self._heart.clock = reactor

    # What administration asks.

    @property
    def workers(self) -> Mapping[str, int]:
        """All that there should be, and how often each was started anew."""
        return {str(member.slot): member.restarts for member in self._members}

    async def ask_all(
        self, question: str, **details: Any
    ) -> Mapping[str, dict[str, Any]]:
        """The answers, by worker; who says nothing in time is missing."""
        ready = [member for member in self._members if member.state is State.READY]
        asked = [self._ask(member, question, details) for member in ready]
        answers = await gatherResults(list(map(Deferred.fromCoroutine, asked)))
        return {
            str(member.slot): answer
            for member, answer in zip(ready, answers, strict=True)
            if answer is not None
        }

    async def ask_one(self, question: str, **details: Any) -> dict[str, Any]:
        """The answer of the first worker that has one.

        :raises Unanswered: with the reason; nobody is there.
        """
        for member in self._members:
            if member.state is State.READY:
                return await member.ask(question, details, LONG_PATIENCE)
        raise Unanswered("no worker is ready")

    @property
    def is_well(self) -> bool:
        """Whether every worker has answered lately."""
        now = self._reactor.seconds()
        return all(
            member.state is State.READY and now - member.last_answer < 2 * HEARTBEAT
            for member in self._members
        )

    def use(self, config: Config) -> None:
        """Start workers with *config* from now on; those that serve are told."""
        self._config = config
        self._order = {**self._order, "now": (config.source, config.text)}

    # The life of the service.

    def privilegedStartService(self) -> None:
        """Bind all addresses, which may need rights that are given up next.

        :raises ConfigError: some of them cannot be bound.
        """
        super().privilegedStartService()
        number = self._config.server.workers
        if self._inherited:
            rows = [[bound] for bound in self._inherited]
            sockets = deal(self._config, rows, number)
        else:
            sockets = bind_for_workers(self._config, number)
        counts = make_memory(
            number,
            len(PORTS),
            self._config.limits.connections,
            self._config.login.tracked,
        )
        self._members = [
            Member(self._reactor, slot, bound, counts, self._changed)
            for slot, bound in enumerate(sockets)
        ]

    def startService(self) -> None:
        """Start the workers; :attr:`started` tells how it went."""
        super().startService()
        for member in self._members:
            member.start()
        self._heart.start(HEARTBEAT, now=False)

    def stopService(self) -> Deferred[None]:
        """Accept nothing any more, and let all sessions finish what they do."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._is_stopping = True
        if self._heart.running:
            self._heart.stop()
        for member in self._members:
            if not self._inherited:
                forget_names(member.sockets)
            member.close()
        patience = self._config.limits.drain + PATIENCE
        await gatherResults([member.end(patience) for member in self._members])

    def end_at_once(self) -> None:
        """Kill all workers, whatever they do."""
        for member in self._members:
            member.kill()

    def _changed(self, member: Member) -> None:
        """The state of *member* is another."""
        if self._is_stopping:
            return
        match member.state:
            case State.WAITING:
                # The first makes what is missing: the store, the certificate.
                first = self._members[0]
                if member is first or first.state is State.READY:
                    member.begin(self._order)
            case State.READY:
                self._one_is_ready(member)
            case State.FAILED if not self.started.called:
                self.started.errback(member.failure)
            case State.DEAD | State.FAILED:
                self._replace(member)

    def _one_is_ready(self, member: Member) -> None:
        if member.order is not self._order:
            Deferred.fromCoroutine(self._catch_up(member))
        for other in self._members:
            if other.state is State.WAITING:
                other.begin(self._order)
        if self.started.called:
            self.log.info("worker {slot} is back", slot=member.slot)
            return
        if all(each.state is State.READY for each in self._members):
            first = self._members[0]
            endpoints = [(each.service, each.endpoint) for each in first.sockets]
            name = server_name(self._config)
            text = announcement(self._config, name, endpoints)
            self.log.info("{text}", text=Lines(text))
            self.started.callback(None)

    async def _catch_up(self, member: Member) -> None:
        """Tell of a configuration that came while it began with the one before."""
        path, text = self._order["now"]
        details = {"step": "prepare", "path": path, "text": text}
        answer = await self._ask(member, "reload", details)
        if answer is not None and not answer["faults"]:
            await self._ask(member, "reload", {"step": "use"})

    def _replace(self, member: Member) -> None:
        lived = self._reactor.seconds() - member.started_at
        if lived > LONGEST_PAUSE or member.pause == 0.0:
            member.pause = FIRST_PAUSE
            pause = 0.0
        else:
            pause = member.pause
            member.pause = min(2 * pause, LONGEST_PAUSE)
        self.log.error(
            "worker {slot} died ({reason}); another takes its place in {pause:g} s",
            slot=member.slot, reason=member.reason, pause=pause,
        )  # fmt: skip
        self._reactor.callLater(pause, self._start_again, member)

    def _start_again(self, member: Member) -> None:
        if not self._is_stopping:
            member.restarts += 1
            member.start()

    def _beat(self) -> None:
        for member in self._members:
            if member.state is not State.READY:
                continue
            if self._reactor.seconds() - member.last_answer > FROZEN:
                self.log.error("worker {slot} is frozen", slot=member.slot)
                member.kill()
            else:
                Deferred.fromCoroutine(self._ask(member, _HEARTBEAT_QUESTION, {}))

    async def _ask(
        self, member: Member, question: str, details: dict[str, Any]
    ) -> dict[str, Any] | None:
        try:
            return await member.ask(question, details, PATIENCE)
        except Unanswered as error:
            self.log.warn(
                "worker {slot} does not answer {question}: {error}",
                slot=member.slot, question=question, error=error,
            )  # fmt: skip
            return None
