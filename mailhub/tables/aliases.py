"""aliases(5), as Sendmail and Postfix read it: ``name: target, target``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .lines import Entry, Notes, Remark, logical_lines, text_of
from .targets import split_targets

_LINE = re.compile(
    r'("(?:[^"\\]|\\.)*"(?:@[^\s:"]+)?\s*|[^\s:"][^:"]*):\s*(.*)', re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Aliases:
    """The aliases of a file.

    :ivar path: of the file.
    :ivar entries: by name in lower case, some of them with a domain.
    :ivar remarks: what its author should know.
    """

    path: str = ""
    entries: Mapping[str, Entry] | None = None
    remarks: tuple[Remark, ...] = ()

    def find(self, name: str) -> Entry | None:
        """The entry of *name*, in lower case: a local part, or a full address."""
        return None if self.entries is None else self.entries.get(name)


def parse_aliases(data: bytes, path: str, *, programs: bool = False) -> Aliases:
    """The aliases in a file.

    Of several entries of a name the first counts.

    :param programs: whether mail may be given to programs; if not, an entry with one
        is kept and remarked upon.
    :raises mailhub.tables.lines.MalformedTable: they cannot be followed.
    """
    notes = Notes(path)
    entries: dict[str, Entry] = {}
    for number, line in logical_lines(text_of(data, path)):
        found = _LINE.fullmatch(line)
        if found is None:
            notes.fault(number, f"expected a name and a colon: {line[:80]!r}")
            continue
        name = _name(found[1])
        targets = split_targets(found[2], number, notes)
        if not found[2]:
            notes.fault(number, f"no target for {name!r}")
        elif name in entries:
            first = entries[name].line
            notes.remark(number, f"{name!r} has an entry in line {first}; that counts")
        else:
            entries[name] = Entry(targets, number)
        if not programs and any(target.startswith("|") for target in targets):
            notes.remark(number, f"programs are not allowed, as for {name!r}")
    return Aliases(path, entries, notes.done())


def _name(text: str) -> str:
    text = text.strip()
    if text.startswith('"') and text.endswith('"'):
        text = _ESCAPE.sub(r"\1", text[1:-1])
    return text.lower()
