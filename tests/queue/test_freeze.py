"""A process that is frozen past the end of its leases, and woken (SIGSTOP, SIGCONT)."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing

from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailhub.mail.queued import Disposal, Settlement
from mailhub.queue.keepers import Keepers
from mailhub.store.sqlite.schema import FILE_NAME

from .folders import FolderTestCase, lines
from .rig import DAY, DELIVERED, HOUR, MINUTE, after, now_of
from .test_scheduler import RigTestCase

MESSAGES = 60
#: Attempts under way at a time, and seconds of a lease.
SENDS, LEASE = 5, 1.0


def stop(process):
    """Freeze *process*, which does it in its own time."""
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


class ProcessTests(FolderTestCase):
    """A lock shows that the frozen process lives: its leases end by time alone."""

    async def until(self, what):
        """Look again and again until *what* holds."""
        end = time.monotonic() + 60
        while not what():
            self.assertLess(time.monotonic(), end)
            await deferLater(reactor, 0.005)

    async def freeze(self, process, folder):
        """Stop *process* while it writes nothing.

        Inside a transaction it would keep everybody else from writing until it wakes.
        """
        with closing(sqlite3.connect(f"{folder}/{FILE_NAME}", timeout=0)) as database:
            while True:
                stop(process)
                try:
                    database.execute("begin immediate")
                except sqlite3.OperationalError:
                    process.send_signal(signal.SIGCONT)
                    await deferLater(reactor, 0.002)
                else:
                    database.rollback()
                    return

    async def test_each_message_is_claimed_once_and_what_comes_late_is_refused(self):
        folder, ledger = self.places()
        every = {f"u{number}@d.example" for number in range(MESSAGES)}
        await self.fill(folder, sorted(every))
        limits = {"lease": LEASE, "sends": SENDS}
        frozen = self.start_victim(folder, ledger, **limits)
        await self.until(lambda: os.path.getsize(ledger) > 0)
        await self.freeze(frozen, folder)
        before = sum(lines(ledger).values())
        self.assertLess(before, MESSAGES)
        keepers = Keepers(f"{folder}/run/keepers")
        self.assertEqual(keepers.dead(), [])
        second = self.start_victim(folder, ledger, **limits)
        self.assertEqual(second.wait(timeout=60), 0)
        self.assertEqual({to for _, to in lines(ledger)}, every)
        frozen.send_signal(signal.SIGCONT)
        self.assertEqual(frozen.wait(timeout=60), 0)
        # What was under way on the wire cannot be called back; all else can.
        twice = sum(count - 1 for count in lines(ledger).values())
        self.assertLessEqual(twice, SENDS)
        store = await self.store_in(folder)
        self.addCleanup(store.stop)
        self.assertEqual(await store.queue.next_due(0.0), None)

    async def test_the_store_takes_nothing_from_who_comes_late(self):
        folder, _ = self.places()
        await self.fill(folder, ["a@d.example"])
        one, two = await self.store_in(folder), await self.store_in(folder)
        self.addCleanup(one.stop)
        self.addCleanup(two.stop)
        now = time.time()
        [stale] = await one.queue.lease("d.example", 9, "one", now, now + 60)
        self.assertEqual(
            await two.queue.lease("d.example", 9, "two", now + 59, now + 99), []
        )
        [lease] = await two.queue.lease("d.example", 9, "two", now + 61, now + 121)
        self.assertGreater(lease.token, stale.token)
        number = lease.recipients[0].recipient_id
        for disposal in Disposal:
            end = Settlement(number, disposal, due=now, hold="x")
            self.assertFalse(await one.queue.settle(stale, [end]))
        self.assertIs(await one.queue.renew(stale, now + DAY), None)
        gone = Settlement(number, Disposal.GONE)
        self.assertTrue(await two.queue.settle(lease, [gone]))
        self.assertFalse(await one.queue.settle(stale, [gone]))


class WakingTests(RigTestCase):
    """The same on a virtual clock: what waited for its turn in the frozen process."""

    def setUp(self):
        super().setUp()
        self.way.default = after(self.rig, 10, DELIVERED)
        self.numbers = range(8)
        for number in self.numbers:
            self.rig.put(f"u{number}@example.net", fast=True)
        self.rig.run(1)
        self.assertEqual(self.rig.lent(), len(self.numbers))
        self.begun = [to for _, to in self.way.sent]
        self.waiting = {f"u{number}@example.net" for number in self.numbers}
        self.waiting -= set(self.begun)
        self.assertNotEqual(self.waiting, set())

    def test_what_another_has_been_lent_meanwhile_is_not_begun(self):
        now = self.rig.wall() + HOUR
        others = now_of(
            self.rig.queue.lease("example.net", 99, "another", now, now + DAY)
        )
        self.assertEqual(len(others), len(self.numbers))
        # Nothing happens here until an hour is over; then all that was due does.
        self.rig.clock.advance(HOUR)
        self.rig.run(MINUTE)
        self.assertEqual([to for _, to in self.way.sent], self.begun)
        self.assertEqual(self.rig.lent(), len(self.numbers))

    def test_what_nobody_else_has_is_sent(self):
        self.way.default = DELIVERED
        self.rig.clock.advance(HOUR)
        self.rig.run(MINUTE)
        sent = [to for _, to in self.way.sent]
        for waited in self.waiting:
            self.assertEqual(sent.count(waited), 1)
        self.assertEqual(self.rig.waiting(), [])
