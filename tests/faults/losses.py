"""What a loss of power may leave of the changes that no flush has covered.

A loss chooses among these changes, and may cut them to pieces.  It is not asked to be
probable: file systems differ in what they do, and a server that has to be right on
all of them relies on nothing but its flushes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from .disk import Disk, Naming, Node, Write, apply, rename

#: A change of a node that the disk may not have.
Change = tuple[Node, Write | Naming]
Loss = Callable[[Sequence[Change], Random], list[Change]]
#: Octets that a disk writes at once, and that most file systems do.
SECTOR, BLOCK = 512, 4096
#: SQLite's shared memory: mapped, so that no call tells what is in it.  It has to do
#: with whatever it finds after a loss, or with nothing.
SHARED_MEMORY = "-shm"


def pending(disk: Disk) -> list[Change]:
    """All changes that the disk may not have, in their order."""
    changes: list[Change] = []
    for node in disk.nodes():
        changes += ((node, write) for write in node.writes)
        changes += ((node, naming) for naming in node.namings)
    return sorted(changes, key=lambda each: each[1].moment)


def build(disk: Disk, kept: Sequence[Change], folder: Path, random: Random) -> None:
    """Make *folder* as it is after a loss that left *kept* of the pending changes."""
    changes: dict[Node, list[Write | Naming]] = defaultdict(list)
    for node, change in kept:
        changes[node].append(change)
    _build(disk.root, changes, folder, random)


def _build(
    node: Node, changes: dict[Node, list[Write | Naming]], path: Path, random: Random
) -> None:
    own = changes.get(node, [])
    if node.is_pipe:
        os.mkfifo(path, 0o600)
        return
    if not node.is_directory:
        data = node.data
        if own:
            data = bytearray(data)
            apply(data, [each for each in own if isinstance(each, Write)])
        path.write_bytes(data)
        path.chmod(0o600)
        return
    path.mkdir(mode=0o700)
    names = dict(node.names)
    rename(names, [each for each in own if isinstance(each, Naming)])
    for name, child in names.items():
        if not name.endswith(SHARED_MEMORY):
            _build(child, changes, path / name, random)
        elif random.random() < 0.5:
            (path / name).write_bytes(random.randbytes(8 * BLOCK))


def _names(changes: Sequence[Change]) -> list[Change]:
    return [each for each in changes if isinstance(each[1], Naming)]


def _data(changes: Sequence[Change]) -> list[Change]:
    return [each for each in changes if isinstance(each[1], Write)]


def _some(changes: Sequence[Change], random: Random) -> list[Change]:
    return [each for each in changes if random.random() < 0.5]


def nothing(changes: Sequence[Change], random: Random) -> list[Change]:
    """A kill: the disk gets everything in the end."""
    return list(changes)


def everything(changes: Sequence[Change], random: Random) -> list[Change]:
    """Only what was flushed is there."""
    return []


def contents(changes: Sequence[Change], random: Random) -> list[Change]:
    """Names are there, contents are not: new files are empty."""
    return _names(changes)


def names(changes: Sequence[Change], random: Random) -> list[Change]:
    """Contents are there, names are not: created, renamed, linked, removed."""
    return _data(changes)


def some_names(changes: Sequence[Change], random: Random) -> list[Change]:
    """As before, and some of the names are there."""
    return _data(changes) + _some(_names(changes), random)


def sizes(changes: Sequence[Change], random: Random) -> list[Change]:
    """Files have their old sizes, and new octets below these."""
    return _names(changes) + [
        (node, Write(write.moment, write.offset, cut))
        for node, write in _data(changes)
        if isinstance(write, Write) and write.data
        if (cut := write.data[: max(len(node.data) - write.offset, 0)])
    ]


def blanks(changes: Sequence[Change], random: Random) -> list[Change]:
    """Files have their new sizes, and zeros beyond the old ones."""
    kept = _names(changes)
    for node, write in _data(changes):
        if isinstance(write, Write) and write.data is not None:
            end = write.offset + len(write.data)
            start = max(write.offset, len(node.data))
            if end > start:
                kept.append((node, Write(write.moment, start, bytes(end - start))))
    return kept


def some(changes: Sequence[Change], random: Random) -> list[Change]:
    """Any of the changes, whatever came first."""
    return _some(changes, random)


def earlier(changes: Sequence[Change], random: Random) -> list[Change]:
    """The later changes are there, the earlier are not."""
    return list(changes[random.randint(0, len(changes)) :])


def later(changes: Sequence[Change], random: Random) -> list[Change]:
    """The earlier changes are there, the later are not."""
    return list(changes[: random.randint(0, len(changes))])


def all_but_one(changes: Sequence[Change], random: Random) -> list[Change]:
    """One change is missing."""
    missing = random.randrange(len(changes)) if changes else 0
    return [each for number, each in enumerate(changes) if number != missing]


def only_one(changes: Sequence[Change], random: Random) -> list[Change]:
    """One change is there."""
    return [random.choice(changes)] if changes else []


def torn_sectors(changes: Sequence[Change], random: Random) -> list[Change]:
    """Some sectors of each write, and some names."""
    return _torn(changes, random, SECTOR)


def torn_blocks(changes: Sequence[Change], random: Random) -> list[Change]:
    """Some blocks of each write, and some names."""
    return _torn(changes, random, BLOCK)


def _torn(changes: Sequence[Change], random: Random, size: int) -> list[Change]:
    kept: list[Change] = []
    for node, change in changes:
        if isinstance(change, Write) and change.data is not None:
            pieces = _some([(node, piece) for piece in _pieces(change, size)], random)
            kept += pieces
        elif random.random() < 0.5:
            kept.append((node, change))
    return kept


def _pieces(write: Write, size: int) -> Iterator[Write]:
    """*write* in pieces that end at multiples of *size* in the file."""
    data = write.data or b""
    start = 0
    while start < len(data):
        stop = start + size - (write.offset + start) % size
        yield Write(write.moment, write.offset + start, data[start:stop])
        start = stop


#: All losses, by what is lost.
LOSSES: dict[str, Loss] = {
    "nothing (a kill)": nothing,
    "everything unflushed": everything,
    "contents, not names": contents,
    "names, not contents": names,
    "some names": some_names,
    "growth of files": sizes,
    "new octets are zeros": blanks,
    "torn at 512 octets": torn_sectors,
    "torn at 4096 octets": torn_blocks,
    "any of all": some,
    "the earlier": earlier,
    "the later": later,
    "one": all_but_one,
    "all but one": only_one,
}


def signature(kept: Sequence[Change]) -> int:
    """Equal for equal *kept* of the same pending changes."""
    return hash(
        tuple(
            (change.moment, change.name)
            if isinstance(change, Naming)
            else (
                change.moment,
                change.offset,
                -1 if change.data is None else len(change.data),
                change.data is not None and any(change.data[:BLOCK]),
            )
            for _, change in kept
        )
    )
