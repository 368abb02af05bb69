"""A queue in memory: see :class:`MemoryQueue`."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from heapq import heappop, heappush, nsmallest
from itertools import count
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..errors import NoSuchMessage
from ..interfaces import IContent, IQueue
from ..mail.account import Delivery
from ..mail.queue_list import ALL, AgeRow, Alteration, Entry, Selection
from ..mail.queued import (
    Backlog,
    Disposal,
    Lease,
    QueuedMessage,
    Sending,
    Settlement,
    Waiting,
)
from .callbacks import Callbacks
from .content import BytesContent
from .memory_line import HELD, LATER, LENT, READY, Kept, Line, Row
from .queueing import in_parts, origin_of

if TYPE_CHECKING:
    from .memory_arriving import Arriving


@implementer(IQueue)
class MemoryQueue:
    """``IQueue`` for as long as the process lives.

    Like all of the memory store it changes between two awaits, so that each method
    is one commit.

    :param prepare: coroutine function: reads what a delivery brings.
    """

    def __init__(
        self, prepare: Callable[[Delivery], Awaitable[Arriving]]
    ) -> None:
        self._prepare = prepare
        self._messages: dict[int, Kept] = {}
        self._rows: dict[int, Row] = {}
        self._lines: defaultdict[str, Line] = defaultdict(Line)
        self._wakes: list[tuple[float, int, int, Row]] = []
        self._numbers = count(1)
        self._watchers = Callbacks()

    # What comes in.

    def put(self, sending: Sending, data: bytes) -> list[Lease]:
        """Put a message into the queue.  -> what its keeper has a lease of"""
        ids = [next(self._numbers) for _ in sending.recipients]
        message = QueuedMessage(
            ids[0], sending.queue_id, sending.sender, sending.user,
            sending.parameters, len(data), sending.arrived, sending.expires,
        )
        kept = self._messages[ids[0]] = Kept(message, BytesContent(data))
        together: dict[str, list[Row]] = {}
        for number, outgoing in zip(ids, sending.recipients, strict=True):
            waiting = Waiting(
                number, outgoing.recipient, outgoing.destination, outgoing.notify,
                outgoing.original, sending.due, hold=sending.hold,
            )
            row = self._rows[number] = kept.rows[number] = Row(kept, waiting)
            together.setdefault(outgoing.destination, []).append(row)
        if sending.keeper is not None and not sending.hold:
            return [
                self._lend(part, sending.keeper, sending.kept_until)
                for rows in together.values()
                for part in in_parts(rows)
            ]
        for row in kept.rows.values():
            self._queue(row, now=sending.arrived)
        self._watchers.call()
        return []

    def _queue(self, row: Row, now: float) -> None:
        """Let a recipient wait for its time, or for a person, or be ready."""
        waiting = row.waiting
        if waiting.hold:
            row.enter(HELD)
        elif waiting.due > now:
            row.enter(LATER, waiting.due)
            self._wake_at(row)
        else:
            row.enter(READY)
            message = row.kept.message
            origin = origin_of(message.user, message.sender)
            self._lines[waiting.destination].add(row, origin)

    def _wake_at(self, row: Row) -> None:
        heappush(self._wakes, (row.wake, row.waiting.recipient_id, row.stamp, row))

    def _wake(self, now: float) -> None:
        """Let those be ready whose time has come, or whose lease has ended."""
        while self._wakes and self._wakes[0][0] <= now:
            _, _, stamp, row = heappop(self._wakes)
            if row.stamp == stamp:
                self._queue(row, now=max(now, row.waiting.due))

    # What goes out.

    async def ready(self, now: float, limit: int) -> list[Backlog]:
        self._wake(now)
        found = []
        for destination, line in list(self._lines.items()):
            since = line.since()
            if since is None:
                del self._lines[destination]
            else:
                found.append((since, destination))
        longest = nsmallest(limit, found)
        return [Backlog(destination, since) for since, destination in longest]

    async def lease(
        self, destination: str, limit: int, keeper: str, now: float, until: float
    ) -> list[Lease]:
        self._wake(now)
        chosen: dict[int, list[Row]] = {}
        left = limit
        leaving = self._lines[destination].leave()
        while left > 0 and (row := next(leaving, None)) is not None:
            mates = [
                other
                for other in row.kept.rows.values()
                if other.state == READY and other.waiting.destination == destination
            ]
            # The one whose turn it is comes in any case.
            mates.remove(row)
            own = [row, *mates[: left - 1]]
            own.sort(key=lambda each: each.waiting.recipient_id)
            chosen[row.kept.message.message_id] = own
            left -= len(own)
            for each in own:
                each.enter(LENT)
        return [
            self._lend(part, keeper, until)
            for own in chosen.values()
            for part in in_parts(own)
        ]

    def _lend(self, rows: Sequence[Row], keeper: str, until: float) -> Lease:
        token = next(self._numbers)
        for row in rows:
            row.enter(LENT, until)
            row.token, row.keeper = token, keeper
            self._wake_at(row)
        first = rows[0]
        return Lease(
            first.kept.message, first.waiting.destination,
            tuple(row.waiting for row in rows), token, until,
        )

    async def renew(self, lease: Lease, until: float) -> Lease | None:
        numbers = [each.recipient_id for each in lease.recipients]
        rows = [self._rows[number] for number in numbers if number in self._rows]
        # Some may have been settled.
        own = [row for row in rows if row.token == lease.token]
        if not own:
            return None
        for row in own:
            row.wake = until
            row.stamp += 1
            self._wake_at(row)
        return replace(lease, until=until)

    async def settle(
        self, lease: Lease, settlements: Sequence[Settlement],
        deliveries: Sequence[Delivery] = (),
    ) -> bool:
        prepared = [
            await self._prepare(
                replace(
                    delivery,
                    sendings=tuple(
                        replace(each, keeper=None) for each in delivery.sendings
                    ),
                )
            )
            for delivery in deliveries
        ]
        own = self._own(lease, [each.recipient_id for each in settlements])
        if not own:
            return False
        for delivery in prepared:
            delivery.check()
        numbers = {row.waiting.recipient_id for row in own}
        for each in settlements:
            if each.recipient_id in numbers:
                self._end(self._rows[each.recipient_id], each)
        for delivery in prepared:
            delivery.make()
        return True

    def _own(self, lease: Lease, numbers: Sequence[int]) -> list[Row]:
        """Rows of a lease that is still valid; without those that were removed."""
        rows = [self._rows[number] for number in numbers if number in self._rows]
        if any(row.token != lease.token for row in rows):
            return []
        return rows

    def _end(self, row: Row, end: Settlement) -> None:
        if end.disposal is Disposal.GONE:
            self._remove(row)
            return
        hold = end.hold if end.disposal is Disposal.HELD else row.waiting.hold
        later = end.disposal is Disposal.LATER
        row.waiting = replace(
            row.waiting,
            due=end.due if later else row.waiting.due,
            attempts=row.waiting.attempts + end.attempted,
            warned=row.waiting.warned or end.warned,
            status=end.status, reply=end.reply, hold=hold, faults=end.faults,
        )
        # Even what is due at once has to be asked for anew.
        self._queue(row, now=float("-inf"))

    def _remove(self, row: Row) -> None:
        kept, number = row.kept, row.waiting.recipient_id
        row.stamp += 1
        del self._rows[number]
        del kept.rows[number]
        if not kept.rows:
            del self._messages[kept.message.message_id]

    async def free(self, keeper: str, begun: Collection[int] = ()) -> int:
        own = [
            row
            for row in self._rows.values()
            if row.state == LENT and row.keeper == keeper
        ]
        for row in own:
            if row.token in begun:
                row.waiting = replace(row.waiting, faults=row.waiting.faults + 1)
            self._queue(row, now=float("inf"))
        if own:
            self._watchers.call()
        return len(own)

    async def hasten(self, latest: float, now: float) -> int:
        rows = [
            row
            for row in self._rows.values()
            if row.state == LATER
            and row.wake > latest
            and (row.kept.message.parameters.hold_until or 0.0) < row.wake
        ]
        for row in rows:
            row.waiting = replace(row.waiting, due=now)
            self._queue(row, now)
        if rows:
            self._watchers.call()
        return len(rows)

    async def next_due(self, now: float) -> float | None:
        wakes = self._wakes
        while wakes and wakes[0][3].stamp != wakes[0][2]:
            heappop(wakes)
        if wakes and wakes[0][0] > now:
            return wakes[0][0]
        return min(
            (
                wake
                for wake, _, stamp, row in wakes
                if row.stamp == stamp and wake > now
            ),
            default=None,
        )

    async def open(self, message_id: int) -> IContent:
        kept = self._messages.get(message_id)
        if kept is None:
            raise NoSuchMessage(f"message {message_id} is not in the queue")
        return kept.content

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        return self._watchers.add(callback)

    # What people ask for.

    async def entries(
        self, selection: Selection, limit: int, after: int = 0
    ) -> list[Entry]:
        found: list[Entry] = []
        for kept, rows in self._selected(selection, after):
            if len(found) >= limit:
                break
            lent = [row.waiting.recipient_id for row in rows if row.state == LENT]
            recipients = tuple(row.waiting for row in rows)
            found.append(Entry(kept.message, recipients, frozenset(lent)))
        return found

    def _selected(
        self, selection: Selection, after: int = 0
    ) -> Iterator[tuple[Kept, list[Row]]]:
        for number, kept in list(self._messages.items()):
            message = kept.message
            if (
                number > after
                and selection.sender in (None, message.sender)
                and (
                    not selection.queue_ids or message.queue_id in selection.queue_ids
                )
            ):
                rows = [row for row in kept.rows.values() if _is_in(selection, row)]
                if rows:
                    yield kept, rows

    async def alter(
        self, selection: Selection, alteration: Alteration, now: float
    ) -> int:
        altered = 0
        for kept, rows in self._selected(selection):
            altered += len(rows)
            if alteration.delete:
                for row in rows:
                    self._remove(row)
                continue
            for row in rows:
                _alter(row, alteration, now)
            before, kept.message = kept.message, _altered(kept.message, alteration)
            every = kept.rows.values() if kept.message != before else rows
            for row in every:
                if row.state != LENT:
                    self._queue(row, now)
        if altered and not alteration.delete:
            self._watchers.call()
        return altered

    async def ages(self, now: float, bounds: Sequence[float]) -> list[AgeRow]:
        counts: dict[str, list[int]] = {}
        for kept, rows in self._selected(ALL):
            for row in rows:
                line = counts.setdefault(
                    row.waiting.destination, [0] * (len(bounds) + 1)
                )
                line[bisect_left(bounds, now - kept.message.arrived)] += 1
        return [AgeRow(name, tuple(counts[name])) for name in sorted(counts)]


def _is_in(selection: Selection, row: Row) -> bool:
    waiting = row.waiting
    return (
        selection.recipient in (None, waiting.recipient)
        and selection.destination in (None, waiting.destination)
        and selection.held in (None, bool(waiting.hold))
        and selection.deferred in (None, waiting.attempts > 0)
    )


def _alter(row: Row, alteration: Alteration, now: float) -> None:
    waiting = row.waiting
    if alteration.retry and row.state != LENT:
        waiting = replace(waiting, due=now, attempts=0, status="", reply="")
    row.waiting = replace(
        waiting,
        destination=_other(alteration.destination, waiting.destination),
        recipient=_other(alteration.recipient, waiting.recipient),
        hold=_other(alteration.hold, waiting.hold),
        faults=0 if alteration.hold == "" else waiting.faults,
    )


def _other(new: str | None, old: str) -> str:
    return old if new is None else new


def _altered(message: QueuedMessage, alteration: Alteration) -> QueuedMessage:
    parameters = message.parameters
    if alteration.priority is not None:
        parameters = replace(parameters, priority=alteration.priority)
    expires = message.expires if alteration.expires is None else alteration.expires
    return replace(
        message, sender=_other(alteration.sender, message.sender),
        parameters=parameters, expires=expires,
    )
