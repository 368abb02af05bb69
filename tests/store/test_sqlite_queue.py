"""Tests for :mod:`mailhub.store.sqlite.queue`: the contract, and what is its own."""

from __future__ import annotations

import sqlite3

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import LocalFault, NoSuchMessage
from mailhub.mail.account import Delivery, Target
from mailhub.mail.envelope import DeliverBy, MailParameters
from mailhub.mail.queue_list import ALL, Alteration, Selection
from mailhub.mail.queued import Disposal, Settlement
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.feed import Announcer
from mailhub.store.sqlite import queue_leasing, queue_turns, schema
from mailhub.store.sqlite.delivering import Delivering
from mailhub.store.sqlite.queue_rows import pack_parameters, unpack_parameters
from mailhub.store.sqlite.queue_settling import Settling
from mailhub.store.sqlite.verify.checking import Wish, verify

from ..contracts.fixture import SENT_AT, fails, message
from ..contracts.queue import QueueContract
from ..contracts.queue_people import AlterContract, ListContract
from ..contracts.queueing import (
    DAY,
    ME,
    NET,
    NOW,
    QueueFixture,
    gone,
    later,
    names,
    sending,
)
from .sqlite_fixture import SQLiteFixture, blob_files, count

LARGE = message("large", "x" * 100_000)


class SQLiteQueueTests(QueueContract, SQLiteFixture, TestCase):
    """The contract of all queues."""


class SQLiteListTests(ListContract, SQLiteFixture, TestCase):
    """What people see."""


class SQLiteAlterTests(AlterContract, SQLiteFixture, TestCase):
    """What people do."""


class KeptTests(QueueFixture, SQLiteFixture, TestCase):
    """What is in the tables, and what is left there."""

    async def tearDown(self):
        await self.store.stop()
        self.assertEqual([str(each) for each in verify(self.path, Wish()).listed], [])

    async def test_nothing_stays_of_what_has_left(self):
        await self.put(sending("A", f"a@{NET}", f"b@{NET}"), sending("B"))
        await self.put(sending("C"), sending("D"), data=message("twice"))
        for lent in await self.lease():
            await self.queue.settle(lent, gone(lent))
        for table in (
            "queue_message", "queue_recipient", "queue_destination", "blob",
            "shared_blob", "item", "header",
        ):
            self.assertEqual(count(self.path, table), 0, table)

    async def test_what_only_the_queue_has_is_not_summarised(self):
        await self.put(sending("A"))
        await self.put(sending("B"), data=LARGE)
        self.assertEqual(count(self.path, "item"), 0)
        self.assertEqual(count(self.path, "blob"), 2)

    async def test_content_is_kept_once_for_mailboxes_and_queue(self):
        for data in (message("small"), LARGE):
            target = (Target(self.alice.account_id),)
            await self.put(sending("A"), sending("B"), data=data, targets=target)
        self.assertEqual(count(self.path, "blob"), 2)
        self.assertEqual(len(blob_files(self.path)), 1)
        for lent in await self.lease():
            await self.queue.settle(lent, gone(lent))
        self.assertEqual(len(await self.contents()), 4)

    async def test_a_large_file_goes_with_the_last_recipient(self):
        await self.put(sending("A"), sending("B"), data=LARGE)
        one, two = await self.lease()
        await self.queue.settle(one, gone(one))
        self.assertEqual(count(self.path, "doomed_file"), 0)
        content = await self.queue.open(two.message.message_id)
        self.assertEqual(await content.read(0, 20), LARGE[:20])
        await self.queue.settle(two, gone(two))
        while blob_files(self.path):
            await _turn()
        # Who reads it at this moment reads on.
        self.assertEqual(await octets_of(content), LARGE)
        content.close()

    async def test_files_of_a_refused_notification_do_not_stay(self):
        await self.put(sending("A"))
        [lent] = await self.lease()
        await self.queue.settle(lent, gone(lent))
        notice = Delivery(BytesContent(LARGE), b"", (), SENT_AT, (sending("N"),))
        self.assertFalse(await self.queue.settle(lent, gone(lent), [notice]))
        while blob_files(self.path):
            await _turn()

    async def test_the_queue_is_there_after_a_restart(self):
        await self.put(sending("A"), sending("B", due=NOW + 60))
        await self.put(sending("C", keeper=ME, kept_until=NOW + DAY), data=LARGE)
        before = await self.queue.entries(ALL, 9)
        await self.restart()
        self.assertEqual(await self.queue.entries(ALL, 9), before)
        self.assertEqual(names(await self.lease(now=NOW + 60)), ["A", "B"])
        self.assertEqual(await self.queue.free(ME), 3)

    async def test_whatever_another_server_said_can_be_noted(self):
        await self.put(sending("A"), sending("B"))
        one, two = await self.lease()
        said = "no\udcff \u20ac\x00"
        await self.queue.settle(one, later(one, NOW + 1, reply=said))
        number = two.recipients[0].recipient_id
        held = Settlement(number, Disposal.HELD, reply=said, hold=said)
        await self.queue.settle(two, [held])
        first, second = await self.queue.entries(ALL, 9)
        self.assertEqual(first.recipients[0].reply, "no? \u20ac\x00")
        self.assertEqual(second.recipients[0].hold, "no? \u20ac\x00")

    async def test_a_store_that_is_closed_says_so(self):
        await self.store.stop()
        for work in (
            self.queue.ready(NOW, 1), self.lease(), self.queue.entries(ALL, 1),
            self.queue.alter(ALL, Alteration(delete=True), NOW), self.queue.free(ME),
            self.queue.next_due(NOW), self.queue.open(1), self.put(sending("A")),
        ):
            await fails(LocalFault, work)


async def _turn() -> None:
    done: Deferred[None] = Deferred()
    reactor.callLater(0.01, done.callback, None)
    await done


class TogetherTests(QueueFixture, SQLiteFixture, TestCase):
    """Many at once cost a few statements."""

    def alone(self, kind):
        """-> a list that grows with each change of *kind* that is made alone"""
        made = []
        make = kind.__call__

        def call(own, change):
            made.append(own)
            return make(own, change)

        self.patch(kind, "__call__", call)
        return made

    async def test_deliveries_to_queue_and_mailboxes_are_made_together(self):
        alone = self.alone(Delivering)
        inbox, junk = (
            Target(self.alice.account_id, name) for name in ("INBOX", "Junk")
        )
        await gatherResults(
            [
                Deferred.fromCoroutine(
                    self.put(
                        sending(
                            f"N{number}", f"a@{NET}", "b@example.com",
                            due=NOW + number % 2, hold="x" * (number % 5 == 0),
                            keeper=[None, ME][number % 3 == 0], kept_until=NOW + 60,
                        ),
                        targets=[(), (inbox,), (inbox, junk)][number % 3],
                    )
                )
                for number in range(50)
            ]
        )
        self.assertEqual(alone, [])
        self.assertEqual(len(await self.contents()), 33)
        self.assertEqual(len(await self.waiting()), 100)

    async def test_destinations_that_are_asked_for_at_once_are_lent_together(self):
        await self.put(
            *[sending(f"N{n}", f"a@d{n % 9}.example") for n in range(60)],
            sending("M", *[f"m{number}@d3.example" for number in range(150)]),
        )
        alone = self.alone(queue_leasing.Leasing)
        answers = await gatherResults(
            [
                Deferred.fromCoroutine(
                    self.lease(limit, destination=f"d{number % 11}.example")
                )
                for number, limit in enumerate([1, 2, 100] * 20)
            ]
        )
        self.assertEqual(alone, [])
        lent = [each for leases in answers for each in leases]
        numbers = [each.recipient_id for lease in lent for each in lease.recipients]
        self.assertEqual(len(numbers), 60 + 150)
        self.assertEqual(len(set(numbers)), 60 + 150)
        self.assertEqual(len({each.token for each in lent}), len(lent))
        for leases, limit in zip(answers, [1, 2, 100] * 20, strict=True):
            self.assertLessEqual(sum(len(each.recipients) for each in leases), limit)
        self.assertEqual(await self.queue.ready(NOW, 20), [])

    async def test_attempts_that_end_among_deliveries_are_settled_together(self):
        await self.put(*[sending(f"N{number}") for number in range(40)])
        delivered, settled = self.alone(Delivering), self.alone(Settling)
        works = []
        for lent in await self.lease():
            works += [self.queue.settle(lent, gone(lent)), self.put(sending("X"))]
        commits = self.store.measures.seconds.count
        await gatherResults(map(Deferred.fromCoroutine, works))
        self.assertEqual((delivered, settled), ([], []))
        self.assertLessEqual(self.store.measures.seconds.count - commits, 3)


class SharedTests(QueueFixture, SQLiteFixture, TestCase):
    """Processes that share a store."""

    async def test_another_process_hears_at_once_of_what_is_due(self):
        other = await self.another()
        called: Deferred[None] = Deferred()
        end = self.queue.watch(lambda: called.called or called.callback(None))
        content = BytesContent(message())
        await other.deliver(Delivery(content, b"", (), SENT_AT, (sending("A"),)))
        await called
        end()
        self.assertEqual(names(await self.lease()), ["A"])

    async def test_what_nobody_was_told_of_is_noticed_after_a_while(self):
        self.patch(Announcer, "announce", lambda announcer, pairs: None)
        other = await self.another()
        calls = []
        self.addCleanup(self.queue.watch(lambda: calls.append(1)))
        poll = self.store._access._poll

        def look():
            poll.stop()
            poll._look()
            return len(calls)

        look()
        before = look()
        self.assertEqual(look(), before)
        content = BytesContent(message())
        await other.deliver(Delivery(content, b"", (), SENT_AT, (sending("A"),)))
        self.assertEqual(look(), before + 1)
        self.assertEqual(look(), before + 1)

    async def test_what_one_has_the_other_does_not_get(self):
        other = await self.another()
        await self.put(*[sending(f"N{number}") for number in range(30)])
        parts = await gatherResults(
            [
                Deferred.fromCoroutine(
                    store.queue.lease(NET, 7, ME, NOW, NOW + 600)
                )
                for store in (self.store, other, self.store, other, self.store)
            ]
        )
        every = [each for part in parts for each in names(part)]
        self.assertEqual(sorted(every), sorted(f"N{number}" for number in range(30)))
        for part in parts:
            for lent in part:
                self.assertTrue(await other.queue.settle(lent, gone(lent)))

    async def test_a_lease_ends_as_a_whole(self):
        self.patch(queue_turns, "SLICE", 7)
        many = [f"r{n}@{NET if n % 2 else 'example.com'}" for n in range(20)]
        old = [
            lent
            for name in (f"A{number}" for number in range(3))
            for lent in await self.put(
                sending(name, *many, keeper=ME, kept_until=NOW + 60)
            )
        ]
        await self.queue.ready(NOW + 60, 9)
        for lent in old:
            numbers = {each.recipient_id for each in lent.recipients}
            entries = await self.queue.entries(ALL, 9)
            still = {number for entry in entries for number in entry.lent}
            self.assertIn(numbers & still, (set(), numbers))
            renewed = await self.queue.renew(lent, NOW + 90)
            self.assertEqual(renewed is None, not numbers & still)

    async def test_a_frozen_process_does_not_undo_what_another_one_did(self):
        other = await self.another()
        await self.put(sending("A"))
        [old] = await self.lease(until=NOW + 60)
        [new] = await other.queue.lease(NET, 9, "another", NOW + 60, NOW + 600)
        self.assertTrue(await other.queue.settle(new, later(new, NOW + DAY)))
        self.assertFalse(await self.queue.settle(old, gone(old)))
        self.assertEqual(await self.waiting(Selection(deferred=True)), [f"a@{NET}"])
        await self.queue.alter(ALL, Alteration(delete=True), NOW)
        await fails(NoSuchMessage, other.queue.open(new.message.message_id))


class ParameterTests(SynchronousTestCase):
    """Parameters as they are stored."""

    def test_all_parameters_survive(self):
        for parameters in (
            MailParameters(),
            MailParameters(size=0),
            MailParameters(
                size=4096, body="BINARYMIME", smtputf8=True, ret="FULL",
                envid='"\u20ac', hold_until=NOW, priority=-9, require_tls=True,
                deliver_by=DeliverBy(NOW, returns=False, trace=True),
            ),
        ):
            self.assertEqual(
                unpack_parameters(pack_parameters(parameters)), parameters
            )

    def test_they_are_short_where_there_are_none(self):
        self.assertEqual(pack_parameters(MailParameters(size=7)), "[7, {}]")


class PlanTests(SynchronousTestCase):
    """What a scheduler asks is answered from indexes, in their order.

    So it costs the same however much waits: nothing is read but what is told, and
    nothing has to be sorted.
    """

    def test_the_questions_of_a_scheduler_need_no_more_than_an_index(self):
        for statement, plan in (
            (
                queue_leasing.READY_DESTINATIONS,
                "SCAN queue_destination USING COVERING INDEX queue_longest",
            ),
            (
                queue_leasing.NEXT_DUE,
                "SEARCH queue_recipient USING COVERING INDEX queue_wake (wake>?)",
            ),
            (
                queue_turns.DUE,
                "SEARCH queue_recipient USING INDEX queue_wake (wake<?)",
            ),
            (
                queue_turns.FIRST,
                "SEARCH queue_recipient USING INDEX queue_turn"
                " (destination=? AND rank=?)",
            ),
            (
                queue_turns.LAST,
                "SEARCH queue_recipient USING INDEX queue_origin"
                " (destination=? AND rank=? AND origin=?)",
            ),
        ):
            self.assertEqual(plans(statement), [plan], statement)

    def test_whose_turn_it_is_is_read_in_the_order_of_an_index(self):
        self.assertEqual(
            plans(queue_leasing.IN_TURN),
            [
                "SEARCH r USING INDEX queue_turn (destination=?)",
                "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        )
        self.assertEqual(
            plans(queue_leasing.MATES),
            [
                "SEARCH r USING INDEX queue_origin"
                " (destination=? AND rank=? AND origin=? AND turn>? AND turn<?)",
            ],
        )


def plans(statement: str) -> list[str]:
    """How SQLite would go about *statement*."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.make_tables(connection)
        values = [None] * statement.count("?")
        rows = connection.execute(f"explain query plan {statement}", values).fetchall()
    finally:
        connection.close()
    return [row[3] for row in rows]


class MultitudeTests(QueueFixture, SQLiteFixture, TestCase):
    """One sender has a hundred thousand recipients waiting at one destination."""

    async def test_many_small_senders_are_next(self):
        many = [f"r{number}@{NET}" for number in range(1000)]
        for number in range(100):
            await self.put(sending(f"L{number}", *many, sender="list@example.org"))
        self.assertEqual(count(self.path, "queue_recipient"), 100_000)
        await self.lease(200)
        for number in range(20):
            await self.put(sending(f"S{number}", sender=f"s{number}@example.org"))
        # Recipients of one message share a transaction, so it is its turn once more.
        self.assertEqual(names(await self.lease(40)), ["L0"])
        small = {f"S{number}" for number in range(20)}
        self.assertEqual(set(names(await self.lease(20))), small)
        await self.put(sending("T", sender="t@example.org"))
        self.assertIn("T", names(await self.lease(40)) + names(await self.lease(1)))
