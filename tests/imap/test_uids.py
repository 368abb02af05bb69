"""UIDs in runs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.numset import MAX_NUMBER, ranges_of
from mailhub.imap.uids import Uids

SETS = [
    [],
    [1],
    [3, 4, 5],
    [2, 3, 5, 8, 13],
    [1, 2, 3, 1000, MAX_NUMBER],
]
_uids = st.sets(st.integers(1, 40), max_size=30).map(sorted)


class AsASequence(SynchronousTestCase):
    """What a list of the same numbers would answer."""

    def test_it_has_the_numbers_in_order(self) -> None:
        for numbers in SETS:
            uids = Uids.of(numbers)
            self.assertEqual(list(uids), numbers)
            self.assertEqual(len(uids), len(numbers))
            self.assertEqual([uids[place] for place in range(len(uids))], numbers)
            self.assertEqual(uids.at(range(len(uids))), numbers)
            self.assertEqual(bool(uids), bool(numbers))

    def test_indexes_count_from_the_end_as_well(self) -> None:
        self.assertEqual(Uids.of([2, 3, 5])[-1], 5)
        self.assertEqual(Uids.of([2, 3, 5])[-3], 2)

    def test_there_is_nothing_beyond_the_ends(self) -> None:
        for place in (3, -4):
            with self.assertRaises(IndexError):
                Uids.of([2, 3, 5])[place]
        with self.assertRaises(IndexError):
            Uids()[0]

    def test_a_slice_of_one_run_is_a_range(self) -> None:
        uids = Uids.of([2, 3, 4, 8, 9])
        self.assertEqual(uids[1:3], range(3, 5))
        self.assertEqual(list(uids[2:5]), [4, 8, 9])
        self.assertEqual(list(uids[5:]), [])

    def test_equal_numbers_are_equal(self) -> None:
        self.assertEqual(Uids.of([1, 2, 4]), Uids([(1, 2), (4, 4)]))
        self.assertNotEqual(Uids.of([1, 2, 4]), Uids.of([1, 2]))
        self.assertNotEqual(Uids.of([1]), [1])

    @settings(max_examples=200, deadline=None)
    @given(_uids, st.integers(0, 35), st.integers(0, 35))
    def test_slices_are_those_of_a_list(
        self, numbers: list[int], start: int, stop: int
    ) -> None:
        self.assertEqual(list(Uids.of(numbers)[start:stop]), numbers[start:stop])


class Looking(SynchronousTestCase):
    """Where UIDs are."""

    @settings(max_examples=200, deadline=None)
    @given(_uids, st.integers(0, 45))
    def test_those_below_are_counted(self, numbers: list[int], uid: int) -> None:
        below = Uids.of(numbers).below(uid)
        self.assertEqual(below, len([each for each in numbers if each < uid]))

    @settings(max_examples=200, deadline=None)
    @given(_uids, _uids)
    def test_those_that_are_there_are_found(
        self, numbers: list[int], wanted: list[int]
    ) -> None:
        found = Uids.of(numbers).places_of(wanted)
        places = [numbers.index(uid) for uid in wanted if uid in numbers]
        self.assertEqual(found, places)

    def test_ranges_may_begin_anywhere(self) -> None:
        uids = Uids.of([2, 3, 4, 8, 9])
        self.assertEqual(uids.ranges(), ((2, 4), (8, 9)))
        self.assertEqual(uids.ranges(1), ((3, 4), (8, 9)))
        self.assertEqual(uids.ranges(5), ())


class Changing(SynchronousTestCase):
    """Changes make other values."""

    @settings(max_examples=200, deadline=None)
    @given(_uids, st.sets(st.integers(41, 80)).map(sorted))
    def test_higher_ones_are_added_behind(
        self, numbers: list[int], more: list[int]
    ) -> None:
        before = Uids.of(numbers)
        joined = before.joined(ranges_of(more))
        self.assertEqual(joined, Uids.of(numbers + more))
        self.assertEqual(list(before), numbers)

    @settings(max_examples=200, deadline=None)
    @given(_uids, st.data())
    def test_some_are_taken_out(self, numbers: list[int], data: st.DataObject) -> None:
        choice = st.integers(0, len(numbers) - 1) if numbers else st.nothing()
        places = sorted(data.draw(st.sets(choice)))
        left = [uid for place, uid in enumerate(numbers) if place not in places]
        self.assertEqual(Uids.of(numbers).without(places), Uids.of(left))
