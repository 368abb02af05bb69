"""The list of attacks: that each is tried by tests, which exist."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from unittest import TestCase

from twisted.trial.unittest import SynchronousTestCase

from .attacks import ATTACKS, FAULTS_OF_TWISTED_MAIL, Attack, read

#: The rows that this server has to stand by now.
ROWS = {
    *range(1, 15), *range(16, 20), 21, *range(23, 37), 42,
    *range(53, 59), *range(61, 68), 71, 72, *range(78, 81), 84, 100,
}  # fmt: skip


class ListTests(SynchronousTestCase):
    """A row without a test that runs is a promise that nobody keeps."""

    def test_every_row_is_there(self) -> None:
        self.assertEqual(set(ATTACKS), ROWS)
        self.assertEqual(set(FAULTS_OF_TWISTED_MAIL), set(range(1, 23)))

    def test_every_row_has_tests_and_names_each_once(self) -> None:
        for number, attack in self.all_rows():
            self.assertTrue(attack.tests, number)
            self.assertEqual(len(set(attack.tests)), len(attack.tests), number)

    def test_every_test_exists_and_is_run(self) -> None:
        missing = {
            name
            for _, attack in self.all_rows()
            for name in attack.tests
            if not is_run(name)
        }
        self.assertEqual(missing, set())

    def test_no_two_rows_share_a_title(self) -> None:
        titles = [attack.title for _, attack in self.all_rows()]
        self.assertEqual(len(set(titles)), len(titles))

    def all_rows(self) -> list[tuple[int, Attack]]:
        tables: tuple[Mapping[int, Attack], ...] = ATTACKS, FAULTS_OF_TWISTED_MAIL
        return [row for table in tables for row in table.items()]


def is_run(name: str) -> bool:
    """Whether trial runs a test of that full name."""
    module, case, method = name.rsplit(".", 2)
    found = getattr(import_module(module), case, None)
    return (
        isinstance(found, type)
        and issubclass(found, (TestCase, SynchronousTestCase))
        and method.startswith("test_")
        and callable(getattr(found, method, None))
    )


class ReadingTests(SynchronousTestCase):
    """The list as text."""

    def test_rows_have_a_title_and_tests_of_several_cases(self) -> None:
        found = read(
            "# x\n= attacks\n1: one\n    a.B\n        c\n        d\n\n"
            "2: two\n    e.F\n        g\n    as row 1\n= faults\n1: three\n"
            "    as row 2\n"
        )
        one = "tests.a.B.test_c", "tests.a.B.test_d"
        two = "tests.e.F.test_g", *one
        self.assertEqual(
            found,
            {
                "attacks": {1: Attack("one", one), 2: Attack("two", two)},
                "faults": {1: Attack("three", two)},
            },
        )

    def test_a_number_given_twice_and_a_row_that_is_not_there(self) -> None:
        self.assertRaises(ValueError, read, "= attacks\n1: a\n1: b\n")
        self.assertRaises(KeyError, read, "= attacks\n1: a\n    as row 2\n")


class LookupTests(SynchronousTestCase):
    """The look-up itself can say no."""

    def test_what_is_there_and_what_is_not(self) -> None:
        here = f"{__name__}.LookupTests.test_what_is_there_and_what_is_not"
        self.assertTrue(is_run(here))
        for name in (
            f"{__name__}.LookupTests.test_nothing", f"{__name__}.Nobody.test_nothing",
            f"{__name__}.ListTests.all_rows", "tests.contracts.names.NamesContract"
            ".test_hostile_names_are_refused_and_nothing_is_made",
        ):  # fmt: skip
            self.assertFalse(is_run(name), name)
