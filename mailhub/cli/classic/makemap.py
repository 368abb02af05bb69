"""``makemap``: make a table of keys and values from lines, or show it.

::

    makemap [-d] [-e] [-f] [-o] [-r] [-v] TYPE NAME < LINES
    makemap -u TYPE NAME

The server reads the lines themselves; what is made is for programs that look whether
``NAME.db`` is there and newer, and it holds what the lines say.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress

from ..invocation import Invocation
from ..outcome import Exit, Failure
from .options import Takes, read

#: Kinds that other programs have; here they are all the same.
TYPES = ("hash", "btree", "dbm", "cdb", "lmdb")
_TABLE = "create table map (key text primary key, value text) without rowid"
_LETTERS = dict.fromkeys("defNorsluvi", Takes.NOTHING) | dict.fromkeys(
    "CDt", Takes.VALUE
)


def main(invocation: Invocation, arguments: Sequence[str]) -> None:
    """
    :raises Failure: the lines make no table.
    """
    options, others = read(arguments, _LETTERS)
    flags = {letter for letter, _ in options}
    separator = dict(options).get("t")
    if "l" in flags:
        invocation.terminal.stdout.write("".join(f"{each}\n" for each in TYPES))
        return
    if len(others) != 2 or others[0] not in TYPES:
        text = f"usage: makemap [-defoNruv] {'|'.join(TYPES)} NAME"
        raise Failure(Exit.USAGE, text)
    path = others[1] if others[1].endswith(".db") else f"{others[1]}.db"
    if "u" in flags:
        for key, value in stored(path):
            invocation.terminal.stdout.write(f"{key}\t{value}\n")
        return
    pairs = _pairs(invocation.terminal.stdin, separator, flags)
    known = dict(stored(path)) if "o" in flags and os.path.exists(path) else {}
    make(path, _without_doubles(pairs, known, flags))
    if "v" in flags:
        invocation.terminal.tell(f"makemap: {path} has been made")


def _pairs(
    lines: Iterable[str], separator: str | None, flags: set[str]
) -> Iterator[tuple[int, str, str]]:
    """Number, key and value of each line.

    :raises Failure: a line has no value.
    """
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text.strip() or text.startswith("#"):
            continue
        key, *rest = text.split(separator, 1)
        value = rest[0].strip() if rest else ""
        if not value and "e" not in flags:
            raise Failure(Exit.DATA_WRONG, f"line {number}: no value for {key!r}")
        yield number, key if "f" in flags else key.lower(), value


def _without_doubles(
    pairs: Iterable[tuple[int, str, str]], known: dict[str, str], flags: set[str]
) -> dict[str, str]:
    """
    :raises Failure: a key comes twice, and may not.
    """
    found = dict(known)
    for number, key, value in pairs:
        if key in found and not flags & {"d", "r"}:
            raise Failure(Exit.DATA_WRONG, f"line {number}: duplicate key {key!r}")
        if key not in found or "r" in flags:
            found[key] = value
    return found


def make(path: str, pairs: dict[str, str]) -> None:
    """Write the table *path*, which is the old one or this one at any time.

    :raises Failure: it cannot be written.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".makemap-")
    except OSError as error:
        raise Failure(Exit.CANNOT_CREATE, f"{path}: {error.strerror}") from None
    os.close(handle)
    try:
        with closing(sqlite3.connect(temporary)) as table, table:
            table.execute(_TABLE)
            table.executemany("insert into map values (?, ?)", pairs.items())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def stored(path: str) -> list[tuple[str, str]]:
    """The pairs of the table *path*, by key.

    :raises Failure: there is none.
    """
    if not os.path.exists(path):
        raise Failure(Exit.NO_INPUT, f"{path}: no such file")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as table:
            return table.execute("select key, value from map order by key").fetchall()
    except sqlite3.Error as error:
        raise Failure(Exit.DATA_WRONG, f"{path}: {error}") from None
