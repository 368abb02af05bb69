"""The contract of a queue: what is due, and who is next."""

from __future__ import annotations

from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import Alteration, Selection
from mailhub.mail.queued import Backlog

from .fixture import ALICE
from .queueing import ME, NET, NOW, QueueFixture, addresses, later, names, sending


class OrderContract(QueueFixture):
    """What is due, and who is next."""

    async def test_destinations_are_listed_the_longest_waiting_first(self):
        await self.put(sending("A", "a@three.example", due=NOW))
        await self.put(sending("B", "a@one.example", arrived=NOW - 9, due=NOW - 9))
        await self.put(sending("C", "a@two.example", arrived=NOW - 5, due=NOW - 5))
        await self.put(sending("D", "a@one.example", arrived=NOW - 1, due=NOW - 1))
        self.assertEqual(
            await self.queue.ready(NOW, 10),
            [
                Backlog("one.example", NOW - 9), Backlog("two.example", NOW - 5),
                Backlog("three.example", NOW),
            ],
        )
        self.assertEqual(
            await self.queue.ready(NOW, 1), [Backlog("one.example", NOW - 9)]
        )
        [lent] = await self.lease(1, destination="one.example")
        self.assertEqual(lent.message.queue_id, "B")
        self.assertEqual(
            [each.destination for each in await self.queue.ready(NOW, 10)],
            ["two.example", "one.example", "three.example"],
        )

    async def test_what_is_due_later_is_not_due_now(self):
        await self.put(sending("A", due=NOW + 100), sending("B", due=NOW + 50))
        self.assertEqual(await self.queue.ready(NOW + 49, 10), [])
        self.assertEqual(await self.lease(now=NOW + 49), [])
        self.assertEqual(await self.queue.next_due(NOW), NOW + 50)
        self.assertEqual(await self.queue.next_due(NOW + 50), NOW + 100)
        self.assertIsNone(await self.queue.next_due(NOW + 100))
        self.assertEqual(
            await self.queue.ready(NOW + 50, 10), [Backlog(NET, NOW + 50)]
        )
        self.assertEqual(names(await self.lease(now=NOW + 50)), ["B"])
        # Without anybody having asked what is ready.
        self.assertEqual(names(await self.lease(now=NOW + 100)), ["A"])

    async def test_what_becomes_due_at_once_in_large_numbers_is_all_lent(self):
        many = [f"r{number}@{NET}" for number in range(600)]
        await self.put(sending("A", *many, due=NOW + 100))
        await self.put(sending("B", "b@example.com", due=NOW + 200))
        [lent] = await self.lease(now=NOW + 300, destination="example.com")
        self.assertEqual(lent.message.queue_id, "B")
        found = []
        while leases := await self.lease(now=NOW + 300):
            found += sum(addresses(leases), [])
        self.assertEqual(sorted(found), sorted(many))

    async def test_what_is_important_goes_first(self):
        for name, priority in (("A", 0), ("B", -4), ("C", 4), ("D", 0)):
            parameters = MailParameters(priority=priority)
            await self.put(sending(name, parameters=parameters))
        order = [names(await self.lease(1)) for _ in range(4)]
        self.assertEqual(order, [["C"], ["A"], ["D"], ["B"]])

    async def test_messages_of_one_sender_go_in_their_order(self):
        await self.put(*[sending(f"M{number}") for number in range(10)])
        order = [names(await self.lease(1))[0] for _ in range(10)]
        self.assertEqual(order, [f"M{number}" for number in range(10)])

    async def test_who_has_much_waiting_keeps_nobody_waiting(self):
        large = [sending(f"L{number}", sender="l@example.org") for number in range(40)]
        await self.put(*large)
        self.assertEqual(len(await self.lease(10)), 10)
        for number in range(3):
            await self.put(sending(f"S{number}", sender=f"s{number}@example.org"))
        following = names(await self.lease(4))
        self.assertEqual({each for each in following if each[0] == "S"},
                         {"S0", "S1", "S2"})

    async def test_who_has_more_takes_turns_with_who_has_less(self):
        await self.put(*[
            sending(f"L{number}", sender="l@example.org") for number in range(40)
        ])
        await self.put(*[
            sending(f"S{number}", sender="s@example.org") for number in range(5)
        ])
        order = [names(await self.lease(1))[0][0] for _ in range(12)]
        self.assertEqual("".join(order), "LSLSLSLSLSLL")

    async def test_a_message_to_many_takes_as_many_turns(self):
        many = [f"r{number}@{NET}" for number in range(20)]
        await self.put(
            sending("L0", *many, sender="l@example.org"),
            sending("L1", *many, sender="l@example.org"),
            *[sending(f"S{number}", sender="s@example.org") for number in range(20)],
        )
        order = names(await self.lease(40))
        self.assertEqual(order[0], "L0")
        self.assertNotIn("L1", order)

    async def test_a_sender_with_an_address_for_each_message_is_one_sender(self):
        await self.put(*[
            sending(f"L{n}", sender=f"list-owner-{n}=r{n}@example.org")
            for n in range(20)
        ])
        await self.put(*[
            sending(f"U{n}", sender=f"{n}@example.com", user=ALICE) for n in range(20)
        ])
        await self.put(sending("S", sender="s@example.org"))
        self.assertIn("S", names(await self.lease(3)))

    async def test_what_is_tried_again_is_fair_as_well(self):
        await self.put(*[
            sending(f"L{number}", sender="l@example.org") for number in range(20)
        ])
        for lent in await self.lease():
            await self.queue.settle(lent, later(lent, NOW + 60))
        await self.put(sending("S", due=NOW + 60))
        await self.queue.ready(NOW + 60, 1)
        self.assertIn("S", names(await self.lease(2, now=NOW + 60)))


class WatchContract(QueueFixture):
    """Who waits for something to send is called."""

    async def test_a_watcher_hears_of_what_becomes_due_until_it_ends(self):
        calls = []
        end = self.queue.watch(lambda: calls.append(1))
        await self.put(sending("A"))
        self.assertEqual(len(calls), 1)
        # It is due before what is known of.
        await self.put(sending("B", due=NOW + 50))
        self.assertEqual(len(calls), 2)
        await self.put(sending("C", keeper=ME, kept_until=NOW + 60))
        await self.deliver()
        self.assertEqual(len(calls), 2)
        await self.queue.alter(Selection(), Alteration(retry=True), NOW)
        self.assertGreater(len(calls), 2)
        del calls[:]
        end()
        end()
        await self.put(sending("D"))
        self.assertEqual(calls, [])
