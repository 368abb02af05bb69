"""The contract of a queue: what has gone wrong, in the server or with its clock."""

from __future__ import annotations

from dataclasses import replace

from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL, Alteration
from mailhub.mail.queued import Disposal

from .queueing import DAY, ME, NET, NOW, QueueFixture, later, sending

AGAIN, RELEASED = Alteration(retry=True), Alteration(hold="")


class FaultContract(QueueFixture):
    """It is counted in the queue, as a process forgets when it dies."""

    async def test_what_a_dead_keeper_had_begun_counts_as_a_fault(self):
        await self.put(sending("A", f"a@{NET}", f"b@{NET}"), sending("B"))
        begun, other = await self.lease(until=NOW + DAY)
        await self.queue.free(ME, {begun.token, other.token + 77})
        leases = {lent.message.queue_id: lent for lent in await self.lease()}
        faults = [each.faults for each in leases["A"].recipients]
        self.assertEqual(faults, [1] * len(begun.recipients))
        self.assertEqual([each.faults for each in leases["B"].recipients], [0])
        again = leases["A"]
        await self.queue.free(ME, {again.token})
        [entry, _] = await self.queue.entries(ALL, 10)
        self.assertEqual([each.faults for each in entry.recipients], [2, 2])

    async def test_nobody_waits_for_a_time_that_is_too_far_ahead(self):
        wish = MailParameters(hold_until=NOW + 9 * DAY)
        await self.put(
            sending("A"), sending("B"), sending("C"),
            sending("D", due=NOW + 9 * DAY, parameters=wish),
            sending("E", due=NOW + 9 * DAY, hold="look"),
        )
        for number, lent in enumerate(await self.lease()):
            await self.queue.settle(lent, later(lent, NOW + (2 + number) * DAY))
        calls = []
        self.addCleanup(self.queue.watch(lambda: calls.append(1)))
        self.assertEqual(await self.queue.hasten(NOW + 3 * DAY, NOW + 7), 1)
        self.assertNotEqual(calls, [])
        self.assertEqual(await self.queue.hasten(NOW + 3 * DAY, NOW + 7), 0)
        [lent] = await self.lease(now=NOW + 7)
        self.assertEqual(lent.message.queue_id, "C")
        self.assertEqual([each.due for each in lent.recipients], [NOW + 7])

    async def test_a_settlement_says_how_often_the_server_has_failed(self):
        await self.put(sending("A"))
        for faults in (2, 0):
            [lent] = await self.lease(now=NOW + DAY, until=NOW + 2 * DAY)
            ends = [replace(each, faults=faults) for each in later(lent, NOW)]
            await self.queue.settle(lent, ends)
            [entry] = await self.queue.entries(ALL, 10)
            self.assertEqual([each.faults for each in entry.recipients], [faults])

    async def test_who_is_released_begins_anew(self):
        await self.put(sending("A"))
        [lent] = await self.lease()
        [end] = later(lent, NOW)
        held = replace(end, disposal=Disposal.HELD, hold="it fails", faults=3)
        await self.queue.settle(lent, [held])
        for alteration, faults in ((AGAIN, 3), (RELEASED, 0)):
            await self.queue.alter(ALL, alteration, NOW)
            [entry] = await self.queue.entries(ALL, 10)
            self.assertEqual([each.faults for each in entry.recipients], [faults])
