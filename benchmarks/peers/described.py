"""Servers that a file of JSON describes; mailhub is one of them.

The file has a ``name``; ``setup``, a command that makes a fresh server with its
users; ``start``, commands of its processes; and ``ports``, each service's port above
the base port.  In all strings ``{dir}`` is the server's empty folder, ``{port}`` the
base port, ``{users}`` a file of ``address:password`` lines and ``{here}`` the folder
of the description.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .base import PASSWORD, Peer, Place, first_line, run


class Described(Peer):
    """A server as its description says.

    :param path: of the description.
    """

    holds_many = True

    def __init__(self, place: Place, path: Path) -> None:
        self._text: dict[str, Any] = json.loads(path.read_text("utf-8"))
        self._here = path.resolve().parent
        self.name = self._text["name"]
        super().__init__(place)
        self.ports = {
            service: place.port + offset
            for service, offset in self._text["ports"].items()
        }

    def _filled(self, text: str) -> str:
        meanings = {
            "{dir}": self.folder,
            "{port}": self.place.port,
            "{users}": self.path("users"),
            "{here}": self._here,
        }
        for name, meaning in meanings.items():
            text = text.replace(name, str(meaning))
        return text

    @property
    def _environment(self) -> dict[str, str]:
        folder = self.place.programs.get("mailhub")
        return {"MAILHUB_BIN": str(folder / "bin")} if folder else {}

    def configure(self) -> None:
        self.write("users", "".join(f"{user}:{PASSWORD}\n" for user in self.users))
        command = map(self._filled, self._text.get("setup", ["true"]))
        run(*command, environment=self._environment)

    def launch(self) -> None:
        for command in self._text["start"]:
            self.spawn(
                [self._filled(word) for word in command], environment=self._environment
            )

    def version(self) -> str:
        commit = first_line("git", "-C", self._here, "log", "-1", "--format=%h %cs")
        return f"{self.name} {commit or 'outside of git'}"
