"""What strace(1) saw: the calls of a server that change files, and its answers.

Nothing that matters is read as "not seen": a call that changes a file in a way that
this module does not understand raises :class:`NotUnderstood`.
"""

from __future__ import annotations

import os.path
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Calls that change files or flush them.
WRITES = ("write", "writev", "pwrite64", "pwritev", "ftruncate")
FLUSHES = ("fsync", "fdatasync")
NAMES = (
    "openat", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename",
    "renameat", "renameat2", "link", "linkat", "mknod", "mknodat",
)
#: Calls that carry answers.
SENDS = ("sendto", "sendmsg")
ANSWERS = ("accept4", *SENDS)
#: Calls that would change files behind the back of this module.
FORBIDDEN = (
    "pwritev2", "sendfile", "copy_file_range", "splice", "truncate", "fallocate",
    "symlink", "symlinkat", "sync_file_range", "open", "io_uring_setup",
)
TRACED = (*WRITES, *FLUSHES, *NAMES, *ANSWERS, *FORBIDDEN, "lseek")
#: The result of a call that nobody saw the return of; it may have done its work.
UNKNOWN = -2
#: Octets of a call to record: more than any.
_EVERYTHING = 1 << 26

_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?.*")
_BEGUN = re.compile(r"(\w+)\((.*?),? *<unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>,? ?(.*)")
_DESCRIPTOR = re.compile(r"(\d+|AT_FDCWD)<([^>]*)>")
_STRING = re.compile(r'"([^"]*)"(\.\.\.)?')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")


class NotUnderstood(Exception):
    """A line that this module cannot tell the meaning of."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that succeeded.

    :ivar moment: when it had returned: the number of its line.
    :ivar began: the number of the line of its beginning.
    :ivar time: of its return, seconds since the epoch.
    :ivar result: what it returned.
    :ivar file: path of the file descriptor that it got, or ``""``.
    :ivar opened: path of the file descriptor that it returned, or ``""``.
    :ivar strings: all its strings, paths or data.
    :ivar text: its arguments as strace writes them, without the strings.
    """

    moment: int
    began: int
    time: float
    name: str
    result: int
    descriptor: int
    file: str
    opened: str
    strings: tuple[bytes, ...]
    text: str

    @property
    def data(self) -> bytes:
        """What was written; all of it where that is not known."""
        data = b"".join(self.strings)
        return data if self.result == UNKNOWN else data[: max(self.result, 0)]

    @property
    def paths(self) -> list[str]:
        """The paths among its arguments, made absolute."""
        folders = [found[1] for found in _DESCRIPTOR.findall(self.text)]
        names = [each.decode() for each in self.strings]
        if len(folders) != len(names):
            folders = [self.file] * len(names)
        return list(map(os.path.join, folders, names))

    def is_change_below(self, folder: str) -> bool:
        """Whether it changes or flushes something in *folder*."""
        if self.name in (*WRITES, *FLUSHES):
            return self.file.startswith(folder)
        if self.name not in NAMES or "O_RDONLY" in self.text:
            return False
        return any(path.startswith(folder) for path in self.paths)

    @property
    def last_number(self) -> int:
        """The last argument."""
        return int(self.text.rpartition(",")[2])

    @property
    def port(self) -> int:
        """The peer's port, of a connection that was accepted."""
        found = _PORT.search(self.text)
        return int(found[1]) if found else 0


def strace(output: Path, traced: Iterable[str] = TRACED) -> list[str]:
    """The command that records what the command after it does.

    :param output: the file to add to.
    :raises FileNotFoundError: there is no strace(1) here.
    """
    program = shutil.which("strace")
    if program is None:
        raise FileNotFoundError("strace")
    return [
        program, "-f", "--seccomp-bpf", "-y", "-xx", "-ttt", "-s", str(_EVERYTHING),
        "-e", f"trace={','.join(traced)}", "-e", "signal=none", "-A",
        "-o", str(output), "--",
    ]


def read(lines: Iterable[str]) -> Iterator[Call]:
    """The calls in the order of their returns.

    :raises NotUnderstood: see there.
    """
    begun: dict[str, tuple[str, int]] = {}
    for moment, line in enumerate(lines, 1):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, time, event = found.groups()
        began = moment
        if first := _BEGUN.fullmatch(event):
            begun[thread] = (f"{first[1]}({first[2]}", moment)
            if first[1] in SENDS:
                # From now on the peer may know what it says.
                event = f"{first[1]}({first[2]}) = ?"
                yield _call(event, moment, moment, float(time))
            continue
        if rest := _RESUMED.fullmatch(event):
            start, began = begun.pop(thread, ("", 0))
            if not start:
                raise NotUnderstood(line[:200])
            event = f"{start}{'' if rest[2].startswith(')') else ', '}{rest[2]}"
            if rest[1] in SENDS:
                continue
        if "(" in event and not event.startswith(("+++", "---")):
            call = _call(event, moment, began, float(time))
            sent = call.name in SENDS and call.result == UNKNOWN
            if call.result >= 0 or sent:
                yield call


def _call(event: str, moment: int, began: int, time: float) -> Call:
    found = _CALL.fullmatch(event)
    if found is None:
        raise NotUnderstood(f"{event[:100]} ... {event[-100:]}")
    name, arguments, result, opened = found.groups()
    strings = _STRING.findall(arguments)
    if any(cut for _, cut in strings):
        raise NotUnderstood(f"{name} was not recorded whole")
    text = _DESCRIPTOR.sub(_decode_path, _STRING.sub('""', arguments))
    first = _DESCRIPTOR.match(text)
    return Call(
        moment,
        began,
        time,
        name,
        UNKNOWN if result == "?" else int(result),
        int(first[1]) if first and first[1].isdigit() else -1,
        first[2] if first else "",
        _octets(opened or "").decode(),
        tuple(_octets(string) for string, _ in strings),
        text,
    )


def _decode_path(found: re.Match[str]) -> str:
    return f"{found[1]}<{_octets(found[2]).decode()}>"


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
