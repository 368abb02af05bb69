"""Tests for :mod:`tests.programs`."""

from __future__ import annotations

import os
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from .programs import PACKAGES, require


class RequireTests(SynchronousTestCase):
    """A test is left out only where somebody may not have the program."""

    def setUp(self):
        # A PATH on which there is nothing.
        self.patch(os, "environ", {**os.environ, "PATH": self.mktemp()})

    def test_a_program_is_found_on_the_path(self):
        folder = os.environ["PATH"]
        os.mkdir(folder)
        path = os.path.join(folder, "swaks")
        with open(path, "w") as program:
            os.fchmod(program.fileno(), 0o700)
        self.assertEqual(require("swaks"), path)

    def test_a_missing_program_is_a_reason_to_skip(self):
        os.environ.pop("CI", None)
        for program, package in PACKAGES.items():
            error = self.assertRaises(SkipTest, require, program)
            self.assertIn(f"apt-get install {package}", str(error))

    def test_a_missing_program_is_a_failure_where_everything_has_to_be_there(self):
        os.environ["CI"] = "true"
        error = self.assertRaises(AssertionError, require, "swaks")
        self.assertIn("needs swaks", str(error))
