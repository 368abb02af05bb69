"""What becomes of others' mail while many destinations keep all waiting."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.queue_limits import QueueLimits
from mailhub.queue.lanes import CONCERN, COUNT_EVERY, DOUBT, PROOF
from mailhub.queue.supply import MAX_READY

from .rig import DEAD, DELIVERED, HOUR, START, Rig

#: Destinations that say nothing, and messages for each.
STALLED, EACH = 300, 10
#: Seconds until they are given up.
STALL = 600.0


class StallTests(SynchronousTestCase):
    """More mail than has room in memory waits for servers that say nothing."""

    def setUp(self):
        self.rig = Rig(QueueLimits())
        self.assertGreater(STALLED * EACH, 2 * self.rig.limits.waiting)
        self.stall = True
        for number in range(STALLED):
            self.rig.way.answers[f"d{number}.example"] = self.say_nothing
        self.rig.start()
        self.assertTrue(self.arrives("before", fast=True))

    def say_nothing(self, lease):
        if not self.stall:
            return DELIVERED
        answer = Deferred()
        self.rig.clock.callLater(STALL, answer.callback, DEAD)
        return answer

    def put(self, fast):
        for number in range(STALLED * EACH):
            is_fast = fast and self.rig.scheduler.has_room
            self.rig.put(f"r{number}@d{number % STALLED}.example", fast=is_fast)
            if number % 500 == 0:
                self.rig.run(0.1)

    def arrives(self, name, *, fast):
        """Whether mail for others is sent within a second."""
        began = self.rig.clock.seconds() - START
        self.rig.put(f"{name}@good.example", fast=fast)
        self.rig.run(1.0)
        return any(at < began + 1 for at in self.rig.way.to(f"{name}@good.example"))

    def test_what_was_in_the_queue_before_keeps_nobody_waiting(self):
        self.put(fast=False)
        self.rig.run(5.0)
        self.assertTrue(self.arrives("a", fast=False))
        self.rig.run(60.0)
        self.assertTrue(self.arrives("b", fast=False))

    def test_nor_do_more_of_them_than_are_looked_at_together(self):
        for number in range(4 * MAX_READY):
            self.rig.way.answers[f"e{number}.example"] = self.say_nothing
            self.rig.put(f"r@e{number}.example")
        self.rig.run(5.0)
        self.assertTrue(self.arrives("a", fast=False))

    def test_those_who_have_worked_before_do_not_take_all_places(self):
        self.work()
        self.stop_working()
        self.rig.run(CONCERN + COUNT_EVERY)
        self.put(fast=False)
        self.rig.run(5.0)
        self.assertTrue(self.arrives("a", fast=False))

    def test_nor_do_they_beside_those_who_never_have(self):
        self.work()
        self.put(fast=False)
        self.rig.run(1.0)
        self.stop_working()
        self.rig.run(5.0)
        self.assertTrue(self.arrives("a", fast=False))

    def test_who_was_kept_out_has_a_turn_when_they_are_given_up(self):
        self.work()
        self.stop_working()
        self.rig.run(CONCERN + COUNT_EVERY)
        for number in range(100):
            self.rig.put(f"r@new{number}.example", fast=True)
        self.rig.run(1.0)
        self.assertLess(len(self.rig.way.to("r@new99.example")), 1)
        self.rig.run(STALL)
        for number in range(100):
            self.assertEqual(len(self.rig.way.to(f"r@new{number}.example")), 1)

    def work(self):
        """Some destinations have answered just now."""
        self.known = [f"k{number}.example" for number in range(30)]
        for each in self.known:
            for _ in range(EACH):
                self.rig.put(f"r@{each}", fast=True)
        self.rig.run(1.0)

    def stop_working(self):
        """They have more mail, and say nothing from now on."""
        for each in self.known:
            self.rig.way.answers[each] = self.say_nothing
            for number in range(EACH):
                self.rig.put(f"r{number}@{each}")

    def test_who_stops_answering_has_no_more_than_is_under_way(self):
        self.rig.run(PROOF / 2)
        self.rig.put("first@good.example", fast=True)
        self.rig.way.answers["good.example"] = self.say_nothing
        self.rig.put("second@good.example", fast=True)
        self.rig.run(DOUBT + 1)
        self.rig.put("third@good.example", fast=True)
        self.rig.run(STALL / 2)
        self.assertEqual(self.rig.way.to("third@good.example"), [])
        self.stall = False
        self.rig.run(6 * HOUR)
        self.assertEqual(self.rig.waiting(), [])

    def test_what_was_handed_over_keeps_nobody_waiting(self):
        self.put(fast=True)
        self.rig.run(5.0)
        self.assertTrue(self.arrives("a", fast=False))
        self.assertTrue(self.rig.scheduler.has_room)
        self.assertTrue(self.arrives("b", fast=True))

    def test_nothing_is_moved_back_and_forth(self):
        self.put(fast=True)
        self.rig.run(5.0)
        leases = []
        lease = self.rig.queue.lease

        async def counted(*arguments):
            leases.append(arguments)
            return await lease(*arguments)

        self.patch(self.rig.queue, "lease", counted)
        self.rig.run(60.0)
        self.assertLess(len(leases), STALLED)

    def test_in_the_end_all_of_it_arrives(self):
        self.put(fast=True)
        self.rig.run(5.0)
        self.stall = False
        self.rig.run(6 * HOUR)
        self.assertEqual(self.rig.waiting(), [])
