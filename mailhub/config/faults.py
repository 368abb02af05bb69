"""What is wrong with a configuration, in words for the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .kinds import quoted

#: Longest value repeated in a fault.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a configuration.

    :ivar origin: the file, the option or the variable; ``""`` for a default.
    :ivar line: in the file, else ``None``.
    :ivar table: ``""`` where the file as a whole is meant.
    :ivar key: ``""`` where the table as a whole is meant.
    :ivar value: as it was given, in TOML; ``""`` where there is none.
    """

    origin: str
    line: int | None
    table: str
    key: str
    value: str
    expected: str

    def __str__(self) -> str:
        place = self.origin if self.line is None else f"{self.origin}:{self.line}"
        named = [f"[{self.table}]"] if self.table else []
        if self.key:
            named.append(f"{self.key} = {self.value}" if self.value else self.key)
        return ": ".join(filter(None, (place, " ".join(named), self.expected)))


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong.

    :ivar data: the data folder that it names all the same, if it does: a server that
        has begun with an earlier one can be found there.
    """

    def __init__(self, faults: list[Fault], data: str | None = None) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
        self.data = data


def shown(value: object) -> str:
    """*value* as it may have stood in the file, shortened."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = quoted(value)
        case list():
            text = "[" + ", ".join(shown(each) for each in value[:_SHOWN]) + "]"
        case dict():
            text = "{...}"
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def advice(name: str, known: Iterable[str]) -> str:
    """What *name* was perhaps meant to be, ready to be appended."""
    from difflib import get_close_matches  # slow to import, seldom needed

    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
