r"""``.forward`` and ``:include:`` files: an address in each line, or several.

``\jo`` keeps a copy for jo.
"""

from __future__ import annotations

from dataclasses import dataclass

from .lines import Entry, Notes, Remark, logical_lines, text_of
from .targets import split_targets

#: Octets; a person's forward has a few lines, and each message asks for it.
MAX_FORWARD = 64 << 10
#: Octets of a list of addresses: some ten thousand.
MAX_INCLUDE = 1 << 20


@dataclass(frozen=True, slots=True)
class Forward:
    """The targets of a file.

    :ivar entry: ``None`` where there are none: mail stays here.
    """

    path: str = ""
    entry: Entry | None = None
    remarks: tuple[Remark, ...] = ()


def parse_forward(data: bytes, path: str, *, most: int = MAX_FORWARD) -> Forward:
    """The targets in a file, in the order they stand, each once.

    :param most: octets that the file may have.
    :raises mailhub.tables.lines.MalformedTable: they cannot be followed.
    """
    notes = Notes(path)
    targets: dict[str, None] = {}
    first = 0
    for number, line in logical_lines(text_of(data, path, most)):
        first = first or number
        targets |= dict.fromkeys(split_targets(line, number, notes))
    remarks = notes.done()
    entry = Entry(tuple(targets), first) if targets else None
    return Forward(path, entry, remarks)
