"""A shell for tests: runs the mailhub command in this process."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth import schemes
from mailhub.cli.classic.main import run as run_classic
from mailhub.cli.invocation import Terminal
from mailhub.cli.main import run
from mailhub.config import loading


class Typing(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


class Shell:
    """What tests are mixed with that call the command in a new folder.

    :ivar folder: where the command is called.
    :ivar out: what the last command wrote as its result, and *octets*: the same.
    :ivar told: what the last command wrote beside that.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.environ: dict[str, str] = {}
        self.patch(loading, "USUAL_FILES", loading.USUAL_FILES[:1])
        # A real hash takes 25 ms on purpose.
        self.patch(schemes, "hash_password", lambda password: "{PLAIN}" + password)

    def mailhub(
        self, *arguments: str, stdin: str = "", typed: str | None = None, **asked: Any
    ) -> int:
        """Run the command; the exit code.

        :param typed: what a person at a terminal types; not a terminal if ``None``.
        :param asked: ``secrets``: what is typed unseen, in order.
        """
        terminal = self._terminal(stdin, typed, asked.get("secrets", ()))
        return self._ended(run(arguments, terminal), terminal)

    def classic(self, name: str, *arguments: str, stdin: str | bytes = "") -> int:
        """Run one of the commands of old; the exit code."""
        terminal = self._terminal(stdin, None, ())
        return self._ended(run_classic(name, arguments, terminal), terminal)

    def _terminal(
        self, stdin: str | bytes, typed: str | None, asked: Iterable[str]
    ) -> Terminal:
        secrets = list(asked)
        self.prompts: list[str] = []

        def ask(prompt: str) -> str:
            self.prompts.append(prompt)
            return secrets.pop(0)

        octets = stdin if isinstance(stdin, bytes) else stdin.encode()
        return Terminal(
            io.TextIOWrapper(io.BytesIO(octets)) if typed is None else Typing(typed),
            io.TextIOWrapper(io.BytesIO(), newline="", write_through=True),
            io.StringIO(),
            self.environ,
            self.folder,
            ask,
        )

    def _ended(self, code: int, terminal: Terminal) -> int:
        self.octets = terminal.stdout.buffer.getvalue()  # type: ignore[attr-defined]
        self.out = self.octets.decode(errors="replace")
        self.told = terminal.stderr.getvalue()  # type: ignore[attr-defined]
        return code

    def works(self, *arguments: str, **how: Any) -> str:
        """Run a command that should succeed; what it wrote."""
        self.assertEqual(self.mailhub(*arguments, **how), 0, self.out + self.told)
        return self.out

    def json(self, *arguments: str, **how: Any) -> Any:
        """Run a command that should succeed; what it wrote in JSON."""
        return json.loads(self.works(*arguments, "--json", **how))

    def fails(self, code: int, *arguments: str, **how: Any) -> str:
        """Run a command that should fail with *code*; what it told.

        The same has to be in its JSON.
        """
        self.assertEqual(self.mailhub(*arguments, "--json", **how), code, self.told)
        error = json.loads(self.out)["error"]
        self.assertEqual(error["code"], code)
        self.assertEqual(self.mailhub(*arguments, **how), code)
        self.assertEqual(self.out, "")
        self.assertIn(f"mailhub: {error['text']}\n", self.told)
        return str(error["text"])

    def path(self, *names: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, *names)

    def write(self, name: str, text: str) -> str:
        """Make a file in the folder."""
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def add_user(self, address: str = "jo@example.org") -> None:
        """A user with the password ``secret``."""
        self.works("user", "add", address, "--password-stdin", stdin="secret\n")


class CommandTests(Shell, SynchronousTestCase):
    """Tests that call the command, and wait for nothing else."""
