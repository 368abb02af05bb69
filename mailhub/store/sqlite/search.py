"""Search: what is cheap to know first, then texts of what is left.

It runs on the reactor in slices of :data:`SLICE` seconds, so that a search of a
large mailbox holds up nobody; a session that ends cancels it.  What is large is looked
through in a thread: decoding a single message may take a quarter of a second (attack:
megabytes of base64, a hundred thousand encoded words).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, cast

from twisted.internet.task import deferLater

from ...errors import LocalFault
from ...mail.flags import Flags
from ...mail.headers import Octets
from ...mail.matching import Need, Stage, compile_query
from ...mail.mime import Part, load
from ...mail.query import And, Not, Or, Query, SentDate, UidSet
from .access import Access
from .change import Key, mailbox_state
from .schema import storage_faults

#: Seconds after which others get their turn.
SLICE = 0.005

#: Octets of a message or of a header from which on a thread is worth its while: up to
#: there it is a millisecond's work.
LARGE = 65_536

#: Messages to read at a time: about a millisecond's work, with their headers.
_PAGE = 500

_MAX_UID = 2**32 - 1

#: A message as the search carries it along: uid, flags as stored, internal_date,
#: size, item_id; and what was asked for of sent and header, else ``None``.
Row = tuple[int, int, int, int, int, Any, Any]


class Candidate:
    """A message as :mod:`mailhub.mail.matching` looks at it.

    One object serves all messages of a search in turn.

    :ivar row: the message it is at the moment.
    """

    __slots__ = ("_flags", "content", "parts", "row")
    row: Row
    parts: Part
    content: Octets

    def __init__(self, flags: Mapping[int, Flags]) -> None:
        self._flags = flags

    @property
    def uid(self) -> int:
        return self.row[0]

    @property
    def flags(self) -> Flags:
        return self._flags[self.row[1]]

    @property
    def internal_date(self) -> int:
        return self.row[2]

    @property
    def size(self) -> int:
        return self.row[3]

    @property
    def sent(self) -> int | None:
        return cast("int | None", self.row[5])

    @property
    def header(self) -> bytes:
        return cast(bytes, self.row[6])


class Joined:
    """A prefix and an open file of *size* octets, which slices see as one.

    The file is read and not mapped: of a disk that fails one hears by an error,
    not by a signal that ends the process.
    """

    def __init__(self, prefix: bytes, descriptor: int, size: int) -> None:
        self._prefix = prefix
        self._descriptor = descriptor
        self._size = len(prefix) + size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """
        :raises OSError: the file cannot be read.
        """
        start, stop, _ = part.indices(self._size)
        shift = len(self._prefix)
        head = self._prefix[start:stop]
        start = max(start, shift)
        if stop <= start:
            return head
        return head + os.pread(self._descriptor, stop - start, start - shift)


class Pace:
    """Takes turns with everything else on the reactor.

    :param clock: provides ``callLater``.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._ends = time.perf_counter() + SLICE

    async def rest(self) -> None:
        """Let others have their turn if ours has lasted long enough."""
        if time.perf_counter() > self._ends:
            await deferLater(self._clock, 0)
            self._ends = time.perf_counter() + SLICE


async def search(access: Access, key: Key, query: Query) -> list[int]:
    """See :meth:`mailhub.interfaces.IMailbox.search`."""
    stages = compile_query(query).stages
    cheap = [stage for stage in stages if stage.need <= Need.ROW]
    headers = [stage for stage in stages if stage.need is Need.HEADER]
    contents = [stage for stage in stages if stage.need is Need.CONTENT]
    # Headers come along at once where they will be wanted of every message.
    at_once = bool(headers) and not cheap
    statement = _statement(_asks_for_sent(query), at_once)
    pace = Pace(access.reactor)
    first, last = _bounds(query)
    found: list[int] = []
    while first <= last:
        rows, flags = _page(access, key, statement, first, last)
        first = rows[-1][0] + 1 if len(rows) == _PAGE else last + 1
        message = Candidate(flags)
        left = _filter(message, rows, cheap)
        if left and (headers or contents) and not at_once:
            left = _with_headers(access, left)
        left = await _filter_headers(access, message, left, headers)
        for row in left if contents else ():
            message.row = row
            if await _content_matches(access, message, contents):
                found.append(row[0])
            await pace.rest()
        if not contents:
            found += [row[0] for row in left]
            await pace.rest()
    return found


def _bounds(query: Query) -> tuple[int, int]:
    """The lowest and the highest UID that can match."""
    match query:
        case UidSet():
            if not query.ranges:
                return 1, 0
            return query.ranges[0][0], min(query.ranges[-1][1], _MAX_UID)
        case And() if query.terms:
            lows, highs = zip(*map(_bounds, query.terms), strict=True)
            return max(lows), min(highs)
    return 1, _MAX_UID


def _asks_for_sent(query: Query) -> bool:
    match query:
        case And() | Or():
            return any(map(_asks_for_sent, query.terms))
        case Not():
            return _asks_for_sent(query.term)
    return isinstance(query, SentDate)


@lru_cache
def _statement(with_sent: bool, with_header: bool) -> str:
    tables = "message m"
    if with_sent:
        tables += " join item i on i.item_id = m.item_id"
    if with_header:
        tables += " join header h on h.item_id = m.item_id"
    return (
        "select m.uid, m.flags, m.internal_date, m.size, m.item_id,"
        f" {'i.sent' if with_sent else 'null'}, {'h.header' if with_header else 'null'}"
        f" from {tables} where m.account_id = ? and m.mailbox_id = ?"
        f" and m.uid between ? and ? order by m.uid limit {_PAGE}"
    )


def _page(
    access: Access, key: Key, statement: str, first: int, last: int
) -> tuple[list[Row], dict[int, Flags]]:
    """-> messages in UID order, and what their flags mean"""
    with access.reading() as connection:
        mailbox_state(connection, key)
        rows = connection.execute(statement, (*key, first, last)).fetchall()
        values = list({row[1] for row in rows})
        sets = access.flags.sets(values)
    return rows, dict(zip(values, sets, strict=True))


def _filter(message: Candidate, rows: list[Row], stages: Sequence[Stage]) -> list[Row]:
    """Those of *rows* that pass all *stages*."""
    for stage in stages:
        match = stage.match
        left = []
        for row in rows:
            message.row = row
            if match(message):
                left.append(row)
        rows = left
    return rows


async def _filter_headers(
    access: Access, message: Candidate, rows: list[Row], stages: Sequence[Stage]
) -> list[Row]:
    """:func:`_filter` for stages that look into headers."""
    if not stages or all(len(row[6]) < LARGE for row in rows):
        return _filter(message, rows, stages)
    left = []
    for row in rows:
        if len(row[6]) < LARGE:
            left += _filter(message, [row], stages)
        else:
            left += await access.aside(partial(_filter, message, [row], stages))
    return left


def _with_headers(access: Access, rows: list[Row]) -> list[Row]:
    with access.reading() as connection:
        found = dict(
            connection.execute(
                "select item_id, header from header where item_id in"
                " (select value from json_each(?))",
                (json.dumps([row[4] for row in rows]),),
            ).fetchall()
        )
    # One that has been removed meanwhile matches nothing.
    return [(*row[:6], found[row[4]]) for row in rows if row[4] in found]


async def _content_matches(
    access: Access, message: Candidate, stages: Sequence[Stage]
) -> bool:
    with access.reading() as connection:
        rows = connection.execute(
            "select h.parts, i.prefix, b.digest, b.size, b.data from item i"
            " join header h on h.item_id = i.item_id"
            " join blob b on b.blob_id = i.blob_id where i.item_id = ?",
            (message.row[4],),
        ).fetchall()
    if not rows:
        return False
    [(parts, prefix, digest, size, data)] = rows

    def matches() -> bool:
        message.parts = load(parts)
        if data is not None:
            message.content = prefix + data
            return all(stage.match(message) for stage in stages)
        with storage_faults(), open(access.files.path(digest), "rb") as file:
            message.content = cast(Octets, Joined(prefix, file.fileno(), size))
            return all(stage.match(message) for stage in stages)

    if len(prefix) + size < LARGE:
        return matches()
    try:
        return await access.aside(matches)
    except LocalFault as fault:
        if isinstance(fault.__cause__, FileNotFoundError):
            return False  # Removed meanwhile.
        raise
