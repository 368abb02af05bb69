"""Where and how a command was called."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ..config.settings import Config


def ask_secret(prompt: str) -> str:
    """A line typed at the terminal without showing it."""
    from getpass import getpass  # only needed here, and slow to import

    return getpass(prompt)


@dataclass(slots=True)
class Terminal:
    """What stands around a command: everything it reads from and writes to."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    folder: str
    ask_secret: Callable[[str], str] = field(default=ask_secret)

    def tell(self, text: str) -> None:
        """A line about what goes on, beside the result."""
        self.stderr.write(f"{text}\n")
        self.stderr.flush()


@dataclass(slots=True)
class Invocation:
    """One call of a command.

    :ivar options: what was on the command line.
    """

    options: Namespace
    terminal: Terminal

    def config(self) -> Config:
        """The configuration that the server would use, started in this folder.

        :raises ConfigError: it is wrong.
        """
        from ..config.loading import load  # not for every command

        return load(
            self.options.config,
            data=self.options.data,
            environ=self.terminal.environ,
            folder=self.terminal.folder,
        )
