"""From the settings in force to others, while the server runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from .schema import TABLES
from .settings import Config

#: What cannot change while the server runs: the reasons are open files, sockets that
#: only the right of a moment could bind, and processes.
_FIXED = {
    ("server", "data"),
    ("server", "user"),
    ("server", "group"),
    ("store", "kind"),
    ("local", "drop"),
    ("log", "format"),
    ("log", "file"),
    *(("listen", key) for key in TABLES["listen"].settings),
}


def settle(new: Config, old: Config) -> tuple[Config, list[str]]:
    """*new*, but with the settings of *old* where they need a restart.

    -> it, and what needs the restart, as ``[table] key``
    """
    kept: dict[str, dict[str, Any]] = {}
    named: list[str] = []
    for table, key in _differing(new, old):
        is_number = (table, key) == ("server", "workers")
        if (table, key) in _FIXED or (is_number and not _may_be(new, old)):
            kept.setdefault(table, {})[key] = getattr(getattr(old, table), key)
            named.append(f"[{table}] {key}")
    tables = {
        table: replace(getattr(new, table), **keys) for table, keys in kept.items()
    }
    return replace(new, **tables), named


def most_workers(config: Config) -> int:
    """How many there may become while the server runs.

    One process has no master, and goes on alone.
    """
    number = config.server.workers
    return number if number == 1 else max(number, os.cpu_count() or 1)


def _may_be(new: Config, old: Config) -> bool:
    return old.server.workers > 1 and new.server.workers <= most_workers(old)


def changed(new: Config, old: Config) -> list[str]:
    """The settings that differ, as ``[table] key``."""
    return [f"[{table}] {key}" for table, key in _differing(new, old)]


def _differing(new: Config, old: Config) -> Iterator[tuple[str, str]]:
    for table in TABLES:
        one, other = getattr(new, table), getattr(old, table)
        for field in fields(one):
            if getattr(one, field.name) != getattr(other, field.name):
                yield table, field.name
