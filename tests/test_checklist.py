"""The checklist: that tests see to each of its lines, and exist."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .attacks import read
from .test_attacks import is_run

SECTIONS = {"routing": 10, "tools": 8, "queue": 10, "logs": 2, "files": 12}


class ChecklistTests(SynchronousTestCase):
    """``tests/checklist.txt``."""

    def setUp(self) -> None:
        self.sections = read(Path(__file__).with_name("checklist.txt").read_text())

    def test_every_line_is_there(self) -> None:
        found = {name: sorted(rows) for name, rows in self.sections.items()}
        expected = {name: list(range(1, n + 1)) for name, n in SECTIONS.items()}
        self.assertEqual(found, expected)

    def test_every_line_has_tests_that_are_run(self) -> None:
        for name, rows in self.sections.items():
            for number, row in rows.items():
                missing = [test for test in row.tests if not is_run(test)]
                self.assertEqual(missing, [], (name, number))
                self.assertTrue(row.tests, (name, number))
                self.assertEqual(len(set(row.tests)), len(row.tests))
