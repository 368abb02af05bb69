"""Counts that hold for all processes of a server together.

An attacker must not get a limit once for each worker.  So the workers share a piece
of memory in which each of them has a row: it writes into its own row only, and adds
up all rows when it wants to know.  There are no locks, and none is needed: a word of
eight octets is written at once.  What somebody reads may be older by the time of a
few instructions; a limit may be passed by as many connections as are accepted in
that time, one for each other worker.

In a row there are three tables, of open connections by network, of failed logins by
address and user, and of pairs of them that are known.  A table is an array of sets of
:data:`WAYS` places.  A keyed hash, whose key is new at every start, gives a key its
set and a tag of 64 bits: nobody can choose keys that meet (attack: refuse others by
collision), and that two of 100,000 keys do is a matter of 1 : 10**13.

* Where a set has no place left for a network, the other workers do not hear of it;
  the worker itself counts exactly all the same.  With 10,000 networks connected, as
  many as one service takes connections by default, that is 4 in 100,000 networks.
* Where it has none for failures, those that were added to longest ago go, as they do
  where one process counts alone.

A worker that dies leaves its row.  Who takes its place takes the row: nothing is
connected to it yet, and the failures count on.  The memory goes with the last process;
a server that starts anew has forgotten all.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import tempfile
from hashlib import blake2b

#: Keys that may be in one set of one row.
WAYS = 8
_WORD = 8
#: Rows, services, and sets of each table; then the key of the hash.
_HEADER = struct.Struct("=5Q32s")
_HEADER_WORDS = 16
_PLACE = struct.Struct("=QQ")
#: A window of time and its count in one word: tenths of a second at which it ends,
#: and the count in the lowest bits.
_COUNT_BITS = 24
_COUNT_MASK = (1 << _COUNT_BITS) - 1


class SharedCounts:
    """One process's view of the shared memory.

    :param descriptor: of the memory, from :func:`make_memory`.
    :param row: which one is this process's.
    """

    def __init__(self, descriptor: int, row: int) -> None:
        self._map = mmap.mmap(descriptor, 0)
        rows, services, *sets, key = _HEADER.unpack_from(self._map)
        if not 0 <= row < rows:
            raise ValueError(f"there is no row {row} of {rows}")
        self._words = memoryview(self._map).cast("Q")
        self._rows, self._row = rows, row
        start = _HEADER_WORDS + services * rows
        tables: list[_Table] = []
        for name, columns, number in zip(_NAMES, _COLUMNS, sets, strict=True):
            table = _Table(self._words, start, number, columns, (rows, row), name, key)
            tables.append(table)
            start += table.size
        self._networks, self._failures, self._known = tables
        for service in range(services):
            self._words[_HEADER_WORDS + service * rows + row] = 0
        self._networks.clear()

    def service(self, number: int) -> SharedConnections:
        """The open connections of a service.

        :param number: of the service, the same in all processes.
        """
        place = _HEADER_WORDS + number * self._rows
        totals = self._words[place : place + self._rows]
        return SharedConnections(totals, self._row, self._networks, f"{number} ")

    def tally(self, kind: str, minute: float, day: float) -> SharedTally:
        """Failed logins; see :class:`mailhub.auth.throttle.SharedFailures`."""
        return SharedTally(self._failures, kind, minute, day)

    def is_known(self, pair: str) -> bool:
        """Whether any process remembers *pair*."""
        return bool(self._known.everywhere(*self._known.find(pair)))

    def remember(self, pair: str) -> None:
        """Remember it; where there is no room, forget the one before longest."""
        table = self._known
        start, tag = table.find(pair)
        place = table.own(start, tag)
        newest = 1 + max(table.column(start, 1))
        if place < 0:
            place = table.claim(start, 1)
        table.put(start, 1, place, newest)
        table.put(start, 0, place, tag)

    def forget(self, pair: str) -> None:
        """Forget it, as far as this process has remembered it."""
        start, tag = self._known.find(pair)
        place = self._known.own(start, tag)
        if place >= 0:
            self._known.put(start, 0, place, 0)

    def close(self) -> None:
        """Use it no more; what is given out must not be used any more either."""
        self._words.release()


class SharedConnections:
    """The open connections of one service: this process's, and how many others have.

    :param totals: of all connections, by row.
    :param networks: the table of connections by network.
    :param prefix: what makes keys of this service differ from those of others.
    """

    def __init__(
        self, totals: memoryview, row: int, networks: _Table, prefix: str
    ) -> None:
        self._totals = totals
        self._row = row
        self._networks = networks
        self._prefix = prefix

    def open(self, number: int) -> int:
        """This process has *number* now.  -> all others together"""
        totals = self._totals
        totals[self._row] = number
        return sum(totals) - number

    def of_network(self, network: str, number: int) -> int:
        """This process has *number* of a network now.  -> all others together"""
        table = self._networks
        start, tag = table.find(self._prefix + network)
        place = table.own(start, tag)
        if place < 0:
            if number:
                place = table.free(start)
            if place >= 0:
                table.put(start, 1, place, number)
                table.put(start, 0, place, tag)
        else:
            table.put(start, 1, place, number)
            if not number:
                table.put(start, 0, place, 0)
        everywhere = table.everywhere(start, tag)
        return sum(table.get(start, 1, each) for each in everywhere if each != place)


class SharedTally:
    """Failures of all processes, by key.

    A minute or a day begins with the first failure that a process sees.

    :param minute: seconds of the one window, and
    :param day: of the other.
    """

    def __init__(self, table: _Table, kind: str, minute: float, day: float) -> None:
        self._table = table
        self._kind = kind
        self._lengths = minute, day

    def figures(self, key: str, now: float) -> tuple[int, int]:
        """Failures of *key* in the windows that are running."""
        table = self._table
        start, tag = table.find(self._kind + key)
        moment = int(now * 10)
        in_minute = in_day = 0
        for place in table.everywhere(start, tag):
            in_minute += _running(table.get(start, 1, place), moment)
            in_day += _running(table.get(start, 2, place), moment)
        return in_minute, in_day

    def add(self, key: str, now: float) -> None:
        """Count one."""
        table = self._table
        start, tag = table.find(self._kind + key)
        place = table.own(start, tag)
        if place < 0:
            place = table.claim(start, 3)
            table.put(start, 1, place, 0)
            table.put(start, 2, place, 0)
        moment = int(now * 10)
        for column, length in enumerate(self._lengths, 1):
            window = table.get(start, column, place)
            count = _running(window, moment)
            ends = window >> _COUNT_BITS if count else int((now + length) * 10)
            count = min(count + 1, _COUNT_MASK)
            table.put(start, column, place, ends << _COUNT_BITS | count)
        table.put(start, 3, place, moment)
        table.put(start, 0, place, tag)


#: The tables: their names in the hash, and the words of an entry, of which the first
#: is the tag; 0 is no entry.
_NAMES = (b"networks", b"failures", b"known")
_COLUMNS = (2, 4, 2)


class _Table:
    """Sets of places.  A set has all its rows together, one word after the other."""

    def __init__(
        self,
        words: memoryview,
        start: int,
        sets: int,
        columns: int,
        position: tuple[int, int],
        name: bytes,
        key: bytes,
    ) -> None:
        rows, row = position
        self._words = words
        self._start = start
        self._mask = sets - 1
        self._span = rows * WAYS
        self._first = row * WAYS
        self._stride = columns * self._span
        self._hash = blake2b(digest_size=_PLACE.size, key=key, person=name)
        self.size = sets * self._stride

    def find(self, key: str) -> tuple[int, int]:
        """Where the set of *key* begins, and its tag there."""
        hashed = self._hash.copy()
        hashed.update(key.encode("utf-8", "surrogatepass"))
        which, tag = _PLACE.unpack(hashed.digest())
        return self._start + (which & self._mask) * self._stride, tag or 1

    def everywhere(self, start: int, tag: int) -> list[int]:
        """The places of all rows that have *tag*."""
        tags = self._words[start : start + self._span].tolist()
        if tag not in tags:
            return []
        return [place for place, other in enumerate(tags) if other == tag]

    def own(self, start: int, tag: int) -> int:
        """The place of this process that has *tag*, or -1."""
        tags = self.column(start, 0)
        return self._first + tags.index(tag) if tag in tags else -1

    def free(self, start: int) -> int:
        """A free place of this process, or -1."""
        return self.own(start, 0)

    def claim(self, start: int, age: int) -> int:
        """A place of this process, free or with the smallest word in column *age*."""
        place = self.free(start)
        if place < 0:
            ages = self.column(start, age)
            place = self._first + ages.index(min(ages))
            self.put(start, 0, place, 0)
        return place

    def column(self, start: int, column: int) -> list[int]:
        """The words of all places of this process."""
        first = start + column * self._span + self._first
        words: list[int] = self._words[first : first + WAYS].tolist()
        return words

    def get(self, start: int, column: int, place: int) -> int:
        """One word."""
        word: int = self._words[start + column * self._span + place]
        return word

    def put(self, start: int, column: int, place: int, word: int) -> None:
        """Write one word, which has to be this process's."""
        self._words[start + column * self._span + place] = word

    def clear(self) -> None:
        """Forget all of this process."""
        nothing = memoryview(bytes(WAYS * _WORD)).cast("Q")
        for each in range(self._mask + 1):
            first = self._start + each * self._stride + self._first
            if any(self._words[first : first + WAYS]):
                self._words[first : first + WAYS] = nothing


def make_memory(rows: int, services: int, connections: int, tracked: int) -> int:
    """-> the descriptor of memory for *rows* processes; it is not inherited by itself.

    Only what is used takes memory.

    :param connections: that one service may have.
    :param tracked: addresses, and users, whose failures are remembered.
    """
    sets = (
        _power(connections // 2),
        _power(3 * tracked // 4),
        _power(tracked // 2),
    )
    words = _HEADER_WORDS + services * rows + sum(
        number * columns * rows * WAYS
        for number, columns in zip(sets, _COLUMNS, strict=True)
    )
    descriptor = _anonymous_file()
    os.ftruncate(descriptor, words * _WORD)
    os.pwrite(
        descriptor, _HEADER.pack(rows, services, *sets, secrets.token_bytes(32)), 0
    )
    return descriptor


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mailhub-counts")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _power(least: int) -> int:
    """The next power of two."""
    return 1 << max(least - 1, 1).bit_length()


def _running(window: int, moment: int) -> int:
    """The count of a window, 0 if it is over."""
    return window & _COUNT_MASK if window >> _COUNT_BITS > moment else 0
