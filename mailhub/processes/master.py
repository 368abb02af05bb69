"""The master: holds the sockets, keeps the workers alive, serves no mail itself.

Each worker has a socket of its own for every address, among which the system deals
connections.  The master keeps all of them open: when a worker dies, connections that
were not accepted yet wait in its queue, and the worker that takes its place serves
them.  When workers become more or fewer, no socket goes: somebody else listens on it,
too, before who did so ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..config.changes import most_workers
from ..config.listening import Bound, bind_rows, deal, forget_names
from ..config.naming import server_name
from ..config.settings import PORTS, Config
from ..config.text import announcement
from ..logbook import Lines
from ..net.shared_counts import SharedCounts, make_memory
from .asking import Unanswered
from .member import Member, State
from .place import Place

#: Seconds between two questions whether a worker is alive.
HEARTBEAT = 5.0
#: Questions without an answer after which a worker is not well; after which one that
#: serves is taken for frozen, and killed; and one that does not even begin.
LATE, FROZEN, STUCK = 2, 6, 24
#: Seconds that a worker has for an answer; and for work that waits for the disk.
PATIENCE, LONG_PATIENCE = 5.0, 60.0

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
        # By address, the sockets that are bound to it; then who listens on them.
        self._rows: list[list[Bound]] = []
        self._places: list[Place] = []
        self._leaving: list[Member] = []
        self._counts = -1
        self._free_rows: list[int] = []
        self._turn = DeferredLock()
        self._heart = LoopingCall(self._beat)
        self._heart.clock = reactor

    # What administration asks.

    @property
    def workers(self) -> Mapping[str, int]:
        """All that there should be, and how often each was started anew."""
        return {str(place.slot): place.restarts for place in self._places}

    async def ask_all(
        self, question: str, **details: Any
    ) -> Mapping[str, dict[str, Any]]:
        """The answers, by worker; who says nothing in time is missing."""
        ready = [place.now for place in self._places if place.is_served]
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
        for place in self._places:
            if place.is_served:
                return await place.now.ask(question, details, LONG_PATIENCE)
        raise Unanswered("no worker is ready")

    @property
    def is_well(self) -> bool:
        """Whether somebody serves, and all who do have answered lately.

        Who has died is replaced; that the others go on is worth more than a fresh
        start for all.
        """
        serving = [place.now for place in self._places if place.is_served]
        return bool(serving) and all(member.silence < LATE for member in serving)

    def use(self, config: Config) -> None:
        """Start workers with *config* from now on; those that serve are told.

        If it wants another number of them, some come or go.
        """
        self._config = config
        self._order = {**self._order, "now": (config.source, config.text)}
        if self.started.called and not self._is_stopping:
            changing = self._turn.run(Deferred.fromCoroutine, self._rearrange())
            changing.addErrback(lambda failure: self.log.failure("no change", failure))

    def restart(self) -> Deferred[None]:
        """Replace the workers, one after the other, while all sockets are served.

        -> fires when the last one has a successor
        """
        return self._turn.run(Deferred.fromCoroutine, self._renew_all())

    # The life of the service.

    def privilegedStartService(self) -> None:
        """Bind all addresses, which may need rights that are given up next.

        :raises ConfigError: some of them cannot be bound.
        """
        super().privilegedStartService()
        number = self._config.server.workers
        if self._inherited:
            self._rows = [[bound] for bound in self._inherited]
        else:
            self._rows = bind_rows(self._config, number)
        # While one takes over from another, and that one leaves, all of them count.
        rows = most_workers(self._config) + 2
        self._free_rows = list(range(rows))
        self._counts = make_memory(
            rows,
            len(PORTS),
            self._config.limits.connections,
            self._config.login.tracked,
        )
        self._places = [
            Place(slot, sockets, self._hire)
            for slot, sockets in enumerate(deal(self._config, self._rows, number))
        ]

    def startService(self) -> None:
        """Start the workers; :attr:`started` tells how it went."""
        super().startService()
        for place in self._places:
            place.now.start()
        self._heart.start(HEARTBEAT, now=False)

    def stopService(self) -> Deferred[None]:
        """Accept nothing any more, and let all sessions finish what they do."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._is_stopping = True
        if self._heart.running:
            self._heart.stop()
        bound = [bound for row in self._rows for bound in row]
        if not self._inherited:
            forget_names(bound)
        for each in bound:
            each.socket.close()
        await gatherResults([self._end(member) for member in self._members()])

    def end_at_once(self) -> None:
        """Kill all workers, whatever they do."""
        for member in self._members():
            member.kill()

    # Workers come and go.

    def _members(self) -> list[Member]:
        """All whose processes may be there."""
        present = [member for place in self._places for member in place.members()]
        return [*present, *self._leaving]

    def _hire(self, slot: int, sockets: Sequence[Bound]) -> Member:
        row = self._free_rows.pop(0)
        return Member(self._reactor, slot, row, sockets, self._counts, self._changed)

    def _end(self, member: Member) -> Deferred[None]:
        return member.end(self._config.limits.drain + PATIENCE)

    def _changed(self, member: Member) -> None:
        """The state of *member* is another."""
        if not member.is_alive:
            # What it has counted as open is not.
            SharedCounts(self._counts, member.row).close()
            self._free_rows.append(member.row)
        if self._is_stopping:
            return
        if member in self._leaving:
            if not member.is_alive:
                self._leaving.remove(member)
            return
        match member.state:
            case State.WAITING:
                # The first makes what is missing: the store, the certificate.
                first = self._places[0]
                if self.started.called or member is first.now or first.is_served:
                    member.begin(self._order)
            case State.READY:
                self._one_is_ready(member)
            case State.FAILED if not self.started.called:
                self.started.errback(member.failure)
            case State.DEAD | State.FAILED:
                self._one_is_gone(member)

    def _one_is_ready(self, member: Member) -> None:
        if member.order is not self._order:
            Deferred.fromCoroutine(self._catch_up(member))
        if self.started.called:
            self._take_over(member)
            return
        for place in self._places:
            if place.now.state is State.WAITING:
                place.now.begin(self._order)
        if all(place.is_served for place in self._places):
            self._announce()
            self.started.callback(None)

    def _announce(self) -> None:
        endpoints = [(row[0].service, row[0].endpoint) for row in self._rows]
        name = server_name(self._config)
        text = announcement(self._config, name, endpoints)
        self.log.info("{text}", text=Lines(text))

    def _take_over(self, member: Member) -> None:
        place = self._places[member.slot]
        if member is not place.next:
            self.log.info("worker {slot} is back", slot=member.slot)
            return
        before = place.hand_over()
        self.log.info("worker {slot} takes over", slot=member.slot)
        if before.is_alive:
            self._dismiss(before)

    def _dismiss(self, member: Member) -> None:
        """Let it finish what it does, and end."""
        self._leaving.append(member)
        self._end(member)

    async def _catch_up(self, member: Member) -> None:
        """Tell of a configuration that came while it began with the one before."""
        path, text = self._order["now"]
        details = {"step": "prepare", "path": path, "text": text}
        answer = await self._ask(member, "reload", details)
        if answer is not None and not answer["faults"]:
            await self._ask(member, "reload", {"step": "use"})

    def _one_is_gone(self, member: Member) -> None:
        place = self._places[member.slot]
        if member is place.next:
            place.next = None
            self.log.error(
                "no successor for worker {slot}: {reason}",
                slot=member.slot, reason=member.reason,
            )  # fmt: skip
            return
        if place.next is not None:
            place.hand_over()
            return
        pause = place.pause(self._reactor.seconds() - member.started_at)
        self.log.error(
            "worker {slot} died ({reason}); another takes its place in {pause:g} s",
            slot=member.slot, reason=member.reason, pause=pause,
        )  # fmt: skip
        self._reactor.callLater(pause, self._fill, place)

    def _fill(self, place: Place) -> None:
        if not self._is_stopping and place in self._places:
            place.fill()

    async def _rearrange(self) -> None:
        """Have as many workers as the configuration wants, and all sockets served."""
        number = self._config.server.workers
        hands = deal(self._config, self._rows, number)
        for slot, sockets in enumerate(hands):
            if slot == len(self._places):
                await self._open(Place(slot, sockets, self._hire))
            elif self._places[slot].now.sockets != sockets:
                self._places[slot].sockets = sockets
                await self._renew(self._places[slot])
        remaining = self._places[:number]
        have = [place.now.sockets for place in remaining if place.is_served]
        if len(self._places) > number and have != hands:
            self.log.error("no worker ends, as others do not serve in its place")
            return
        for place in self._places[number:]:
            self._dismiss(place.now)
            self.log.info("worker {slot} ends", slot=place.slot)
        self._places = remaining

    async def _renew_all(self) -> None:
        for place in self._places:
            await self._renew(place)

    async def _open(self, place: Place) -> None:
        self._places.append(place)
        place.now.start()
        await place.now.settled()

    async def _renew(self, place: Place) -> None:
        await place.now.settled()
        while not self._is_stopping and self._is_crowded():
            await self._end(self._leaving[0])
        if not self._is_stopping and place.is_served:
            await place.follow().settled()

    def _is_crowded(self) -> bool:
        """Whether there is room for no more than those that replace the dead."""
        dead = sum(not place.now.is_alive for place in self._places)
        return len(self._free_rows) <= dead

    # Who lives?

    def _beat(self) -> None:
        for member in self._members():
            if member.state is State.BEGINNING or not member.is_alive:
                # Bringing a store up to date takes as long as it takes.
                continue
            member.silence += 1
            limit = STUCK if member.state is State.STARTING else FROZEN
            if member in self._leaving or member.silence <= limit:
                Deferred.fromCoroutine(self._ask(member, _HEARTBEAT_QUESTION, {}))
            else:
                self.log.error("worker {slot} is frozen", slot=member.slot)
                member.kill()

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
