"""newaliases, sendmail -bi."""

from __future__ import annotations

from mailhub.cli.outcome import Exit

from ..shell import CommandTests


class NewaliasesTests(CommandTests):
    """Whether the alias files can be followed."""

    def setUp(self) -> None:
        super().setUp()
        self.write("mailhub.toml", '[files]\naliases = ["aliases"]\n')

    def test_each_file_has_a_line_as_sendmail_writes_it(self) -> None:
        path = self.write("aliases", "root: jo\nstaff: jo, jim@example.net\n")
        for name, *arguments in (("newaliases",), ("sendmail", "-bi")):
            self.assertEqual(self.classic(name, *arguments), 0, self.told)
            self.assertEqual(
                self.out, f"{path}: 2 aliases, longest 19 bytes, 30 bytes total\n"
            )
            self.assertEqual(self.told, "")

    def test_what_is_odd_is_told_beside_it(self) -> None:
        path = self.write("aliases", "root: jo\nroot: jim\n")
        self.assertEqual(self.classic("newaliases"), 0)
        self.assertIn("1 aliases, longest 2 bytes, 6 bytes total", self.out)
        self.assertIn(f"{path}:2: ", self.told)

    def test_faults_have_their_lines(self) -> None:
        path = self.write("aliases", "root jo\n\njim: (\n")
        self.assertEqual(self.classic("newaliases"), Exit.CONFIG)
        self.assertIn(f"{path}:1: ", self.told)
        self.assertIn(f"{path}:3: ", self.told)
        self.assertEqual(self.out, "")

    def test_an_empty_file_and_no_file(self) -> None:
        path = self.write("aliases", "")
        self.assertEqual(self.classic("newaliases"), 0)
        self.assertEqual(
            self.out, f"{path}: 0 aliases, longest 0 bytes, 0 bytes total\n"
        )
        self.write("mailhub.toml", "")
        self.assertEqual(self.classic("newaliases"), 0)
        self.assertIn("no file is named", self.told)
