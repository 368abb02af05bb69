"""Flags as one integer: system flags as bits, keywords as the number of a set.

A change of system flags is arithmetic for SQL, whatever keywords there are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable

from ...errors import LimitReached
from ...mail.flags import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
    Flags,
    Keywords,
)

#: The bit of each system flag; part of the file format.
BITS = {SEEN: 1, ANSWERED: 2, FLAGGED: 4, DELETED: 8, DRAFT: 16}
SEEN_BIT = BITS[SEEN]
DELETED_BIT = BITS[DELETED]
SYSTEM_MASK = 31
#: The number of a keyword set stands above the bits; 0 is the empty set.
SHIFT = 5

#: Distinct keyword sets in use in one account.  A client could make 2**256 of
#: them out of the keywords that a mailbox may have; people's come to hundreds.
MAX_KEYWORD_SETS = 10_000

#: Sets that :class:`FlagReader` remembers.
_REMEMBERED = 50_000

SYSTEM_SETS: dict[int, Flags] = {
    bits: frozenset(flag for flag, bit in BITS.items() if bits & bit)
    for bits in range(SYSTEM_MASK + 1)
}


class FlagReader:
    """Turns stored flags into flag sets; equal ones are the same object.

    It may remember what it read, as only committed rows are read here and the
    number of a set never comes back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sets: dict[int, Flags] = dict(SYSTEM_SETS)

    def sets(self, column: Collection[int]) -> list[Flags]:
        """The flag sets for a column of stored flags."""
        known = self._sets
        try:
            return [known[value] for value in column]
        except KeyError:
            self._learn(set(column))
            return [self._sets[value] for value in column]

    def _learn(self, values: set[int]) -> None:
        if len(self._sets) > _REMEMBERED:
            self._sets = dict(SYSTEM_SETS)
        for value in values - self._sets.keys():
            self._sets[value] = decode(self._connection, value)


def decode(connection: sqlite3.Connection, value: int) -> Flags:
    """The flag set that *value* stands for."""
    system = SYSTEM_SETS[value & SYSTEM_MASK]
    number = value >> SHIFT
    if number == 0:
        return system
    [[keywords]] = connection.execute(
        "select keywords from keyword_set where keyword_set_id = ?", (number,)
    ).fetchall()
    return system | frozenset(keywords.split("\n"))


def encode_all(
    connection: sqlite3.Connection,
    account_id: int,
    mailbox_id: int,
    sets: list[Flags],
) -> list[int]:
    """What stands for each of *sets* in a mailbox, which learns their keywords.

    To be called inside a transaction.

    :raises LimitReached: too many keywords, or sets of them.
    """
    if not any(flags.difference(BITS) for flags in sets):
        return [system_bits(flags) for flags in sets]
    known = _spellings(connection, account_id, mailbox_id)
    sets = Keywords(known).learn(sets)
    connection.executemany(
        "insert into keyword values (?, ?, ?)",
        [
            (account_id, mailbox_id, flag)
            for flag in frozenset().union(*sets).difference(known)
            if flag[0] != "\\"
        ],
    )
    values = {flags: _encode(connection, account_id, flags) for flags in set(sets)}
    _check_room(connection, account_id, values.values())
    return [values[flags] for flags in sets]


def spell(
    connection: sqlite3.Connection, account_id: int, mailbox_id: int, flags: Flags
) -> Flags:
    """*flags* in the mailbox's spelling, without learning any."""
    if not flags.difference(BITS):
        return flags
    return Keywords(_spellings(connection, account_id, mailbox_id)).spell(flags)


def _spellings(
    connection: sqlite3.Connection, account_id: int, mailbox_id: int
) -> list[str]:
    rows = connection.execute(
        "select spelling from keyword where account_id = ? and mailbox_id = ?",
        (account_id, mailbox_id),
    ).fetchall()
    return [spelling for (spelling,) in rows]


def _encode(connection: sqlite3.Connection, account_id: int, flags: Flags) -> int:
    bits = system_bits(flags)
    keywords = flags.difference(BITS)
    if not keywords:
        return bits
    text = "\n".join(sorted(keywords))
    rows = connection.execute(
        "select keyword_set_id from keyword_set where account_id = ? and keywords = ?",
        (account_id, text),
    ).fetchall()
    if not rows:
        rows = connection.execute(
            "insert into keyword_set (account_id, keywords) values (?, ?)"
            " returning keyword_set_id",
            (account_id, text),
        ).fetchall()
    return int(rows[0][0]) << SHIFT | bits


def system_bits(flags: Flags) -> int:
    """The bits of the system flags among *flags*."""
    return sum(BITS[flag] for flag in flags if flag in BITS)


def _check_room(
    connection: sqlite3.Connection, account_id: int, wanted: Iterable[int]
) -> None:
    """Forget sets that nothing carries or wants if there are too many.

    :raises LimitReached: all are needed.
    """
    if _count_sets(connection, account_id) <= MAX_KEYWORD_SETS:
        return
    connection.execute(
        "delete from keyword_set where account_id = ?1 and keyword_set_id not in"
        " (select distinct flags >> 5 from message where account_id = ?1"
        " union select value from json_each(?2))",
        (account_id, json.dumps([value >> SHIFT for value in wanted])),
    )
    if _count_sets(connection, account_id) > MAX_KEYWORD_SETS:
        raise LimitReached(f"more than {MAX_KEYWORD_SETS} keyword sets in an account")


def _count_sets(connection: sqlite3.Connection, account_id: int) -> int:
    [[number]] = connection.execute(
        "select count(*) from keyword_set where account_id = ?", (account_id,)
    ).fetchall()
    return int(number)
