"""Both queues do the same, whatever is done to them, and in whatever order."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import TestCase

from mailhub.mail.account import Delivery
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL, Alteration, Selection
from mailhub.mail.queued import Disposal, Lease, Settlement
from mailhub.store.content import BytesContent
from mailhub.store.memory import MemoryStore
from mailhub.store.sqlite import queue_turns
from mailhub.store.sqlite.store import SQLiteStore
from mailhub.store.sqlite.verify.checking import Wish, verify

from ..contracts.fixture import SENT_AT, message
from ..contracts.queueing import NOW, sending
from .sqlite_fixture import make_store

#: Sequences of operations, and how long each is.
_SEQUENCES, _OPERATIONS = 12, 60
_DESTINATIONS = ("one.example", "two.example", "three.example")
_SENDERS = ("s@example.org", "t@example.org", "")
#: More than there ever is: all that is due is lent, so that there is one right answer.
_ALL = 10_000


class Pair:
    """A queue in memory and one in a database, and what is done to both.

    :ivar leases: what was lent, by both.
    """

    def __init__(
        self, test: TestCase, stores: tuple[MemoryStore, SQLiteStore], random: Random
    ) -> None:
        self._test = test
        self._stores = stores
        self._random = random
        self._number = 0
        self.now = NOW
        self.leases: list[tuple[Lease, Lease]] = []

    async def _both(self, work: Any) -> tuple[Any, Any]:
        one, two = [await work(store) for store in self._stores]
        return one, two

    def _lent(self, pair: tuple[list[Lease], list[Lease]]) -> None:
        one, two = [sorted(leases, key=_key) for leases in pair]
        self._test.assertEqual([_key(each) for each in one], [_key(x) for x in two])
        self.leases += zip(one, two, strict=True)

    async def put(self) -> None:
        """Mail arrives."""
        random = self._random
        self._number += 1
        addresses = [
            f"r{number}@{random.choice(_DESTINATIONS)}"
            for number in range(random.choice((1, 1, 1, 2, 5, 120)))
        ]
        put = sending(
            f"N{self._number}", *addresses, sender=random.choice(_SENDERS),
            parameters=MailParameters(priority=random.choice((0, 0, 3))),
            arrived=self.now, due=self.now + random.choice((0, 0, 0, 30)),
            keeper=random.choice((None, None, "k", "l")), kept_until=self.now + 50,
            hold=random.choice(("", "", "", "look")),
        )
        data = message(f"{random.randrange(5)}")
        self._lent(
            await self._both(
                lambda store: store.deliver(
                    Delivery(BytesContent(data), b"", (), SENT_AT, (put,))
                )
            )
        )

    async def lease(self) -> None:
        """Somebody asks for all that is due."""
        destination, until = self._random.choice(_DESTINATIONS), self.now + 40
        keeper = self._random.choice("kl")
        self._lent(
            await self._both(
                lambda store: store.queue.lease(
                    destination, _ALL, keeper, self.now, until
                )
            )
        )

    async def settle(self) -> None:
        """An attempt ends, or one that has ended before does."""
        if not self.leases:
            return
        random = self._random
        place = random.randrange(len(self.leases))
        pair = self.leases[place] if random.random() < 0.2 else self.leases.pop(place)
        seed = random.random()
        outcomes = [
            await store.queue.settle(lease, _ends(lease, Random(seed), self.now))
            for store, lease in zip(self._stores, pair, strict=True)
        ]
        self._test.assertEqual(*outcomes)

    async def renew(self) -> None:
        """An attempt takes long."""
        if self.leases:
            pair = self._random.choice(self.leases)
            renewed = [
                await store.queue.renew(lease, self.now + 60)
                for store, lease in zip(self._stores, pair, strict=True)
            ]
            self._test.assertEqual(*[each is None for each in renewed])

    async def free(self) -> None:
        """A keeper has died."""
        begun = [pair for pair in self.leases if self._random.random() < 0.5]
        freed = [
            await store.queue.free("k", {pair[number].token for pair in begun})
            for number, store in enumerate(self._stores)
        ]
        self._test.assertEqual(*freed)

    async def alter(self) -> None:
        """A person does something."""
        random = self._random
        selection = random.choice((
            ALL, Selection(sender=""), Selection(destination="one.example"),
            Selection(held=True), Selection(deferred=True),
            Selection(queue_ids=(f"N{random.randrange(1, self._number + 2)}",)),
        ))
        alteration = random.choice((
            Alteration(hold="x"), Alteration(hold=""), Alteration(retry=True),
            Alteration(retry=True, hold=""), Alteration(destination="two.example"),
            Alteration(priority=5, expires=NOW), Alteration(sender="u@example.org"),
            Alteration(delete=selection != ALL),
        ))
        one, two = await self._both(
            lambda store: store.queue.alter(selection, alteration, self.now)
        )
        self._test.assertEqual(one, two)

    async def wait(self) -> None:
        """Time passes."""
        self.now += self._random.choice((1, 10, 45, 100))

    async def compare(self) -> None:
        """Everything that can be asked is answered in the same way."""
        for ask in (
            lambda store: store.queue.ready(self.now, _ALL),
            lambda store: store.queue.next_due(self.now),
            lambda store: store.queue.ages(self.now, [30.0, 60.0]),
            lambda store: store.queue.entries(ALL, _ALL),
        ):
            one, two = await self._both(ask)
            self._test.assertEqual(_comparable(one), _comparable(two))


def _comparable(answer: Any) -> Any:
    """An answer without numbers, which are each store's own."""
    if not isinstance(answer, list):
        return answer
    return sorted(
        str(each) if not hasattr(each, "message") else str(_entry(each))
        for each in answer
    )


def _entry(entry: Any) -> Any:
    about = entry.message
    recipients = [
        (_waiting(each), each.recipient_id in entry.lent) for each in entry.recipients
    ]
    return about.queue_id, about.sender, about.parameters, about.expires, recipients


def _waiting(each: Any) -> Any:
    return (
        each.recipient, each.destination, each.due, each.attempts, each.warned,
        each.status, each.hold, each.faults,
    )


def _key(lease: Lease) -> Any:
    recipients = sorted(_waiting(each) for each in lease.recipients)
    return lease.message.queue_id, lease.destination, lease.until, recipients


def _ends(lease: Lease, random: Random, now: float) -> list[Settlement]:
    """How an attempt ends for some of its recipients, or for all."""
    recipients = sorted(lease.recipients, key=lambda each: each.recipient_id)
    return [
        Settlement(
            each.recipient_id, random.choice(list(Disposal)), due=now + 20,
            status="4.4.1", hold="poison", warned=random.random() < 0.3,
            faults=random.randrange(3),
        )
        for each in recipients[: random.choice((1, _ALL))]
    ]


class AlikeTests(TestCase):
    """A model of the database's queue is the one in memory."""

    timeout = 120

    async def test_both_queues_answer_alike(self):
        # What becomes due in large numbers is told of one slice after the other.
        self.patch(queue_turns, "SLICE", _ALL)
        for seed in range(_SEQUENCES):
            random, path = Random(seed), self.mktemp()
            memory, sqlite = MemoryStore(), make_store(path)
            await sqlite.start()
            self.addCleanup(sqlite.stop)
            pair = Pair(self, (memory, sqlite), random)
            choices = (
                [pair.put] * 5 + [pair.lease] * 3 + [pair.settle] * 5 + [pair.wait] * 2
                + [pair.renew, pair.free, pair.alter, pair.alter]
            )
            for _ in range(_OPERATIONS):
                await random.choice(choices)()
                await pair.compare()
            await sqlite.stop()
            self.assertEqual([str(x) for x in verify(path, Wish()).listed], [], seed)
