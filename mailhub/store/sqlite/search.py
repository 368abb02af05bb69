"""Search: what is cheap to know first, then texts of what is left.

It runs on the reactor in slices of :data:`SLICE` seconds, so that a search of a
large mailbox holds up nobody; a session that ends cancels it.
"""

from __future__ import annotations

import json
import mmap
import time
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.task import deferLater

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

#: Messages to read at a time: about a millisecond's work, with their headers.
_PAGE = 500

_MAX_UID = 2**32 - 1

_WITHOUT_SENT = (
    "select uid, flags, internal_date, size, item_id, null, null from message"
    " where account_id = ? and mailbox_id = ? and uid between ? and ?"
    f" order by uid limit {_PAGE}"
)
_WITH_SENT = (
    "select m.uid, m.flags, m.internal_date, m.size, m.item_id, i.sent, null"
    " from message m join item i on i.item_id = m.item_id where m.account_id = ?"
    f" and m.mailbox_id = ? and m.uid between ? and ? order by m.uid limit {_PAGE}"
)


class Candidate:
    """A message as :mod:`mailhub.mail.matching` looks at it.

    One object serves all messages of a search in turn.
    """

    __slots__ = (
        "content", "flags", "header", "internal_date", "parts", "sent", "size", "uid"
    )
    uid: int
    flags: Flags
    internal_date: int
    size: int
    sent: int | None
    header: bytes
    parts: Part
    content: Octets

    def take(self, row: tuple) -> None:
        """Be the message of *row*, in the order of the statements above."""
        (
            self.uid, self.flags, self.internal_date, self.size, _,
            self.sent, self.header,
        ) = row


class Joined:
    """A prefix and a mapped file, which slices see as one."""

    def __init__(self, prefix: bytes, mapped: mmap.mmap) -> None:
        self._prefix = prefix
        self._mapped = mapped

    def __len__(self) -> int:
        return len(self._prefix) + len(self._mapped)

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self))
        shift = len(self._prefix)
        return (
            self._prefix[start:stop]
            + self._mapped[max(start - shift, 0) : max(stop - shift, 0)]
        )


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
    statement = _WITH_SENT if _asks_for_sent(query) else _WITHOUT_SENT
    pace = Pace(access.reactor)
    first, last = _bounds(query)
    found: list[int] = []
    while first <= last:
        rows = _page(access, key, statement, first, last)
        first = rows[-1][0] + 1 if len(rows) == _PAGE else last + 1
        left = _filter(rows, cheap)
        if left and (headers or contents):
            left = _filter(_with_headers(access, left), headers)
        for row in left if contents else ():
            if _content_matches(access, row, contents):
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


def _page(
    access: Access, key: Key, statement: str, first: int, last: int
) -> list[tuple]:
    """Rows that :func:`_filter` takes, in UID order."""
    with access.reading() as connection:
        mailbox_state(connection, key)
        rows = connection.execute(statement, (*key, first, last)).fetchall()
        sets = access.flags.sets(row[1] for row in rows)
    return [(row[0], flags, *row[2:]) for row, flags in zip(rows, sets, strict=True)]


def _filter(rows: list[tuple], stages: Sequence[Stage]) -> list[tuple]:
    """Those of *rows* that pass all *stages*."""
    message = Candidate()
    for stage in stages:
        match = stage.match
        left = []
        for row in rows:
            message.take(row)
            if match(message):
                left.append(row)
        rows = left
    return rows


def _with_headers(access: Access, rows: list[tuple]) -> list[tuple]:
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


def _content_matches(access: Access, row: tuple, stages: Sequence[Stage]) -> bool:
    with access.reading() as connection:
        rows = connection.execute(
            "select h.parts, i.prefix, b.digest, b.data from item i"
            " join header h on h.item_id = i.item_id"
            " join blob b on b.blob_id = i.blob_id where i.item_id = ?",
            (row[4],),
        ).fetchall()
    if not rows:
        return False
    [(parts, prefix, digest, data)] = rows
    message = Candidate()
    message.take(row)
    message.parts = load(parts)
    if data is not None:
        message.content = prefix + data
        return all(stage.match(message) for stage in stages)
    with (
        storage_faults(),
        open(access.files.path(digest), "rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped,
    ):
        message.content = cast(Octets, Joined(prefix, mapped))
        return all(stage.match(message) for stage in stages)
