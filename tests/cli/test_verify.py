"""Tests for :mod:`mailhub.cli.verify`."""

from __future__ import annotations

import io
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailhub.cli.invocation import Terminal
from mailhub.cli.verify import Progress
from mailhub.store.sqlite.verify.findings import MEANINGS

from .shell import CommandTests, Typing

ROOT = Path(__file__).resolve().parent.parent.parent


class VerifyTests(CommandTests):
    """The command."""

    def setUp(self) -> None:
        super().setUp()
        self.add_user()

    def damage(self, statement: str) -> None:
        path = self.path("mailhub-data", "mailhub.sqlite")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
            connection.commit()

    def test_a_store_with_nothing_wrong_is_called_so(self):
        told = self.works("verify")
        self.assertEqual(told, "0 messages, 0 octets read: nothing is wrong\n")
        data = self.json("verify", "--quick", "--account", "JO@example.org")
        self.assertEqual(
            data,
            {
                "store": self.path("mailhub-data"), "account": "jo@example.org",
                "quick": True, "messages": 0, "octets": 0, "found": 0, "left": 0,
                "counts": {}, "findings": [],
            },
        )

    def test_what_is_wrong_is_told_and_makes_the_exit_code_one(self):
        self.damage("update account set used = 5")
        self.assertEqual(self.mailhub("verify"), 1)
        self.assertEqual(
            self.out,
            "quota: jo@example.org: 5 octets are counted, there are 0 (can be"
            " repaired)\n0 messages, 0 octets read: 1 findings, 0 of them repaired\n",
        )
        self.assertEqual(self.mailhub("verify", "--json"), 1)
        self.assertIn('"kind": "quota"', self.out)

    def test_what_has_been_repaired_makes_it_zero(self):
        self.damage("update account set used = 5")
        data = self.json("verify", "--repair")
        self.assertEqual((data["found"], data["left"]), (1, 0))
        self.assertEqual(data["counts"], {"quota": 1})
        self.assertEqual(data["findings"][0]["repaired"], True)
        self.works("verify")

    def test_what_could_not_be_found_out_has_codes_of_its_own(self):
        self.fails(67, "verify", "--account", "nobody@example.org")
        self.fails(64, "verify", "--rescue", "jo@example.org")
        self.fails(69, "verify", "--data", "nowhere")
        self.assertFalse(os.path.exists(self.path("nowhere")))
        self.damage("pragma user_version=99")
        self.assertIn("use the newer program", self.fails(69, "verify"))
        config = self.write("memory.toml", '[store]\nkind = "memory"\n')
        self.fails(78, "verify", "--config", config)


class ProgressTests(SynchronousTestCase):
    """One line on a terminal, and nothing anywhere else."""

    def progress(self, stderr: io.StringIO) -> str:
        now = 0.0

        def seconds() -> float:
            return now

        terminal = Terminal(io.StringIO(), io.StringIO(), stderr, {}, "")
        progress = Progress(terminal, seconds)
        for done in range(40):
            now += 0.125
            progress.tell("messages", done * 100, 4000)
        progress.end()
        return stderr.getvalue()

    def test_a_terminal_is_told_twice_a_second(self):
        shown = self.progress(Typing())
        self.assertEqual(shown.count("of 4000"), 8)
        self.assertIn("verifying messages: 400 of 4000", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"))

    def test_a_file_is_told_nothing(self):
        self.assertEqual(self.progress(io.StringIO()), "")


class DocumentationTests(SynchronousTestCase):
    """``docs/verify.rst``."""

    def test_all_kinds_are_explained_as_the_program_explains_them(self):
        text = (ROOT / "docs" / "verify.rst").read_text("utf-8")
        told = re.findall(r"^``([a-z-]+)``\n((?:    .+\n)+)", text, re.MULTILINE)
        self.assertEqual(
            {kind: " ".join(meaning.split()) for kind, meaning in told},
            {
                kind.value: f"{meaning[0].upper()}{meaning[1:]}. "
                + (f"*Repair:* {repair}." if repair else "*No repair.*")
                for kind, (meaning, repair) in MEANINGS.items()
            },
        )
