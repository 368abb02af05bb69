"""What another server's configuration comes to: settings, files, and what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..config.kinds import Unfit, quoted
from ..config.schema import TABLES


@dataclass(frozen=True, slots=True)
class Left:
    """A line that has no setting of ours, and why."""

    line: int
    said: str
    why: str


@dataclass(slots=True)
class Carried:
    """What was carried over so far; nothing that was there is passed over in silence.

    :ivar chosen: settings by table and key, as TOML has them.
    :ivar left: what has no setting.
    :ivar names: domains that are this machine's own.
    :ivar networks: whose hosts may send everywhere.
    """

    chosen: dict[tuple[str, str], Any] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    def set(self, table: str, key: str, value: Any, line: int, said: str) -> None:
        """Take a setting, if there is one of that name that may have that value."""
        known = TABLES[table].settings.get(key) if table in TABLES else None
        wanted = f"[{table}] {key} = {_toml(value)}"
        if known is None:
            self.leave(line, said, f"would be {wanted}")
            return
        try:
            known.kind.read(value, "/")
        except Unfit as unfit:
            self.leave(line, said, f"not as {wanted}: {unfit}")
            return
        self.chosen[table, key] = value

    def add(self, table: str, key: str, value: Any, line: int, said: str) -> None:
        """Take one more member of a list."""
        members = self.chosen.get((table, key), [])
        if value not in members:
            self.set(table, key, [*members, value], line, said)

    def leave(self, line: int, said: str, why: str) -> None:
        """Tell that something is not carried over, and why."""
        self.left.append(Left(line, said, why))

    def values(self, folder: str) -> dict[tuple[str, str], Any]:
        """The settings as a configuration in *folder* has them."""
        return {
            (table, key): TABLES[table].settings[key].kind.read(value, folder)
            for (table, key), value in self.chosen.items()
        }


def _toml(value: Any) -> str:
    match value:
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
    return str(value)


def listening(host: str, port: int) -> str:
    """An endpoint as a configuration names it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
