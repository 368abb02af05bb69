"""A shell for tests: runs the mailhub command in this process."""

from __future__ import annotations

import io
import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth import schemes
from mailhub.cli.invocation import Terminal
from mailhub.cli.main import run
from mailhub.config import loading


class Typing(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


class CommandTests(SynchronousTestCase):
    """Tests that call the command in a new folder.

    :ivar folder: where the command is called.
    :ivar out: what the last command wrote as its result.
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
        secrets = list(asked.get("secrets", ()))
        self.prompts: list[str] = []

        def ask(prompt: str) -> str:
            self.prompts.append(prompt)
            return secrets.pop(0)

        terminal = Terminal(
            io.StringIO(stdin) if typed is None else Typing(typed),
            io.StringIO(),
            io.StringIO(),
            self.environ,
            self.folder,
            ask,
        )
        code = run(arguments, terminal)
        self.out = terminal.stdout.getvalue()  # type: ignore[attr-defined]
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
