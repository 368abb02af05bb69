"""The queue of a SQLite store: see :class:`SQLiteQueue`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from twisted.internet.task import deferLater
from zope.interface import implementer

from ...interfaces import IContent, IQueue
from ...mail.account import Delivery
from ...mail.queue_list import ALL, AgeRow, Alteration, Entry, Selection
from ...mail.queued import Backlog, Lease, Settlement
from . import queue_altering, queue_leasing, queue_listing, queue_turns
from .access import Access
from .change import QUEUE
from .delivering import Delivering, prepare
from .queue_content import queued_content
from .queue_settling import Settling


@implementer(IQueue)
class SQLiteQueue:
    """``IQueue``.

    :param access: gives the open store.
    """

    def __init__(self, access: Callable[[], Access]) -> None:
        self._access = access

    async def ready(self, now: float, limit: int) -> list[Backlog]:
        access, is_first = self._access(), True
        while True:
            with access.reading() as connection:
                is_due = queue_turns.has_due(connection, now)
                found = queue_leasing.ready(connection, limit)
            # Of what else is due, who watches hears at once.
            if not is_due or found and not is_first:
                return found
            is_first = False
            await access.change(partial(queue_turns.wake, now=now))

    async def lease(
        self, destination: str, limit: int, keeper: str, now: float, until: float
    ) -> list[Lease]:
        leasing = queue_leasing.Leasing(destination, limit, keeper, now, until)
        while True:
            leases, is_more = await self._access().change(leasing)
            if leases or not is_more:
                return leases

    async def renew(self, lease: Lease, until: float) -> Lease | None:
        return await self._access().change(
            lambda change: queue_leasing.renew(change, lease, until)
        )

    async def settle(
        self, lease: Lease, settlements: Sequence[Settlement],
        deliveries: Sequence[Delivery] = (),
    ) -> bool:
        if not deliveries:
            return await self._access().change(Settling(lease, settlements))
        made: list[Delivering] = []
        try:
            return await self._settle(lease, settlements, deliveries, made)
        finally:
            for each in made:
                each.body.close()

    async def _settle(
        self, lease: Lease, settlements: Sequence[Settlement],
        deliveries: Sequence[Delivery], made: list[Delivering],
    ) -> bool:
        """
        :param made: gets what is to be closed.
        """
        access = self._access()
        is_done = False
        try:
            for delivery in deliveries:
                made.append(await prepare(access.intake, _waiting(delivery)))

            def summarise() -> None:
                for each in made:
                    if each.targets:
                        each.body.summary()

            is_done = await access.change(
                Settling(lease, settlements, made), summarise
            )
        finally:
            if not is_done:
                access.discard([each.body for each in made])
        return is_done

    async def next_due(self, now: float) -> float | None:
        with self._access().reading() as connection:
            return queue_leasing.next_due(connection, now)

    async def free(self, keeper: str, begun: Collection[int] = ()) -> int:
        freed = after = 0
        while True:
            number, after = await self._access().change(
                partial(queue_leasing.free, keeper=keeper, begun=begun, after=after)
            )
            freed += number
            if not after:
                return freed

    async def hasten(self, latest: float, now: float) -> int:
        hastened, after = 0, (latest, sys.maxsize)
        while True:
            access = self._access()
            with access.reading() as connection:
                found, following = queue_leasing.too_late(connection, after)
            if found:
                hastened += await access.change(
                    partial(queue_leasing.hasten, recipient_ids=found, now=now)
                )
            if following is None:
                return hastened
            after = following
            await deferLater(access.reactor, 0)

    async def open(self, message_id: int) -> IContent:
        access = self._access()
        with access.reading() as connection:
            return queued_content(connection, access.files, message_id)

    async def entries(
        self, selection: Selection, limit: int, after: int = 0
    ) -> list[Entry]:
        found: list[Entry] = []
        async for messages in self._pieces(selection, after):
            with self._access().reading() as connection:
                found += queue_listing.entries(connection, messages, selection)
            if len(found) >= limit:
                break
        return found[:limit]

    async def alter(
        self, selection: Selection, alteration: Alteration, now: float
    ) -> int:
        altered = 0
        async for messages in self._pieces(selection):
            altered += await self._access().change(
                partial(
                    queue_altering.alter, message_ids=messages, selection=selection,
                    alteration=alteration, now=now,
                )
            )
        return altered

    async def ages(self, now: float, bounds: Sequence[float]) -> list[AgeRow]:
        ages = queue_listing.Ages(now, bounds)
        async for messages in self._pieces(ALL):
            with self._access().reading() as connection:
                ages.add(queue_listing.arrivals(connection, messages))
        return ages.rows()

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        return self._access().watchers.watch(QUEUE, callback)

    async def _pieces(
        self, selection: Selection, after: int = 0
    ) -> AsyncIterator[list[int]]:
        """Messages to look at, some at a time; others get their turn in between."""
        while True:
            access = self._access()
            with access.reading() as connection:
                messages = queue_listing.next_messages(connection, selection, after)
            if not messages:
                return
            yield messages
            after = messages[-1]
            await deferLater(access.reactor, 0)


def _waiting(delivery: Delivery) -> Delivery:
    """*delivery* without keepers: nobody is told of leases that begin with it."""
    return replace(
        delivery,
        sendings=tuple(replace(each, keeper=None) for each in delivery.sendings),
    )
