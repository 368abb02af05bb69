"""The contract of a queue: what people see of it, and do to it."""

from __future__ import annotations

from dataclasses import replace

from mailhub.errors import NoSuchMessage
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL, AgeRow, Alteration, Selection
from mailhub.mail.queued import Backlog, Disposal, Settlement
from mailhub.store.content import octets_of

from .fixture import BOB, fails, message
from .queueing import DAY, ME, NET, NOW, QueueFixture, gone, later, names, sending

COM = "example.com"


class ListContract(QueueFixture):
    """What people see."""

    async def setUp(self):
        await super().setUp()
        await self.put(
            sending("A", f"a@{NET}", f"a@{COM}"),
            sending("B", f"b@{NET}", sender=""),
            sending("C", f"c@{NET}", hold="look at it"),
            sending("D", f"d@{COM}", f"e@{COM}", keeper=ME, kept_until=NOW + 60),
            sending("E", f"a@{NET}", sender=BOB, due=NOW + 60),
        )
        [lent] = await self.lease(1)
        await self.queue.settle(lent, later(lent, NOW + 60, status="4.4.1"))

    async def test_each_condition_narrows_it_down(self):
        a_net, a_com, b, c = f"a@{NET}", f"a@{COM}", f"b@{NET}", f"c@{NET}"
        d, e = f"d@{COM}", f"e@{COM}"
        for selection, expected in (
            (ALL, [a_net, a_com, b, c, d, e, a_net]),
            (Selection(queue_ids=("A", "E", "nothing")), [a_net, a_com, a_net]),
            (Selection(queue_ids=("B", "D")), [b, d, e]),
            (Selection(sender=""), [b]),
            (Selection(sender=BOB), [a_net]),
            (Selection(recipient=a_net), [a_net, a_net]),
            (Selection(destination=COM), [a_com, d, e]),
            (Selection(held=True), [c]),
            (Selection(held=False), [a_net, a_com, b, d, e, a_net]),
            (Selection(deferred=True), [a_net]),
            (Selection(deferred=False), [a_com, b, c, d, e, a_net]),
            (Selection(queue_ids=("A", "B"), destination=NET), [a_net, b]),
            (Selection(queue_ids=("A",), sender=BOB), []),
            (Selection(queue_ids=("A\udcff",)), []),
            (Selection(sender="\udcff"), []),
            (Selection(recipient="\udcff"), []),
            (Selection(destination="\udcff"), []),
        ):
            self.assertEqual(await self.waiting(selection), expected, selection)

    async def test_what_is_lent_is_told(self):
        entries = await self.queue.entries(ALL, 10)
        lent = {
            entry.message.queue_id: entry.lent == {
                each.recipient_id for each in entry.recipients
            }
            for entry in entries
        }
        self.assertEqual(
            lent, {"A": False, "B": False, "C": False, "D": True, "E": False}
        )

    async def test_messages_come_in_pages(self):
        found, after = [], 0
        while page := await self.queue.entries(ALL, 2, after):
            self.assertLessEqual(len(page), 2)
            found += page
            after = page[-1].message.message_id
        self.assertEqual(found, await self.queue.entries(ALL, 100))
        self.assertEqual([each.message.queue_id for each in found], list("ABCDE"))

    async def test_many_messages_are_found_among_many_more(self):
        many = [
            sending(f"M{n}", *(f"m{n}@{name}" for name in (NET, COM, "x.org")))
            for n in range(700)
        ]
        await self.put(*many, data=message())
        entries = await self.queue.entries(Selection(recipient="m699@x.org"), 10)
        self.assertEqual([each.message.queue_id for each in entries], ["M699"])
        self.assertEqual(len(await self.waiting()), 7 + 2100)

    async def test_ages_are_counted_by_destination(self):
        await self.put(sending("F", f"f@{NET}", arrived=NOW - 300, due=NOW - 300))
        rows = await self.queue.ages(NOW + 60, [60, 359, 360])
        self.assertEqual(
            rows, [AgeRow(COM, (3, 0, 0, 0)), AgeRow(NET, (4, 0, 1, 0))]
        )
        self.assertEqual(
            await self.queue.ages(NOW + DAY, []), [AgeRow(COM, (3,)), AgeRow(NET, (5,))]
        )


class AlterContract(QueueFixture):
    """What people do."""

    async def alter(self, selection: Selection = ALL, now: float = NOW, **what) -> int:
        number: int = await self.queue.alter(selection, Alteration(**what), now)
        return number

    async def test_nothing_is_altered_where_nothing_is_selected(self):
        await self.put(sending("A"))
        before = await self.queue.entries(ALL, 9)
        self.assertEqual(await self.alter(Selection(sender="x"), delete=True), 0)
        self.assertEqual(await self.alter(Selection(queue_ids=("B",)), hold="x"), 0)
        self.assertEqual(await self.queue.entries(ALL, 9), before)

    async def test_what_is_deleted_is_gone_with_its_content(self):
        await self.put(sending("A", f"a@{NET}", f"a@{COM}"), sending("B"))
        self.assertEqual(await self.alter(Selection(destination=COM), delete=True), 1)
        self.assertEqual(await self.waiting(), [f"a@{NET}", f"b@{NET}"])
        self.assertEqual(await self.queue.ready(NOW, 9), [Backlog(NET, NOW)])
        [entry, _] = await self.queue.entries(ALL, 9)
        self.assertEqual(await self.alter(Selection(queue_ids=("A",)), delete=True), 1)
        await fails(NoSuchMessage, self.queue.open(entry.message.message_id))
        self.assertEqual(await self.alter(delete=True), 1)
        self.assertEqual(await self.queue.ready(NOW, 9), [])
        self.assertEqual(await self.lease(), [])

    async def test_who_tries_what_was_deleted_changes_nothing(self):
        await self.put(sending("A", f"a@{NET}", f"b@{NET}"))
        [lent] = await self.lease()
        selection = Selection(recipient=f"a@{NET}")
        self.assertEqual(await self.alter(selection, delete=True), 1)
        self.assertTrue(await self.queue.settle(lent, later(lent, NOW + 1)))
        self.assertEqual(await self.waiting(), [f"b@{NET}"])
        [lent] = await self.lease(now=NOW + 1)
        await self.alter(delete=True)
        self.assertFalse(await self.queue.settle(lent, later(lent, NOW + 1)))
        self.assertEqual(await self.waiting(), [])

    async def test_what_is_held_waits_until_it_is_released(self):
        await self.put(sending("A"), sending("B", due=NOW + 60))
        self.assertEqual(await self.alter(hold="look at it"), 2)
        self.assertEqual(await self.queue.ready(NOW + DAY, 9), [])
        self.assertEqual(await self.lease(now=NOW + DAY), [])
        self.assertIsNone(await self.queue.next_due(NOW))
        entries = await self.queue.entries(Selection(held=True), 9)
        self.assertEqual(
            [each.hold for entry in entries for each in entry.recipients],
            ["look at it"] * 2,
        )
        self.assertEqual(await self.alter(hold=""), 2)
        self.assertEqual(names(await self.lease()), ["A"])
        self.assertEqual(await self.queue.next_due(NOW), NOW + 60)

    async def test_an_attempt_under_way_ends_though_its_message_is_held(self):
        await self.put(sending("A"), sending("B"), sending("C"))
        one, two, three = await self.lease(until=NOW + 60)
        self.assertEqual(await self.alter(hold="look at it"), 3)
        self.assertTrue(await self.queue.settle(one, gone(one)))
        self.assertTrue(await self.queue.settle(two, later(two, NOW + 1)))
        self.assertEqual(await self.lease(now=NOW + DAY), [])
        self.assertEqual(
            await self.waiting(Selection(held=True)), [f"b@{NET}", f"c@{NET}"]
        )
        self.assertFalse(await self.queue.settle(three, gone(three)))

    async def test_what_is_tried_again_at_once_begins_anew(self):
        await self.put(sending("A"))
        [lent] = await self.lease()
        await self.queue.settle(
            lent,
            later(lent, NOW + DAY, status="4.4.1", reply="no answer", warned=True),
        )
        self.assertEqual(await self.lease(), [])
        self.assertEqual(await self.alter(now=NOW + 5, retry=True), 1)
        self.assertEqual(await self.queue.ready(NOW + 5, 9), [Backlog(NET, NOW + 5)])
        [again] = await self.lease(now=NOW + 5)
        [before], [after] = lent.recipients, again.recipients
        # Nobody is warned twice.
        self.assertEqual(after, replace(before, due=NOW + 5, warned=True))

    async def test_a_retry_leaves_alone_what_is_held_or_under_way(self):
        await self.put(sending("A", hold="x"), sending("B"))
        [lent] = await self.lease()
        self.assertEqual(await self.alter(retry=True), 2)
        self.assertEqual(await self.lease(), [])
        self.assertTrue(await self.queue.settle(lent, gone(lent)))
        self.assertEqual(await self.alter(retry=True, hold=""), 1)
        self.assertEqual(names(await self.lease()), ["A"])

    async def test_recipients_get_another_destination_or_address(self):
        await self.put(sending("A"), sending("B"))
        selection = Selection(queue_ids=("A",))
        await self.alter(
            selection, destination="smtp:elsewhere", recipient=f"other@{COM}"
        )
        self.assertEqual(
            sorted(each.destination for each in await self.queue.ready(NOW, 9)),
            [NET, "smtp:elsewhere"],
        )
        [lent] = await self.lease(destination="smtp:elsewhere")
        [waiting] = lent.recipients
        self.assertEqual(
            (waiting.recipient, waiting.destination, lent.destination),
            (f"other@{COM}", "smtp:elsewhere", "smtp:elsewhere"),
        )
        self.assertEqual(names(await self.lease()), ["B"])
        self.assertEqual(await self.queue.ready(NOW, 9), [])

    async def test_a_message_gets_another_sender_priority_and_end(self):
        given = MailParameters(body="8BITMIME", envid="x")
        await self.put(
            sending("A"), sending("B", f"a@{NET}", f"b@{NET}", parameters=given)
        )
        await self.alter(
            Selection(recipient=f"a@{NET}", queue_ids=("B",)), sender="",
            priority=5, expires=NOW + 9,
        )
        [lent] = await self.lease(2)
        self.assertEqual(lent.message.queue_id, "B")
        self.assertEqual(len(lent.recipients), 2)
        self.assertEqual(
            (lent.message.sender, lent.message.parameters, lent.message.expires),
            ("", replace(given, priority=5), NOW + 9),
        )

    async def test_an_alteration_keeps_what_is_not_named(self):
        await self.put(sending("A", due=NOW + 60), sending("B", hold="x"), sending("C"))
        before = await self.queue.entries(ALL, 9)
        self.assertEqual(await self.alter(expires=NOW + 5 * DAY), 3)
        self.assertEqual(await self.queue.entries(ALL, 9), before)
        self.assertEqual(names(await self.lease()), ["C"])
        self.assertEqual(names(await self.lease(now=NOW + 60)), ["A"])

    async def test_thousands_are_altered_and_not_one_twice(self):
        many = [
            sending(f"M{number}", f"m{number}@{NET}", f"m{number}@{COM}")
            for number in range(1200)
        ]
        await self.put(*many, data=message())
        self.assertEqual(await self.alter(hold="x"), 2400)
        selection = Selection(destination=COM)
        self.assertEqual(await self.alter(selection, delete=True), 1200)
        self.assertEqual(await self.alter(hold=""), 1200)
        self.assertEqual(sum(len(x.recipients) for x in await self.lease(5000)), 1200)
        self.assertEqual(await self.alter(delete=True), 1200)
        self.assertEqual(await self.waiting(), [])

    async def test_content_is_there_while_somebody_waits_for_it(self):
        await self.put(sending("A", f"a@{NET}", f"b@{NET}"), data=message())
        [lent] = await self.lease()
        numbers = [each.recipient_id for each in lent.recipients]
        await self.queue.settle(lent, [Settlement(numbers[0], Disposal.GONE)])
        content = await self.queue.open(lent.message.message_id)
        self.assertEqual(await octets_of(content), message())
        await self.alter(delete=True)
        await fails(NoSuchMessage, self.queue.open(lent.message.message_id))
