"""Tests for :mod:`mailhub.counting`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.counting import SECONDS, SIZES, Histogram


class HistogramTests(SynchronousTestCase):
    """A value is in the first class whose bound it does not exceed."""

    def test_a_value_at_a_bound_is_below_it_and_one_above_is_not(self) -> None:
        for value, place in ((0.5, 0), (1.0, 0), (1.5, 1), (2.0, 1), (2.5, 2)):
            histogram = Histogram((1.0, 2.0))
            histogram.add(value)
            self.assertEqual(histogram.counts.index(1), place, value)

    def test_what_is_beyond_all_bounds_is_counted_still(self) -> None:
        histogram = Histogram(SIZES)
        histogram.add(1e9)
        self.assertEqual(histogram.counts[-1], 1)
        self.assertEqual((histogram.count, histogram.total), (1, 1e9))

    def test_it_adds_up(self) -> None:
        histogram = Histogram()
        for value in (0.25, 0.5, 0.25):
            histogram.add(value)
        self.assertEqual((histogram.count, histogram.total), (3, 1.0))

    def test_bounds_rise(self) -> None:
        for bounds in (SECONDS, SIZES):
            self.assertEqual(sorted(set(bounds)), list(bounds))
