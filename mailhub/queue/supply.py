"""What is due: asked of the queue, a little for each destination in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from ..mail.queued import Backlog, Lease
from .lanes import Lanes
from .steady import QueueTime

#: Destinations that are looked at together.
MAX_READY = 500
#: Recipients that are asked for at a time to put them off: fewer while others send.
PUT_OFF, PUT_OFF_BESIDES = 200, 50
#: What is asked for beyond what can begin at once, so that nobody waits for a commit.
AHEAD = 2


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

    async def round(self) -> bool:
        """Ask for each destination in turn.  -> whether there may be more

        :raises mailhub.errors.LocalFault: the queue does not work now.
        """
        now = self._time.now()
        room = self._lanes.limits.waiting // 2 - self._lanes.slow
        if room <= 0:
            return True
        backlog = await self._queue.ready(now, MAX_READY)
        asks = self._asks(backlog, room, now)
        if not asks:
            return bool(backlog)
        answers = await gatherResults(
            [
                Deferred.fromCoroutine(self._ask(destination, limit, now))
                for destination, limit in asks
            ],
            consumeErrors=True,
        )
        return len(backlog) == MAX_READY or len(asks) < len(backlog) or any(answers)

    def _asks(
        self, backlog: Sequence[Backlog], room: int, now: float
    ) -> list[tuple[str, int]]:
        """How much for whom: first those who have waited longest for their turn."""
        lanes = [self._lanes.lane(each.destination) for each in backlog]
        lanes.sort(key=lambda lane: lane.turn)
        share = max(1, room // max(1, len(lanes)))
        self._round += 1
        asks = []
        idle = PUT_OFF_BESIDES if self._lanes.active else PUT_OFF
        for lane in lanes:
            if lane.is_quiet(now):
                if idle:
                    lane.turn = self._round
                    asks.append((lane.destination, idle))
                    idle = 0
                continue
            if lane.is_silent:
                # One probe, if none is under way.
                limit = 0 if lane.active or lane.waiting else 1
            else:
                limit = int(lane.width) * AHEAD - lane.active - lane.waiting
            limit = min(limit, share, room)
            if limit > 0:
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
