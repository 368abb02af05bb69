"""What is due: asked of the queue, a little for each destination in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from ..mail.queued import Backlog, Lease
from .lanes import Lanes
from .steady import QueueTime

#: Destinations that are looked at together: usually, and where nothing can be done for
#: most of them (attack: a mailing to a thousand servers that do not answer).
MAX_READY, FARTHEST = 500, 16_000
#: Recipients that are asked for at a time to put them off: fewer while others send.
PUT_OFF, PUT_OFF_BESIDES = 200, 50


class Supply:
    """Borrows what is due, as much as there is room for.

    :param queue: ``IQueue``.
    :param arrived: called with what a destination has been lent.
    """

    def __init__(
        self,
        queue: Any,
        lanes: Lanes,
        time: QueueTime,
        keeper: str,
        arrived: Callable[[str, Sequence[Lease]], None],
    ) -> None:
        self._queue = queue
        self._lanes = lanes
        self._time = time
        self._keeper = keeper
        self._arrived = arrived
        self._round = 0
        self._reach = MAX_READY

    async def round(self) -> bool:
        """Ask for each destination in turn.  -> whether there may be more

        :raises mailhub.errors.LocalFault: the queue does not work now.
        """
        now = self._time.now()
        room = self._lanes.limits.waiting // 2 - self._lanes.slow
        if room <= 0:
            return True
        backlog, asks, reach = await self._look(room, now)
        if not asks:
            return bool(backlog)
        answers = await gatherResults(
            [
                Deferred.fromCoroutine(self._ask(destination, limit, now))
                for destination, limit in asks
            ],
            consumeErrors=True,
        )
        return len(backlog) == reach or len(asks) < len(backlog) or any(answers)

    async def _look(
        self, room: int, now: float
    ) -> tuple[Sequence[Backlog], list[tuple[str, int]], int]:
        """-> destinations, how much to ask for whom, and how many they may be"""
        reach = max(MAX_READY, self._reach // 2)
        while True:
            backlog = await self._queue.ready(now, reach)
            asks = self._asks(backlog, room, now)
            is_all = len(backlog) < reach
            if is_all or reach >= FARTHEST or len(asks) >= MAX_READY // 2:
                self._reach = reach
                return backlog, asks, reach
            # Those for whom something can be done may all be behind them.
            reach *= 2

    def _asks(
        self, backlog: Sequence[Backlog], room: int, now: float
    ) -> list[tuple[str, int]]:
        """How much for whom: first those who have waited longest for their turn."""
        lanes = [self._lanes.lane(each.destination) for each in backlog]
        lanes.sort(key=lambda lane: lane.turn)
        share = max(1, room // max(1, len(lanes)))
        self._round += 1
        asks = []
        unproven = 0
        idle = PUT_OFF_BESIDES if self._lanes.active else PUT_OFF
        for lane in lanes:
            if lane.is_quiet(now):
                if idle:
                    lane.turn = self._round
                    asks.append((lane.destination, idle))
                    idle = 0
                continue
            limit = self._lanes.wanted(lane, now, unproven)
            # What is handed over, which may never end, keeps nobody here waiting.
            limit -= lane.waiting if lane.is_unproven else lane.slow
            limit = min(limit, share, room)
            if limit > 0:
                unproven += limit if lane.is_unproven else 0
                lane.turn = self._round
                room -= limit
                asks.append((lane.destination, limit))
        return asks

    async def _ask(self, destination: str, limit: int, now: float) -> bool:
        """-> whether there may be more"""
        until = now + self._lanes.limits.lease
        leases = await self._queue.lease(destination, limit, self._keeper, now, until)
        self._arrived(destination, leases)
        return sum(len(lease.recipients) for lease in leases) >= limit
