"""The life of a queue, to be recorded::

    python -m tests.faults.queue_life FOLDER STORY FIRST LAST [PRECAUTION]

Messages FIRST to LAST go through the queue of the store in FOLDER, several at a time:
each is accepted, tried with success for one of its recipients, and then tried again
and given up, of which its sender is told.  What is begun and what was answered for is
written to STORY, a line each: ``begin`` or ``end``, the message and the step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Sequence
from hashlib import sha256
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.task import react

from mailhub.errors import MailError
from mailhub.mail.account import Delivery
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL
from mailhub.mail.queued import Disposal, Lease, Outgoing, Sending, Settlement
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.sqlite.store import SQLiteStore

from .broken import PRECAUTIONS
from .ledger import LARGE_EVERY, MARK, make_message

NOW = 1_795_225_600.0
#: Steps of a message.
ACCEPTED, TRIED, GIVEN_UP = 1, 2, 3
#: Messages that are on their way at the same time.
_TOGETHER = 8
#: What notifications are numbered from: as large or small as their messages.
_NOTICES = 1000 * LARGE_EVERY

#: What waits for a message: names, recipients and attempts.
State = frozenset[tuple[str, str, int]]


def state_after(number: int, step: int) -> State:
    """What waits of a message after a step; 0 is before the first."""
    name, destination = f"Q{number}", f"d{number}.example"
    return {
        0: frozenset[tuple[str, str, int]](),
        ACCEPTED: frozenset(
            {(name, f"a@{destination}", 0), (name, f"b@{destination}", 0)}
        ),
        TRIED: frozenset({(name, f"b@{destination}", 1)}),
        GIVEN_UP: frozenset({(f"D{number}", "s@sender.example", 0)}),
    }[step]


async def states_of(folder: str, reactor: Any) -> tuple[dict[int, State], list[str]]:
    """What waits in the store in *folder*, by message; and what is wrong with it."""
    store = SQLiteStore(folder, reactor=reactor, spool=Spool)
    found: dict[int, set[tuple[str, str, int]]] = {}
    damage = []
    try:
        await store.start()
        for entry in await store.queue.entries(ALL, 10_000):
            name = entry.message.queue_id
            number = int(name[1:])
            found.setdefault(number, set()).update(
                (name, each.recipient, each.attempts) for each in entry.recipients
            )
            content = await store.queue.open(entry.message.message_id)
            data = await octets_of(content)
            content.close()
            wanted = make_message(number + _NOTICES * (name[0] == "D"))
            if sha256(data[data.find(MARK) :]).digest() != sha256(wanted).digest():
                damage.append(f"{name} has other octets")
    except MailError as error:
        damage.append(f"the queue cannot be read: {error}")
    finally:
        await store.stop()
    return {number: frozenset(rows) for number, rows in found.items()}, damage


class Life:
    """Lets messages go through a store's queue."""

    def __init__(self, store: SQLiteStore, story: int) -> None:
        self._store = store
        self._story = story

    async def pass_through(self, number: int) -> None:
        """All steps of a message; a third of them ends earlier."""
        leases = await self._step(number, ACCEPTED, self._accept(number))
        if number % 3 == ACCEPTED:
            return
        lease = await self._lease(number, NOW) if not leases else leases[0]
        first, second = [each.recipient_id for each in lease.recipients]
        ends = [
            Settlement(first, Disposal.GONE),
            Settlement(second, Disposal.LATER, NOW + 60, "4.4.1", "no answer"),
        ]
        await self._step(number, TRIED, self._store.queue.settle(lease, ends))
        if number % 3 == TRIED:
            return
        lease = await self._lease(number, NOW + 60)
        notice = self._delivery(number + _NOTICES, f"D{number}", "s@sender.example")
        ends = [Settlement(second, Disposal.GONE)]
        work = self._store.queue.settle(lease, ends, [notice])
        await self._step(number, GIVEN_UP, work)

    async def _step(self, number: int, step: int, work: Awaitable[Any]) -> Any:
        os.write(self._story, b"begin %d %d\n" % (number, step))
        result = await work
        if result is False:
            raise AssertionError("the lease was not the caller's")
        os.write(self._story, b"end %d %d\n" % (number, step))
        return result

    async def _lease(self, number: int, now: float) -> Lease:
        # As with any change, its commit may be others' as well.
        [lease] = await self._store.queue.lease(
            f"d{number}.example", 9, "k", now, now + 600
        )
        return lease

    async def _accept(self, number: int) -> list[Lease]:
        destination = f"d{number}.example"
        addresses = f"a@{destination}", f"b@{destination}"
        keeper = "k" if number % 2 else None
        return await self._store.deliver(
            self._delivery(number, f"Q{number}", *addresses, keeper=keeper)
        )

    def _delivery(
        self, number: int, name: str, *addresses: str, keeper: str | None = None
    ) -> Delivery:
        outgoing = [Outgoing(each, each.partition("@")[2]) for each in addresses]
        sending = Sending(
            name, "s@sender.example", None, MailParameters(), tuple(outgoing), NOW,
            NOW, NOW + 1e6, keeper=keeper, kept_until=NOW + 600,
        )
        content = BytesContent(make_message(number))
        return Delivery(content, b"X: y\r\n", (), int(NOW), (sending,))


async def _main(reactor: Any, folder: str, story: str, first: int, last: int) -> None:
    store = SQLiteStore(folder, reactor=reactor, spool=Spool)
    await store.start()
    life = Life(store, os.open(story, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    for start in range(first, last, _TOGETHER):
        numbers = range(start, min(start + _TOGETHER, last))
        works = [ensureDeferred(life.pass_through(number)) for number in numbers]
        await gatherResults(works, consumeErrors=True)
    if first:
        os._exit(0)
    await store.stop()


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    folder, story, first, last, *without = arguments
    for name in without:
        PRECAUTIONS[name]()
    react(_main, [folder, story, int(first), int(last)])


if __name__ == "__main__":
    main(sys.argv[1:])
