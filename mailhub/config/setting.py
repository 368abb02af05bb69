"""What is known of a setting, and of a table of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from .kinds import Kind


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    :ivar meaning: one or more sentences for the person who sets it.
    """

    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """A ``[table]`` of settings.

    :ivar holder: the dataclass that has a field for each, with its default; the
        class of the ``Config`` field that has the table's name.
    """

    meaning: str
    holder: type
    settings: dict[str, Setting]

    def default(self, key: str) -> Any:
        """What *key* is unless it is set."""
        [value] = (field.default for field in fields(self.holder) if field.name == key)
        return value
