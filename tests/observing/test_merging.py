"""Several processes as one server."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from mailhub.counting import SIZES, Histogram
from mailhub.observing.merging import Totals
from mailhub.observing.samples import Samples, put, put_histogram

COUNTER = "mailhub_store_commit_failures_total"
LEAST = "mailhub_data_free_bytes"
MOST = "mailhub_store_log_bytes"
GAUGE = "mailhub_imap_open_connections"
EACH = "process_resident_memory_bytes"
SIZE = "mailhub_store_commit_changes"
LAG = "mailhub_reactor_lag_seconds"


def process(value: float, *, size: float = 1) -> Samples:
    """What a process says, after its way through JSON."""
    samples: Samples = {}
    for name in (COUNTER, LEAST, MOST, EACH):
        put(samples, name, value)
    put(samples, GAUGE, value, "imap")
    histogram = Histogram(SIZES)
    histogram.add(size)
    put_histogram(samples, SIZE, histogram)
    put_histogram(samples, LAG, Histogram())
    return json.loads(json.dumps(samples))


class MergeTests(SynchronousTestCase):
    """Each figure by its meaning."""

    def setUp(self) -> None:
        self.totals = Totals()

    def combine(self, **heard):
        return self.totals.combine(heard)

    def test_figures_of_two_processes(self) -> None:
        both = self.combine(a=(1, process(2.0)), b=(2, process(5.0, size=3)))
        self.assertEqual(both[COUNTER], {(): 7.0})
        self.assertEqual(both[LEAST], {(): 2.0})
        self.assertEqual(both[MOST], {(): 5.0})
        self.assertEqual(both[GAUGE], {("imap",): 7.0})
        self.assertEqual(both[EACH], {("a",): 2.0, ("b",): 5.0})
        counts, total = both[SIZE][()]
        self.assertEqual((counts[:3], total), ([1, 0, 1], 4.0))
        self.assertEqual(set(both[LAG]), {("a",), ("b",)})

    def test_counters_do_not_fall_when_a_process_is_replaced(self) -> None:
        self.combine(a=(1, process(10.0)), b=(2, process(5.0)))
        both = self.combine(a=(3, process(1.0)), b=(2, process(5.0)))
        self.assertEqual(both[COUNTER], {(): 16.0})
        self.assertEqual(both[GAUGE], {("imap",): 6.0})
        both = self.combine(a=(4, process(0.0)), b=(2, process(6.0)))
        self.assertEqual(both[COUNTER], {(): 17.0})
        self.assertEqual(sum(both[SIZE][()][0]), 4)

    def test_counters_do_not_fall_while_a_process_does_not_answer(self) -> None:
        self.combine(a=(1, process(10.0)), b=(2, process(5.0)))
        one = self.combine(b=(2, process(6.0)))
        self.assertEqual(one[COUNTER], {(): 16.0})
        self.assertEqual(one[GAUGE], {("imap",): 6.0})
        self.assertEqual(one[EACH], {("b",): 6.0})
        both = self.combine(a=(1, process(12.0)), b=(2, process(6.0)))
        self.assertEqual(both[COUNTER], {(): 18.0})

    def test_a_metric_of_another_version_is_left_out(self) -> None:
        self.assertEqual(self.combine(a=(1, {"mailhub_new": [[[], 1]]})), {})


class SampleTests(SynchronousTestCase):
    """Taking figures down."""

    def test_what_is_not_in_the_table_cannot_be_told(self) -> None:
        self.assertRaises(KeyError, put, {}, "mailhub_invented_total", 1)
        self.assertRaises(ValueError, put, {}, COUNTER, 1, "a label too many")

    def test_histograms_of_the_same_labels_are_one(self) -> None:
        samples: Samples = {}
        for value in (1, 3):
            histogram = Histogram(SIZES)
            histogram.add(value)
            put_histogram(samples, SIZE, histogram)
        [(_, (counts, total))] = samples[SIZE]
        self.assertEqual((sum(counts), total), (2, 4.0))
