"""Reads the list of attacks, ``tests/attacks.txt``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_suffix(".txt")

_TABLE = re.compile(r"^= (\w+)\n(.*?)(?=^= |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^([0-9]+): (.+)\n((?: .*\n)*)", re.MULTILINE)
_AS_ROW = "as row "
_TEST = " " * 8


@dataclass(frozen=True, slots=True)
class Attack:
    """One row.

    :ivar title: what is tried.
    :ivar tests: the full names of the tests that try it.
    """

    title: str
    tests: tuple[str, ...]


def read(text: str) -> dict[str, dict[int, Attack]]:
    """The tables in *text*, by name, and their rows by number.

    :raises ValueError: a number given twice.
    :raises KeyError: a row is as one that is not there.
    """
    tables: dict[str, dict[int, Attack]] = {}
    for name, rows in _TABLE.findall(text):
        table = tables[name] = {}
        for number, title, lines in _ROW.findall(rows):
            if int(number) in table:
                raise ValueError(f"row {number} twice")
            tests = _tests(lines, tables.get("attacks", {}))
            table[int(number)] = Attack(title, tuple(tests))
    return tables


def _tests(lines: str, attacks: dict[int, Attack]) -> Iterator[str]:
    case = ""
    for line in lines.splitlines():
        words = line.strip()
        if words.startswith(_AS_ROW):
            yield from attacks[int(words.removeprefix(_AS_ROW))].tests
        elif line.startswith(_TEST):
            yield f"tests.{case}.test_{words}"
        else:
            case = words


_TABLES = read(PATH.read_text())
#: By the numbers of the house's list.
ATTACKS = _TABLES["attacks"]
#: What was found wrong with the servers of ``twisted.mail``.
FAULTS_OF_TWISTED_MAIL = _TABLES["faults"]
