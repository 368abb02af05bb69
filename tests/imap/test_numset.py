"""Sets of message numbers."""

from __future__ import annotations

import contextlib
from array import array

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.imap.numset import MAX_NUMBER, NumberSet, format_ranges, format_uids
from mailhub.imap.uids import Uids

SETS = [
    (b"1", ((1, 1),), None),
    (b"3,1,2", ((1, 3),), None),
    (b"1,3:5,7", ((1, 1), (3, 5), (7, 7)), None),
    (b"5:3", ((3, 5),), None),
    (b"2:4,3:9,5", ((2, 9),), None),
    (b"1:9,2:3", ((1, 9),), None),
    (b"*", (), MAX_NUMBER),
    (b"*:*", (), MAX_NUMBER),
    (b"7:*", (), 7),
    (b"*:7", (), 7),
    (b"9:*,*:4,*,1", ((1, 1),), 4),
    (b"1:4294967295", ((1, 4294967295),), None),
    (b"4294967295:1", ((1, 4294967295),), None),
]

REFUSED = [
    b"", b"0", b"1,0", b"0:*", b"01", b"-1", b"+1", b"1_0", b" 1", b"1 ", b"1\n",
    b",", b"1,", b",1", b"1,,2", b"1:", b":1", b"1:2:3", b"a", b"$", b"**",
    b"4294967296", b"1,4294967296:2", b"4294967296:*", b"99999999999999999999",
    "１".encode(), b"1:99999999999",
]  # fmt: skip


def expand(ranges: list[range]) -> list[int]:
    return [position for each in ranges for position in each]


class NumberSetTests(SynchronousTestCase):
    """RFC 3501, section 9: sequence-set."""

    def test_sets_are_sorted_and_merged(self) -> None:
        for wire, ranges, star in SETS:
            self.assertEqual(NumberSet.parse(wire), NumberSet(ranges, star), wire)

    def test_what_is_no_set_is_refused(self) -> None:
        for wire in REFUSED:
            with self.assertRaises(SyntaxFault, msg=repr(wire)):
                NumberSet.parse(wire)

    def test_a_set_is_cut_to_the_mailbox(self) -> None:
        for wire, last, ranges in [
            (b"1:4294967295", 3, ((1, 3),)),
            (b"4294967295:1", 3, ((1, 3),)),
            (b"2,4:9", 5, ((2, 2), (4, 5))),
            (b"7", 5, ()),
            (b"*", 5, ((5, 5),)),
            (b"*:*", 5, ((5, 5),)),
            (b"4:*", 5, ((4, 5),)),
            (b"9:*", 5, ((5, 5),)),
            (b"1,*:3", 5, ((1, 1), (3, 5))),
            (b"1:4,*", 5, ((1, 5),)),
            (b"9:*,8", 5, ((5, 5),)),
            (b"1:*", 0, ()),
            (b"*", 0, ()),
            (b"1", 0, ()),
        ]:
            self.assertEqual(NumberSet.parse(wire).within(last), ranges, wire)

    def test_highest_is_what_the_client_wrote(self) -> None:
        for wire, highest in [(b"1,7:9", 9), (b"*", 0), (b"9:1,12:*", 9)]:
            self.assertEqual(NumberSet.parse(wire).highest, highest)

    def test_sequence_numbers_are_positions_from_zero(self) -> None:
        numbers = NumberSet.parse(b"1,3:4,9")
        self.assertEqual(numbers.positions(5), [range(1), range(2, 4)])
        self.assertEqual(numbers.positions(0), [])

    def test_uids_that_do_not_exist_are_left_out(self) -> None:
        view = Uids.of([2, 3, 5, 8, 13])
        for wire, positions in [
            (b"1", []),
            (b"2:5", [0, 1, 2]),
            (b"4,6:7", []),
            (b"1:*", [0, 1, 2, 3, 4]),
            (b"20:*", [4]),
            (b"20:30", []),
            (b"8,3", [1, 3]),
        ]:
            numbers = NumberSet.parse(wire)
            self.assertEqual(expand(numbers.uid_positions(view)), positions, wire)
        self.assertEqual(NumberSet.parse(b"1:*").uid_positions(Uids()), [])

    def test_a_line_full_of_numbers_is_one_pass(self) -> None:
        wire = b",".join(b"%d" % n for n in range(1, 12_000, 2))
        self.assertGreater(len(wire), 16 * 1024)
        numbers = NumberSet.parse(wire)
        self.assertEqual(len(numbers.ranges), 6000)
        view = Uids.of(range(1, 100_000))
        self.assertEqual(expand(numbers.uid_positions(view)), [*range(0, 12_000, 2)])

    def test_overlapping_ranges_name_each_message_once(self) -> None:
        numbers = NumberSet.parse(b",".join([b"1:4294967295"] * 1000))
        self.assertEqual(numbers.positions(3), [range(3)])

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1),
        st.integers(0, 50),
    )
    def test_a_set_holds_what_its_items_hold(
        self, items: list[tuple[int, int]], count: int
    ) -> None:
        numbers = NumberSet.parse(b",".join(b"%d:%d" % item for item in items))
        expected = {n for a, b in items for n in range(min(a, b), max(a, b) + 1)}
        self.assertEqual(
            expand(numbers.positions(count)),
            sorted(n - 1 for n in expected if n <= count),
        )
        self.assertEqual(NumberSet.parse(format_ranges(numbers.ranges)), numbers)

    @settings(deadline=None, max_examples=150)
    @given(st.one_of(st.binary(), st.text("0129:*,", max_size=12).map(str.encode)))
    def test_anything_else_is_a_syntax_fault(self, wire: bytes) -> None:
        with contextlib.suppress(SyntaxFault):
            NumberSet.parse(wire).within(7)


class FormatUidsTests(SynchronousTestCase):
    """RFC 4315, section 3: uid-set."""

    def test_runs_become_ranges(self) -> None:
        for uids, wire in [
            ([1], b"1"),
            ([1, 2, 3], b"1:3"),
            ([1, 2, 3, 7], b"1:3,7"),
            ([1, 3, 5, 6], b"1,3,5:6"),
            (array("I", [4, 6]), b"4,6"),
        ]:
            self.assertEqual(format_uids(uids), wire)

    @settings(deadline=None, max_examples=100)
    @given(st.sets(st.integers(1, 60), min_size=1))
    def test_the_set_reads_back(self, uids: set[int]) -> None:
        numbers = NumberSet.parse(format_uids(sorted(uids)))
        self.assertEqual(
            expand(numbers.positions(60)), [uid - 1 for uid in sorted(uids)]
        )
