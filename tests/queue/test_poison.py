"""A message whose attempt ends the process: it is found, and nobody else is blamed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queue_list import ALL, Alteration
from mailhub.mail.queued import Lease, QueuedMessage, Waiting
from mailhub.queue.keepers import Keepers
from mailhub.queue.lanes import Errand
from mailhub.queue.probation import ALONE, MAX_WAITING, TOGETHER, Probation

from .folders import PATH, FolderTestCase, lines
from .rig import (
    DAY,
    DEAD,
    DEFERRED,
    DELIVERED,
    FAILED,
    HOUR,
    MINUTE,
    FakeWay,
    Rig,
    after,
    now_of,
)
from .test_scheduler import RigTestCase
from .victim import POISON, STATUS

COMMAND = "import sys; from mailhub.cli.main import main; sys.exit(main())"
OTHERS = 60
REASON = "the server has failed 3 times while it was sent"


class ProcessTests(FolderTestCase):
    """Fault: a process that dies of a message, is started again, and so on."""

    def command(self, folder, *arguments):
        """What ``mailhub queue`` answers."""
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, "queue", *arguments, "--json"],
            env={"PYTHONPATH": PATH, "MAILHUB_SERVER__DATA": folder},
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        return json.loads(done.stdout)

    async def test_the_fourth_start_lives_and_holds_it(self):
        folder, ledger = self.places()
        poison = f"{POISON}@d0.example"
        others = [f"u{number}@d{number % 20}.example" for number in range(OTHERS)]
        await self.fill(folder, [*others[:9], poison, *others[9:]])
        for _ in range(3):
            self.assertEqual(self.run_victim(folder, ledger), STATUS)
        self.assertEqual(self.run_victim(folder, ledger), 0)
        found = lines(ledger)
        self.assertEqual({to for _, to in found}, set(others))
        [message] = self.command(folder, "list")["messages"]
        [recipient] = message["recipients"]
        self.assertEqual(
            (recipient["address"], recipient["state"], recipient["hold"]),
            (poison, "hold", REASON),
        )
        self.assertEqual(self.command(folder, "show", message["id"]), message)
        # Whoever lets it go has found the fault: it counts from the beginning.
        self.command(folder, "release", message["id"])
        for _ in range(3):
            self.assertEqual(self.run_victim(folder, ledger), STATUS)
        self.assertEqual(self.run_victim(folder, ledger), 0)
        self.assertEqual(lines(ledger), found)


class BlameTests(RigTestCase):
    """Processes that die on a virtual clock: who is blamed for it."""

    def setUp(self):
        self.folder = f"{self.mktemp()}/keepers"
        self.rig = Rig(QueueLimits(first_sends=50, sends_per_destination=50))
        self.way = self.rig.way
        self.number = 0
        self.critical = []
        observe = self.observe
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.begin()

    def observe(self, event):
        if event["log_level"] is LogLevel.critical and "is held" in event["log_format"]:
            self.critical.append(formatEvent(event))

    def begin(self):
        """Start a scheduler that finds what the last one has left."""
        self.number += 1
        self.rig.scheduler = self.rig.make(
            f"number {self.number}", keepers=Keepers(self.folder)
        )
        self.rig.start()

    def die(self):
        """What ``kill -9`` leaves: the scheduler does nothing any more."""
        for call in list(self.rig.clock.getDelayedCalls()):
            call.cancel()
        scheduler = self.rig.scheduler
        scheduler._unwatch()
        os.close(scheduler.keepers._lock)
        dead, self.way = self.way, FakeWay(self.rig.clock)
        self.way.default, self.way.answers = dead.default, dead.answers
        self.rig.way = self.way

    def faults(self):
        return [each.faults for each in self.rig.waiting()]

    def held(self):
        return [each.recipient for each in self.rig.waiting() if each.hold]

    def test_only_what_was_under_way_is_suspected(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        for number in range(60):
            self.rig.put(f"u{number}@example.net")
        self.rig.run(1)
        self.assertEqual(self.way.active, 50)
        self.die()
        self.begin()
        self.assertEqual(sorted(self.faults()), [0] * 10 + [1] * 50)

    def test_nobody_is_blamed_for_what_the_administrator_kills(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        for number in range(40):
            self.rig.put(f"u{number}@example.net")
        for _ in range(6):
            self.rig.run(10)
            self.die()
            self.begin()
        self.assertEqual(self.faults(), [ALONE] * 40)
        self.way.default = after(self.rig, 1, DELIVERED)
        self.rig.run(HOUR)
        self.assertEqual(self.rig.waiting(), [])
        # Each on its own, as any of them might end the process.
        self.assertEqual(self.way.most_active, 1)

    def test_suspects_are_sent_at_once_but_fewer_at_a_time(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        for number in range(40):
            self.rig.put(f"u{number}@example.net")
        self.rig.run(1)
        self.die()
        self.way.default = after(self.rig, 1, DELIVERED)
        self.begin()
        self.rig.run(5)
        self.assertEqual(self.rig.waiting(), [])
        self.assertEqual(self.way.most_active, TOGETHER)

    def test_others_do_not_wait_for_suspects(self):
        self.way.answers["slow.example"] = after(self.rig, HOUR, DELIVERED)
        for number in range(40):
            self.rig.put(f"u{number}@slow.example")
        self.rig.run(1)
        self.die()
        self.begin()
        self.rig.put("new@example.net")
        self.rig.run(1)
        self.assertEqual(len(self.way.to("new@example.net")), 1)

    def test_who_is_answered_is_suspected_no_more(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.die()
        self.way.default = DEFERRED
        self.begin()
        self.assertEqual(self.faults(), [0])

    def test_who_was_not_answered_still_is(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.die()
        self.way.default = DEAD
        self.begin()
        self.assertEqual(self.faults(), [1])

    def test_an_orderly_end_blames_nobody_whatever_it_cuts_off(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.rig.stop()
        self.begin()
        self.assertEqual(self.faults(), [0])

    def test_an_end_that_cannot_be_written_blames_nobody(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.rig.scheduler.keepers.leave(is_clean=False)
        for call in list(self.rig.clock.getDelayedCalls()):
            call.cancel()
        self.begin()
        self.assertEqual(self.faults(), [0])

    def test_a_notification_that_ends_the_process_is_a_fault(self):
        self.way.default = FAILED
        self.rig.scheduler.notices.deliveries = lambda *_: Deferred()
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.die()
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.begin()
        self.assertEqual(self.faults(), [1])

    def test_the_other_recipients_of_a_message_that_is_held_are_held(self):
        self.way.answers["bad.example"] = after(self.rig, HOUR, DELIVERED)
        self.way.default = DEFERRED
        self.rig.put("a@bad.example", "b@example.net")
        for _ in range(3):
            self.rig.run(10 * MINUTE)
            self.die()
            self.begin()
        self.assertEqual(self.held(), ["a@bad.example", "b@example.net"])
        [critical] = self.critical
        self.assertTrue(critical.endswith(f" is held: {REASON}"))
        now_of(self.rig.queue.alter(ALL, Alteration(hold=""), self.rig.wall()))
        self.assertEqual(self.faults(), [0, 0])

    def test_what_fails_without_ending_the_process_is_counted_with_it(self):
        self.way.default = after(self.rig, HOUR, DELIVERED)
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.die()
        self.way.default = ValueError("a bug")
        self.begin()
        self.assertEqual(self.faults(), [2])
        self.flushLoggedErrors(ValueError)
        self.rig.run(10 * MINUTE)
        self.assertEqual(self.held(), ["a@example.net"])
        self.flushLoggedErrors(ValueError)

    def test_a_process_that_dies_later_is_found(self):
        other = self.rig.make("other", keepers=Keepers(self.folder))
        other.keepers.enter("other")
        now = self.rig.wall()
        self.rig.put("a@example.net", due=now + MINUTE)
        [lease] = now_of(
            self.rig.queue.lease("example.net", 1, "other", now + MINUTE, now + DAY)
        )
        other.keepers.begun.add(lease.token)
        os.close(other.keepers._lock)
        self.rig.run(3 * MINUTE)
        self.assertEqual(self.rig.waiting(), [])


def errand(faults):
    """Something to send, which the server has failed at so often."""
    message = QueuedMessage(1, "Q", "", None, None, 1, 0.0, 1.0)
    waiting = Waiting(1, "a@x", "x", None, None, 0.0, faults=faults)
    return Errand(Lease(message, "x", (waiting,), 1, 1.0), None, False)


class ProbationTests(SynchronousTestCase):
    """Some together, then one by one."""

    def setUp(self):
        self.gone = []
        self.probation = Probation(self.gone.append)

    def test_so_many_are_away_together(self):
        for _ in range(TOGETHER + 1):
            self.probation.add(errand(1))
        self.assertEqual(len(self.gone), TOGETHER)
        self.probation.end(self.gone[0])
        self.assertEqual(len(self.gone), TOGETHER + 1)

    def test_who_is_suspected_again_goes_alone(self):
        for faults in (1, 2, 2, 1):
            self.probation.add(errand(faults))
        for number in range(1, 5):
            self.assertEqual(len(self.gone), number)
            self.probation.end(self.gone[-1])

    def test_who_ends_at_once_lets_the_next_go(self):
        self.probation = Probation(
            lambda each: (self.gone.append(each), self.probation.end(each))
        )
        for _ in range(3):
            self.assertTrue(self.probation.add(errand(ALONE)))
        self.assertEqual(len(self.gone), 3)

    def test_no_more_wait_than_there_is_room_for(self):
        every = [errand(ALONE) for _ in range(MAX_WAITING + 2)]
        self.assertTrue(all(map(self.probation.add, every[:-1])))
        self.assertFalse(self.probation.add(every[-1]))
        self.assertEqual(self.probation.empty(), every[1:-1])
        self.assertEqual(self.probation.empty(), [])
