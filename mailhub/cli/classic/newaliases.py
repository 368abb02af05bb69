"""``newaliases``, ``sendmail -bi``: whether the alias files can be followed.

The server reads their text by itself soon after they change, so that there is no
database to be made; scripts and people who call this see what they are used to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...assembly.tables import Tables
from ...tables.aliases import Aliases
from ...watched.places import Places
from ..invocation import Invocation


def main(invocation: Invocation, arguments: Sequence[str]) -> None:
    """For each file, how much is in it; beside that, what is odd.

    Arguments are those of sendmail, and say nothing here.

    :raises ConfigError: a file cannot be followed; with all faults.
    """
    config = invocation.config()
    files = config.files.aliases
    terminal = invocation.terminal
    if not files:
        terminal.tell("no file is named in [files] aliases")
        return
    tables = Tables.here(replace(config, files=Places(aliases=files)))
    for remark in tables.read():
        terminal.tell(str(remark))
    for source in tables.sources:
        for aliases in source.aliases():
            terminal.stdout.write(f"{summary(aliases)}\n")


def summary(aliases: Aliases) -> str:
    """The line that Sendmail writes."""
    entries = aliases.entries or {}
    lengths = {
        name: len(", ".join(entry.targets).encode()) for name, entry in entries.items()
    }
    octets = sum(len(name.encode()) + length for name, length in lengths.items())
    return (
        f"{aliases.path}: {len(entries)} aliases, longest"
        f" {max(lengths.values(), default=0)} bytes, {octets} bytes total"
    )
