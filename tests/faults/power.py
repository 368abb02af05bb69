"""What a loss of power does to files: whatever was not flushed may be gone.

``kill -9`` alone loses nothing that was written, as the kernel still has it.  So
strace(1) records every change the server makes to a file, and after the kill
:func:`lose` takes back what no flush had made durable by then:

* octets written after the last ``fsync`` of their file began become zeros;
* a name whose directory was not flushed since it was made is gone.

Zeros are the worst that file systems leave of unwritten blocks.  The memory map of
SQLite's ``-shm`` file is not seen by strace, and need not be: SQLite makes it
anew, so it is always lost here.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*?)(?:\) += (-?\d+|\?).*| <unfinished \.\.\.>)$")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>.*?\) += (-?\d+|\?)")
_FILE = re.compile(r"^(?:\d+|AT_FDCWD)<([^>]*)>")
_QUOTED = re.compile(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"')
_PLACE = re.compile(r'""(?:\.\.\.)?, (\d+), (\d+)$')
#: A write whose place is not in its arguments: all of the file is in doubt.
WHOLE = (0, -1)


@dataclass
class Unflushed:
    """What a file has that its disk may not have.

    :ivar ranges: ``(moment, offset, length)`` of each write.
    """

    ranges: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class Recording:
    """What strace saw of the files below *folder*, and what was durable at its end."""

    folder: str
    moment: int = 0
    files: dict[str, Unflushed] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    flushes: int = 0
    _pending: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def know(self, paths: Iterable[str]) -> None:
        """These were there, durably, when it began."""
        self.files.update((path, Unflushed()) for path in paths)

    def read(self, lines: Iterable[str]) -> Recording:
        """Follow the lines of ``strace -f -y -s 0``."""
        for text in lines:
            line = _LINE.match(text)
            if line is None:
                continue
            self.moment += 1
            thread, event = line.groups()
            if resumed := _RESUMED.match(event):
                name, arguments, began = self._pending.pop(thread, ("", "", 0))
                if name:
                    self._done(name, arguments, began, resumed[2])
            elif call := _CALL.match(event):
                self._called(thread, call)
        return self

    def _called(self, thread: str, call: re.Match[str]) -> None:
        name, arguments, result = call.groups()
        if result is not None:
            self._done(name, arguments, self.moment, result)
            return
        self._pending[thread] = (name, arguments, self.moment)
        if name in _WRITES:
            # It may have happened before the end, or not: in doubt either way.
            self._written(arguments)

    def _done(self, name: str, arguments: str, began: int, result: str) -> None:
        if result == "?" or result.startswith("-"):
            return
        if name in _WRITES:
            self._written(arguments)
        elif name in _FLUSHES:
            self._flushed(arguments, began)
        elif name in _NAMES:
            self._named(name, arguments)

    def _written(self, arguments: str) -> None:
        path = _path_of(arguments)
        if path is None or not self._is_ours(path):
            return
        place = _PLACE.search(arguments)
        offset, length = WHOLE
        if place is not None:
            length, offset = int(place[1]), int(place[2])
        ranges = self.files.setdefault(path, Unflushed()).ranges
        ranges.append((self.moment, offset, length))

    def _flushed(self, arguments: str, began: int) -> None:
        path = _path_of(arguments)
        if path is None:
            return
        self.flushes += 1
        if path in self.files:
            file = self.files[path]
            file.ranges = [entry for entry in file.ranges if entry[0] > began]
        self.names = {
            name: made
            for name, made in self.names.items()
            if os.path.dirname(name) != path or made > began
        }

    def _named(self, name: str, arguments: str) -> None:
        if name == "openat" and "O_CREAT" not in arguments:
            return
        paths = [os.path.join(*found) for found in _QUOTED.findall(arguments)]
        new = paths[-1]
        if name.startswith("unlink"):
            self.names.pop(new, None)
            self.files.pop(new, None)
            return
        if not self._is_ours(new) or (name == "openat" and new in self.files):
            return
        self.names[new] = self.moment
        self.files.setdefault(new, Unflushed())
        if name.startswith(("rename", "link")) and paths[0] in self.files:
            # The same file by another name, with the same octets in doubt.
            self.files[new] = self.files[paths[0]]
        if name.startswith("rename"):
            self.names.pop(paths[0], None)
            self.files.pop(paths[0], None)

    def _is_ours(self, path: str) -> bool:
        return path.startswith(self.folder + "/")


_WRITES = {"write", "pwrite64", "pwritev", "ftruncate"}
_FLUSHES = {"fsync", "fdatasync"}
_NAMES = {
    "openat", "rename", "renameat", "renameat2", "link", "linkat",
    "unlink", "unlinkat", "mkdir", "mkdirat",
}


def _path_of(arguments: str) -> str | None:
    """The path of the file descriptor that is the first argument."""
    file = _FILE.match(arguments)
    return None if file is None else file[1]


def record(folder: Path, trace: Path, existing: Iterable[str]) -> Recording:
    """What *trace* tells of *folder*.

    :param existing: paths that were there, durably, when it began.
    """
    recording = Recording(str(folder))
    recording.know(existing)
    with open(trace, errors="replace") as lines:
        return recording.read(lines)


def files_below(folder: Path) -> list[str]:
    """All files and folders below *folder*."""
    return [str(path) for path in folder.rglob("*")]


def lose(recording: Recording, folder: Path, random: Random | None = None) -> int:
    """Take from *folder*, a copy of what was recorded, what was not durable.

    :param random: decides for each write and each name whether it is lost;
        without it everything that can be is.
    :returns: how many writes and names were lost.
    """
    lost = 0
    for path, unflushed in recording.files.items():
        place = folder / os.path.relpath(path, recording.folder)
        chosen = _choose(unflushed.ranges, random)
        if chosen and place.is_file():
            _zero(place, [(offset, length) for _, offset, length in chosen])
            lost += len(chosen)
    for name in _choose(sorted(recording.names), random):
        place = folder / os.path.relpath(name, recording.folder)
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        lost += 1
    for place in folder.rglob("*-shm"):
        place.unlink()
    return lost


def _choose(items: list, random: Random | None) -> list:
    if random is None:
        return items
    return [item for item in items if random.random() < 0.5]


def _zero(path: Path, ranges: list[tuple[int, int]]) -> None:
    """Overwrite *ranges* with zeros; where all is in doubt nothing is left."""
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for offset, length in ranges:
            if (offset, length) == WHOLE:
                file.truncate(0)
                return
            length = min(length, max(size - offset, 0))
            file.seek(offset)
            file.write(bytes(length))

