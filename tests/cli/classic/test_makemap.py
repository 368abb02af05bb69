"""makemap."""

from __future__ import annotations

import os

from mailhub.cli.outcome import Exit

from ..shell import CommandTests

LINES = "# who may\nExample.COM\tRELAY\n192.0.2   REJECT no mail, please\n\n"


class MakemapTests(CommandTests):
    """As Sendmail's manual has it."""

    def made(self, lines, *flags, code=0):
        path = self.path("access")
        found = self.classic("makemap", *flags, "hash", path, stdin=lines)
        self.assertEqual(found, code, self.told)
        return path

    def shown(self):
        self.classic("makemap", "-u", "hash", self.path("access"))
        return self.out

    def test_a_table_is_made_and_shown(self):
        path = self.made(LINES)
        self.assertTrue(os.path.exists(f"{path}.db"))
        self.assertEqual(
            self.shown(), "192.0.2\tREJECT no mail, please\nexample.com\tRELAY\n"
        )
        self.assertEqual(os.listdir(self.folder), ["access.db"])

    def test_flags_change_what_is_taken(self):
        self.made("A b\n", "-f")
        self.assertEqual(self.shown(), "A\tb\n")
        self.made("c d\n", "-o", "-f")
        self.assertEqual(self.shown(), "A\tb\nc\td\n")
        self.made("a 1\na 2\n", "-r")
        self.assertEqual(self.shown(), "a\t2\n")
        self.made("a 1\na 2\n", "-d")
        self.assertEqual(self.shown(), "a\t1\n")
        self.made("a\n", "-e")
        self.assertEqual(self.shown(), "a\t\n")
        self.made("a:b c\n", "-t:")
        self.assertEqual(self.shown(), "a\tb c\n")

    def test_faults_are_told_with_their_line_and_change_nothing(self):
        self.made("a 1\n")
        for lines, text in (("b\n", "line 1"), ("x 1\ny 2\nx 3\n", "line 3")):
            self.made(lines, code=Exit.DATA_WRONG)
            self.assertIn(text, self.told)
        self.assertEqual(self.shown(), "a\t1\n")
        self.assertEqual(self.classic("makemap", "hash"), Exit.USAGE)
        self.assertEqual(self.classic("makemap", "paper", "x"), Exit.USAGE)
        gone = self.path("gone")
        self.assertEqual(self.classic("makemap", "-u", "hash", gone), Exit.NO_INPUT)
        nowhere = self.path("no", "x")
        self.assertEqual(self.classic("makemap", "hash", nowhere), Exit.CANNOT_CREATE)
