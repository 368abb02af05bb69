"""Schedulers that die, freeze, or lose their store: nothing is lost."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailhub.errors import LocalFault, OverQuota
from mailhub.mail.queue_limits import QueueLimits

from .rig import (
    DELIVERED,
    FAILED,
    HOUR,
    MINUTE,
    SENDER,
    START,
    Rig,
    after,
    now_of,
)
from .test_scheduler import RigTestCase


class Gate:
    """A queue that another one stands behind; a test may stop or break it.

    :ivar die_before: what is to be settled is not, and who settles never hears of it.
    :ivar die_after: it is, and who settles never hears of it.
    :ivar is_dead: whoever asks it anything never hears of it.
    :ivar frozen: leases are not renewed.
    :ivar fault: raised instead of settling.
    """

    def __init__(self, queue: object) -> None:
        self._queue = queue
        self.die_before = self.die_after = self.frozen = self.is_dead = False
        self.fault: Exception | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._queue, name)

    async def ready(self, now, limit):
        if self.is_dead:
            await Deferred()
        return await self._queue.ready(now, limit)

    async def settle(self, lease, settlements, deliveries=()):
        if self.die_before or self.is_dead:
            await Deferred()
        if self.fault is not None:
            raise self.fault
        answer = await self._queue.settle(lease, settlements, deliveries)
        if self.die_after:
            await Deferred()
        return answer

    async def renew(self, lease, until):
        return None if self.frozen else await self._queue.renew(lease, until)


class GateTestCase(RigTestCase):
    """With a queue that can be broken."""

    limits = QueueLimits()

    def setUp(self):
        self.rig = Rig(self.limits)
        self.way = self.rig.way
        self.gate = Gate(self.rig.queue)
        self.rig.scheduler = self.rig.make(queue=self.gate)
        self.rig.start()

    def kill(self):
        """What ``kill -9`` leaves: a store, and leases of somebody who has gone."""
        for call in list(self.rig.clock.getDelayedCalls()):
            call.cancel()
        self.gate.is_dead = True

    def start_again(self, knows=True):
        """Start another, which knows or does not that the first is dead."""
        if knows:
            now_of(self.rig.queue.free("me"))
        self.rig.scheduler = self.rig.make("another")
        self.rig.start()
        self.rig.run(1)


class KillTests(GateTestCase):
    """Fault: the process dies between attempt, outcome and notification."""

    def test_while_it_sends(self):
        self.way.default = after(self.rig, 10, DELIVERED)
        self.rig.put("a@example.net", fast=True)
        self.rig.put("b@example.net")
        self.rig.run(1)
        self.kill()
        self.assertEqual(self.rig.lent(), 2)
        self.way.default = DELIVERED
        self.start_again()
        self.assertEqual(self.rig.waiting(), [])

    def test_between_the_answer_and_the_commit(self):
        self.gate.die_before = True
        self.rig.put("a@example.net", fast=True)
        self.kill()
        self.start_again()
        self.assertEqual(len(self.way.sent), 2)
        self.assertEqual(self.rig.waiting(), [])

    def test_after_the_commit_it_is_not_sent_again(self):
        self.gate.die_after = True
        self.rig.put("a@example.net", fast=True)
        self.kill()
        self.start_again()
        self.assertEqual(len(self.way.sent), 1)

    def test_before_the_notification_is_durable_the_row_waits(self):
        self.rig.letters_leave = True
        self.way.default = FAILED
        self.gate.die_before = True
        self.rig.put("a@example.net", fast=True)
        self.kill()
        [waiting] = self.rig.waiting()
        self.assertEqual(waiting.recipient, "a@example.net")
        self.way.answers["example.org"] = after(self.rig, HOUR, DELIVERED)
        self.start_again()
        [notice] = self.rig.waiting()
        self.assertEqual(notice.recipient, SENDER)

    def test_afterwards_there_is_one_notification(self):
        self.rig.letters_leave = True
        self.way.default = FAILED
        self.way.answers["example.org"] = after(self.rig, HOUR, DELIVERED)
        self.gate.die_after = True
        self.rig.put("a@example.net", fast=True)
        self.kill()
        self.start_again()
        [notice] = self.rig.waiting()
        self.assertEqual((notice.recipient, len(self.way.octets)), (SENDER, 2))

    def test_who_does_not_know_of_it_waits_for_the_lease_to_end(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.rig.put("a@example.net", fast=True)
        self.kill()
        self.way.default = DELIVERED
        self.start_again(knows=False)
        self.assertEqual(len(self.rig.waiting()), 1)
        self.rig.run(self.limits.lease + 1)
        self.assertEqual(self.rig.waiting(), [])


class FrozenTests(GateTestCase):
    """Fault: a worker is stopped for longer than its lease, and then goes on."""

    def test_what_a_stale_worker_has_to_tell_changes_nothing(self):
        self.gate.frozen = True
        self.way.default = after(self.rig, HOUR, FAILED)
        self.rig.put("a@example.net", fast=True)
        old = self.rig.scheduler
        self.rig.run(1)
        self.way.default = DELIVERED
        self.start_again(knows=False)
        self.rig.run(15 * MINUTE)
        self.assertEqual(self.rig.waiting(), [])
        self.rig.run(HOUR)
        self.assertEqual(old.endings.lost, 1)
        self.assertEqual(len(self.way.sent), 2)

    def test_a_long_transfer_keeps_its_lease(self):
        self.way.default = after(self.rig, 3 * HOUR, DELIVERED)
        self.rig.put("a@example.net", fast=True)
        self.rig.run(1)
        self.start_again(knows=False)
        self.rig.run(4 * HOUR)
        self.assertEqual(len(self.way.sent), 1)
        self.assertEqual(self.rig.waiting(), [])

    def test_two_schedulers_send_each_message_once(self):
        self.way.default = after(self.rig, 1, DELIVERED)
        first = self.rig.scheduler
        self.start_again(knows=False)
        for number in range(200):
            self.rig.put(f"r{number}@d{number % 7}.example")
        self.rig.run(5 * MINUTE)
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(len(self.way.sent), 200)
        self.assertEqual(len({to for _, to in self.way.sent}), 200)
        self.assertEqual(first.endings.lost, 0)


class StoreFaultTests(GateTestCase):
    """Fault: no space, no database: who forgets an answer would send again."""

    def test_an_outcome_is_kept_until_it_can_be_written(self):
        self.gate.fault = LocalFault("disk full")
        self.rig.put("a@example.net", fast=True)
        self.rig.run(2 * MINUTE)
        self.assertFalse(self.rig.scheduler.has_room)
        self.gate.fault = None
        self.rig.run(30)
        self.assertTrue(self.rig.scheduler.has_room)
        self.assertEqual(len(self.way.sent), 1)
        self.assertEqual(self.rig.waiting(), [])

    def test_a_failure_that_nobody_can_be_told_of_waits_for_a_person(self):
        settle = self.rig.queue.settle

        async def full(lease, settlements, deliveries=()):
            if deliveries:
                raise OverQuota("the sender's mailbox is full")
            return await settle(lease, settlements, deliveries)

        self.rig.queue.settle = full
        self.rig.letters_leave = True
        self.way.answers["bad@example.net"] = FAILED
        self.rig.put("bad@example.net", "good@example.net", fast=True)
        [held] = self.rig.waiting()
        self.assertEqual(held.recipient, "bad@example.net")
        self.assertIn("could not be told", held.hold)

    def test_a_queue_that_cannot_be_read_is_asked_again(self):
        ready = self.rig.queue.ready
        faults = [LocalFault("no database")] * 3

        async def broken(now, limit):
            if faults:
                raise faults.pop()
            return await ready(now, limit)

        self.rig.queue.ready = broken
        self.rig.put("a@example.net")
        self.rig.run(MINUTE)
        self.assertEqual(self.rig.waiting(), [])

    def test_a_bug_in_the_store_ends_nothing_else(self):
        self.gate.fault = ValueError("bug")
        self.rig.put("a@example.net", fast=True)
        self.rig.run(MINUTE)
        self.gate.fault = None
        self.rig.put("b@example.net", fast=True)
        self.assertEqual(len(self.way.sent), 2)
        self.assertTrue(self.flushLoggedErrors(ValueError))


    def test_a_stop_does_not_forget_what_is_being_written(self):
        settle = self.rig.queue.settle

        async def slow(lease, settlements, deliveries=()):
            await deferLater(self.rig.clock, 28)
            return await settle(lease, settlements, deliveries)

        self.rig.queue.settle = slow
        self.rig.put("a@example.net", fast=True)
        self.rig.stop()
        self.assertEqual(self.rig.waiting(), [])


    def test_a_stop_waits_for_what_it_is_being_lent(self):
        lease = self.rig.queue.lease

        async def slow(*arguments):
            await deferLater(self.rig.clock, 5)
            return await lease(*arguments)

        self.rig.queue.lease = slow
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.rig.stop()
        self.assertEqual(self.way.sent, [])
        self.assertEqual((len(self.rig.waiting()), self.rig.lent()), (1, 0))


class FairnessTests(RigTestCase):
    """One with a million messages, and many with one."""

    limits = QueueLimits(sends=40, waiting=200)

    def test_a_sender_without_end_keeps_nobody_else_waiting(self):
        """What one sends takes all that is handed over, for the same destination."""
        self.way.default = after(self.rig, 1, DELIVERED)
        sent = self.rig.sending_without_end("large@example.net", "large@example.org")
        sent(10)
        for number in range(30):
            small = f"small{number}@example.net"
            self.rig.put(small, sender=f"s{number}@example.org")
        self.rig.put("fast@example.net", sender="f@example.org", fast=True)
        sent(5)
        small = {to for _, to in self.way.sent if not to.startswith("large")}
        self.assertEqual(len(small), 31)

    def test_a_large_backlog_does_not_keep_small_ones_waiting(self):
        self.way.default = after(self.rig, 1, DELIVERED)
        for number in range(20):
            for index in range(100):
                self.rig.put(f"r{index}@big{number}.example", due=START)
        self.rig.run(5)
        for number in range(50):
            self.rig.put(f"r@small{number}.example")
        self.rig.run(20)
        small = [to for _, to in self.way.sent if "small" in to]
        self.assertEqual(len(small), 50)
