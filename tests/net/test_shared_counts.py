"""Counts of several processes."""

from __future__ import annotations

import os
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import mailhub
from mailhub.net import shared_counts
from mailhub.net.shared_counts import WAYS, SharedCounts, make_memory

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(mailhub.__file__)))
MINUTE, DAY = 60.0, 86_400.0
#: Another process: has 3 connections, 2 of them from one network; 4 failed logins.
OTHER = """
import sys
from mailhub.net.shared_counts import SharedCounts
counts = SharedCounts(int(sys.argv[1]), 1)
service = counts.service(0)
service.open(3)
service.of_network("192.0.2.1", 2)
for _ in range(4):
    counts.tally("a", 60.0, 86400.0).add("192.0.2.9", 1000.0)
counts.remember("192.0.2.1 jo")
print("counted", flush=True)
sys.stdin.read()
"""


class Rows(SynchronousTestCase):
    """Memory of two processes; this one has the first row."""

    rows, tracked, connections = 2, 64, 64

    def setUp(self) -> None:
        self.memory = make_memory(self.rows, 2, self.connections, self.tracked)
        self.addCleanup(os.close, self.memory)
        self.ours = self.row(0)

    def row(self, number: int) -> SharedCounts:
        counts = SharedCounts(self.memory, number)
        self.addCleanup(counts.close)
        return counts


class ProcessesTests(Rows):
    """Two processes in truth."""

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(self.memory)],
            env={**os.environ, "PYTHONPATH": ROOT},
            pass_fds=[self.memory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "counted\n")
        return process

    def figures(self) -> tuple[int, int, tuple[int, int], bool]:
        """What the other row has of each kind."""
        service = self.ours.service(0)
        return (
            service.open(0),
            service.of_network("192.0.2.1", 0),
            self.ours.tally("a", MINUTE, DAY).figures("192.0.2.9", 1001.0),
            self.ours.is_known("192.0.2.1 jo"),
        )

    def test_each_sees_what_the_other_has_counted(self) -> None:
        self.start()
        self.assertEqual(self.figures(), (3, 2, (4, 4), True))

    def test_one_that_dies_leaves_its_row_to_the_one_in_its_place(self) -> None:
        """Its connections are gone; a crash is no way to more guesses."""
        process = self.start()
        process.kill()
        process.wait()
        self.assertEqual(self.figures(), (3, 2, (4, 4), True))
        self.row(1)
        self.assertEqual(self.figures(), (0, 0, (4, 4), True))

    def test_another_in_its_place_goes_on_counting(self) -> None:
        self.start().kill()
        self.start()
        self.assertEqual(self.figures(), (3, 2, (8, 8), True))


class ConnectionTests(Rows):
    """Connections of a service, in all and by network."""

    def test_only_those_of_others_are_told(self) -> None:
        ours, theirs = self.ours.service(1), self.row(1).service(1)
        self.assertEqual(ours.open(5), 0)
        self.assertEqual(theirs.open(7), 5)
        self.assertEqual(ours.open(6), 7)
        self.assertEqual(ours.of_network("a", 2), 0)
        self.assertEqual(theirs.of_network("a", 3), 2)
        self.assertEqual(ours.of_network("a", 0), 3)
        self.assertEqual(theirs.of_network("a", 1), 0)

    def test_services_and_networks_are_counted_apart(self) -> None:
        self.row(1).service(0).of_network("a", 3)
        self.assertEqual(self.ours.service(1).of_network("a", 1), 0)
        self.assertEqual(self.ours.service(0).of_network("b", 1), 0)
        self.assertEqual(self.ours.service(1).open(0), 0)

    def test_places_become_free_again(self) -> None:
        theirs, ours = self.row(1).service(0), self.ours.service(0)
        for number in range(10_000):
            theirs.of_network(f"n{number}", 1)
            self.assertEqual(ours.of_network(f"n{number}", 0), 1)
            theirs.of_network(f"n{number}", 0)

    def test_a_full_set_keeps_what_it_has(self) -> None:
        """Attack: more networks than places, so that those who stay are forgotten."""
        self.patch(shared_counts, "_power", lambda least: 1)
        self.memory = make_memory(2, 1, 1, 1)
        theirs, ours = self.row(1).service(0), self.row(0).service(0)
        for number in range(WAYS + 1):
            theirs.of_network(f"n{number}", 5)
        told = [ours.of_network(f"n{number}", 0) for number in range(WAYS + 1)]
        self.assertEqual(told, [5] * WAYS + [0])
        theirs.of_network("n0", 0)
        theirs.of_network(f"n{WAYS}", 6)
        self.assertEqual(ours.of_network(f"n{WAYS}", 0), 6)

    def test_the_hash_is_another_in_each_memory(self) -> None:
        """Attack: networks chosen so that they meet in one set."""
        other = make_memory(self.rows, 2, self.connections, self.tracked)
        self.addCleanup(os.close, other)
        counts = SharedCounts(other, 0)
        self.addCleanup(counts.close)
        one, two = self.ours._networks.find("a"), counts._networks.find("a")
        self.assertNotEqual(one[1], two[1])

    def test_a_row_that_is_not_there_is_refused(self) -> None:
        self.assertRaises(ValueError, SharedCounts, self.memory, self.rows)


class TallyTests(Rows):
    """Failures in windows of time."""

    def setUp(self) -> None:
        super().setUp()
        self.tally = self.ours.tally("a", MINUTE, DAY)

    def test_a_window_begins_with_its_first_failure(self) -> None:
        for now in (100.0, 130.0, 159.9):
            self.tally.add("k", now)
        self.assertEqual(self.tally.figures("k", 159.9), (3, 3))
        self.assertEqual(self.tally.figures("k", 160.0), (0, 3))
        self.tally.add("k", 160.0)
        self.assertEqual(self.tally.figures("k", 219.9), (1, 4))
        self.assertEqual(self.tally.figures("k", 100.0 + DAY - 0.1), (0, 4))
        self.assertEqual(self.tally.figures("k", 100.0 + DAY), (0, 0))

    def test_kinds_and_keys_are_counted_apart(self) -> None:
        self.tally.add("k", 0.0)
        self.assertEqual(self.tally.figures("l", 1.0), (0, 0))
        other = self.ours.tally("b", MINUTE, DAY)
        self.assertEqual(other.figures("k", 1.0), (0, 0))

    def test_those_that_failed_longest_ago_are_forgotten(self) -> None:
        self.patch(shared_counts, "_power", lambda least: 1)
        self.memory = make_memory(2, 1, 1, 1)
        tally = self.row(0).tally("a", MINUTE, DAY)
        for number in range(WAYS):
            tally.add(f"k{number}", float(number))
        tally.add("k0", 20.0)
        tally.add("new", 21.0)
        told = [tally.figures(f"k{number}", 22.0)[0] for number in range(WAYS)]
        self.assertEqual(told, [2, 0] + [1] * (WAYS - 2))
        self.assertEqual(tally.figures("new", 22.0), (1, 1))

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 1), st.sampled_from("abc"), st.floats(0, 40)
            ),
            max_size=60,
        )
    )
    def test_all_are_counted_by_whichever_process(
        self, failures: list[tuple[int, str, float]]
    ) -> None:
        memory = make_memory(2, 1, 64, 64)
        rows = [SharedCounts(memory, number) for number in range(2)]
        try:
            tallies = [row.tally("a", MINUTE, DAY) for row in rows]
            for row, key, now in failures:
                tallies[row].add(key, now)
            for key in "abc":
                expected = sum(1 for _, other, _ in failures if other == key)
                for tally in tallies:
                    self.assertEqual(tally.figures(key, 41.0), (expected, expected))
        finally:
            for row in rows:
                row.close()
            os.close(memory)


class KnownTests(Rows):
    """Pairs of address and user that belong together."""

    def test_who_is_forgotten_by_one_may_be_known_to_another(self) -> None:
        theirs = self.row(1)
        self.ours.remember("p")
        theirs.remember("p")
        self.ours.forget("p")
        self.assertTrue(self.ours.is_known("p"))
        theirs.forget("p")
        self.assertFalse(self.ours.is_known("p"))
        theirs.forget("p")

    def test_the_one_before_longest_makes_room(self) -> None:
        self.patch(shared_counts, "_power", lambda least: 1)
        self.memory = make_memory(2, 1, 1, 1)
        counts = self.row(0)
        for number in range(WAYS):
            counts.remember(f"p{number}")
        counts.remember("p0")
        counts.remember("new")
        known = [counts.is_known(f"p{number}") for number in range(WAYS)]
        self.assertEqual(known, [True, False] + [True] * (WAYS - 2))
        self.assertTrue(counts.is_known("new"))
