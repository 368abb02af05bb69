"""The sums that workloads do before they measure anything."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.metering import Cost
from benchmarks.peers.table import PEERS
from benchmarks.plan import FULL, QUICK
from benchmarks.workloads.delivery import MOST, batch_size
from benchmarks.workloads.idle import CROWDED, owners, users_for
from benchmarks.workloads.latency import percentile
from benchmarks.workloads.table import WORKLOADS


class BatchSizeTests(SynchronousTestCase):
    """Every server sends for about the same time."""

    def test_a_faster_server_gets_more(self):
        self.assertEqual(batch_size(8000, 1.5, 10, 1), 12_000)
        self.assertEqual(batch_size(400, 1.5, 10, 1), 600)

    def test_every_client_has_a_connection_full(self):
        self.assertEqual(batch_size(400, 1.5, 50, 20), 1_000)

    def test_there_is_an_end(self):
        self.assertEqual(batch_size(1e9, 1.5, 10, 1), MOST)


class IdleTests(SynchronousTestCase):
    """Who owns the connections that wait."""

    def test_a_tenth_is_alone_and_the_others_are_crowded(self):
        for count in (20, 100, 500, 1_000, 10_000):
            users = [f"u{number}" for number in range(users_for(count))]
            found = owners(users, count)
            self.assertEqual(len(found), count)
            self.assertEqual(found[::10], users[: count // 10])
            counted = Counter(found)
            self.assertEqual(set(counted), set(users))
            for user in users[: count // 10]:
                self.assertEqual(counted[user], 1)
            self.assertLessEqual(max(counted.values()), CROWDED)


class SumTests(SynchronousTestCase):
    """Percentiles and shares."""

    def test_a_percentile_is_one_of_the_values(self):
        values = [float(value) for value in range(100, 0, -1)]
        self.assertEqual(percentile(values, 0.5), 51)
        self.assertEqual(percentile(values, 0.99), 100)
        self.assertEqual(percentile([7.0], 0.99), 7)

    def test_costs_are_divided_by_what_was_done(self):
        cost = Cost(seconds=2.0, server=1.0, client=0.5, other=0.0)
        self.assertEqual(cost.each_ms(1000), 1.0)
        self.assertEqual(cost.each_ms(0), 1000.0)
        self.assertTrue(0 < cost.client_share <= 0.25)


class TableTests(SynchronousTestCase):
    """What is run against whom."""

    def test_workloads_name_servers_that_there_are(self):
        for name, workload in WORKLOADS.items():
            self.assertTrue(set(workload.peers) <= set(PEERS), name)
            self.assertIn("mailhub", workload.peers)

    def test_a_quick_plan_is_less_of_everything(self):
        self.assertLess(QUICK.seconds, FULL.seconds)
        self.assertLess(QUICK.mailbox, FULL.mailbox)
        self.assertLess(max(QUICK.stored), max(FULL.stored))
