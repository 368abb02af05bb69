"""What all of the files have in common: lines, comments, faults with their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import Status, SyntaxFault

#: Octets of a file.  A hundred thousand entries take some 5 MiB; what is larger by far
#: is no table but a mistake, and would take the memory of the server.
MAX_TABLE = 64 << 20
#: Faults told of one file; one of another kind has one in every line.
MOST_FAULTS = 20

_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f\u2028\u2029]")
_NO_CONTROLS = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\n"})
_WORD = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^\s"])+)(?:\s+(.*))?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a line, for people: ``/etc/aliases:12: what``.

    :ivar line: from 1; 0 where the file as a whole is meant.
    """

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.text}"


class MalformedTable(SyntaxFault):
    """A file that cannot be followed.

    Temporary for whoever sends mail: a person has to mend it, and mail waits for that.

    :ivar faults: all of them, or the first :data:`MOST_FAULTS`.
    """

    status = Status.DIRECTORY_FAULT
    permanent = False

    def __init__(self, faults: tuple[Remark, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands behind a key.

    :ivar targets: without the quotes of the file.
    :ivar line: where the entry begins, from 1.
    """

    targets: tuple[str, ...]
    line: int


class Notes:
    """What is found to say about a file while it is parsed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._faults: list[Remark] = []
        self._remarks: list[Remark] = []

    def fault(self, line: int, text: str) -> None:
        """The file is wrong there."""
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Remark(self.path, line, text))

    def remark(self, line: int, text: str) -> None:
        """The file is right, but does not do there what its author may think."""
        if len(self._remarks) < MOST_FAULTS:
            self._remarks.append(Remark(self.path, line, text))

    def done(self) -> tuple[Remark, ...]:
        """All remarks.

        :raises MalformedTable: there was a fault.
        """
        if self._faults:
            raise MalformedTable(tuple(self._faults))
        return tuple(self._remarks)


def text_of(data: bytes, path: str, most: int = MAX_TABLE) -> str:
    """The text of a file, with ``LF`` at the ends of lines.

    :param most: octets it may have.
    :raises MalformedTable: too large, not in UTF-8, or with control characters.
    """
    if len(data) > most:
        raise MalformedTable((Remark(path, 1, f"more than {most} octets"),))
    try:
        text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedTable((Remark(path, line, "expected UTF-8"),)) from None
    # The pattern would keep all other threads waiting on a large file.
    if data.translate(None, _NO_CONTROLS) or b"\xe2\x80" in data:
        found = _CONTROL.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            fault = Remark(path, line, f"the character {found[0]!r}")
            raise MalformedTable((fault,))
    return text


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with the number of the first of each.

    One that begins with white space goes on with what the line before began.
    Comments begin with ``#``, and neither they nor empty lines end anything.
    """
    number, parts = 0, [""]
    for at, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped[0] == "#":
            continue
        if line[0] in " \t":
            parts.append(stripped)
            number = number or at
            continue
        if number:
            yield number, " ".join(parts) if parts[0] else " ".join(parts[1:])
        number, parts = at, [stripped]
    if number:
        yield number, " ".join(parts) if parts[0] else " ".join(parts[1:])


def pairs(text: str, notes: Notes) -> Iterator[tuple[int, str, str]]:
    """Line, key and value of each entry of a map: what makemap(8) and postmap(1) read.

    Quotes in a key protect white space, and stay.
    """
    for number, line in logical_lines(text):
        found = _WORD.fullmatch(line)
        if found is None:
            notes.fault(number, "a quote without its end")
        elif not found[2]:
            notes.fault(number, f"expected something behind {found[1]!r}")
        else:
            yield number, found[1], found[2].strip()
