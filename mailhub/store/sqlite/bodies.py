"""Messages on their way into the database: content, and what is said of it."""

from __future__ import annotations

import mmap
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .change import Change
from .references import share_blob, share_items

if TYPE_CHECKING:
    from ...mail.summary import Summary

#: As SQLite would give them: one above the highest there is.
_NEXT_IDS = (
    "select (select coalesce(max(blob_id), 0) + 1 from blob),"
    " (select coalesce(max(item_id), 0) + 1 from item)"
)


_FIND = "select blob_id from blob where digest = ?"


@dataclass(slots=True)
class NewBody:
    """The octets of a new message: *prefix*, then content.

    :ivar digest: SHA-256 of the content.
    :ivar data: the content, or ``None`` where it is in a file.
    :ivar path: the file that holds the content, until the message is stored; or
        ``""``.
    :ivar temporary: that file is ours, to be removed.
    :ivar kept: the store has made the content its own file already.
    """

    prefix: bytes
    digest: bytes
    content_size: int
    data: bytes | None = None
    path: str = ""
    temporary: bool = False
    kept: bool = False
    _summary: Summary | None = None

    @property
    def size(self) -> int:
        """Octets of the message."""
        return len(self.prefix) + self.content_size

    def summary(self) -> Summary:
        """What is kept of the message beside its octets; made once."""
        if self._summary is None:
            self._summary = self._summarise()
        return self._summary

    def _summarise(self) -> Summary:
        from ...mail.summary import summarise

        if self.data is not None:
            return summarise(self.prefix, self.data)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as content:
                return summarise(self.prefix, content)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Remove the file that held the content, if it was ours."""
        if self.temporary:
            self.temporary = False
            os.unlink(self.path)


def store_new(change: Change, new: Sequence[NewBody]) -> tuple[list[int], int] | None:
    """Put the contents of bodies in the database, each with one reference.

    -> their blob_ids, of rows that are there already where a content is known, and
    the first item_id that is free; ``None`` where one of them needs a look: all is to
    be undone then.
    """
    connection = change.connection
    [[blob_id, item_id]] = connection.execute(_NEXT_IDS).fetchall()
    for body in new:
        if body.data is None and not (body.kept and change.files.has(body.digest)):
            return None
    # sqlite3 looks for an adapter of every value that is of class bytes, which
    # takes longer than to copy it; of bytearrays it knows that there is none.
    octets = bytearray
    stored = connection.executemany(
        "insert or ignore into blob values (?, ?, ?, ?)",
        [
            (
                number, octets(body.digest), body.content_size,
                None if body.data is None else octets(body.data),
            )
            for number, body in enumerate(new, blob_id)
        ],
    )
    blob_ids = list(range(blob_id, blob_id + len(new)))
    if stored.rowcount != len(new):
        blob_ids = _known(connection, new, blob_ids)
    change.octets += sum([body.size for body in new if body.data is not None])
    return blob_ids, int(item_id)


def _known(
    connection: sqlite3.Connection, new: Sequence[NewBody], blob_ids: Sequence[int]
) -> list[int]:
    """Note references to contents that were there already.

    :param blob_ids: what they would have been.
    -> what they are.
    """
    rows = connection.execute(
        "select blob_id from blob where blob_id >= ?", blob_ids[:1]
    ).fetchall()
    made = {blob_id for (blob_id,) in rows}
    found = []
    for body, blob_id in zip(new, blob_ids, strict=True):
        if blob_id not in made:
            [[blob_id]] = connection.execute(_FIND, (body.digest,)).fetchall()
            share_blob(connection, blob_id)
        found.append(int(blob_id))
    return found


def store_items(
    change: Change, item_id: int, new: Sequence[NewBody], blob_ids: Sequence[int]
) -> None:
    """Put down what is kept of messages beside their contents.

    :param item_id: of the first, the others following.
    """
    octets = bytearray
    connection = change.connection
    summaries = [body.summary() for body in new]
    connection.executemany(
        "insert into item values (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number, blob_id, made.sent, octets(body.prefix),
                octets(made.envelope), octets(made.bodystructure), octets(made.body),
            )
            for number, (body, blob_id, made) in enumerate(
                zip(new, blob_ids, summaries, strict=True), item_id
            )
        ],
    )
    connection.executemany(
        "insert into header values (?, ?, ?)",
        [
            (number, octets(made.header), octets(made.parts))
            for number, made in enumerate(summaries, item_id)
        ],
    )


def store(change: Change, body: NewBody, references: int) -> int:
    """Put *body* in the database for that many messages.  -> item_id"""
    summary = body.summary()
    connection = change.connection
    blob_id = store_content(change, body)
    [[item_id]] = connection.execute(
        "insert into item (blob_id, sent, prefix, envelope, bodystructure, body)"
        " values (?, ?, ?, ?, ?, ?) returning item_id",
        (
            blob_id, summary.sent, body.prefix,
            summary.envelope, summary.bodystructure, summary.body,
        ),
    ).fetchall()
    connection.execute(
        "insert into header values (?, ?, ?)",
        (item_id, summary.header, summary.parts),
    )
    if references > 1:
        share_items(connection, [(item_id, references - 1)])
    return int(item_id)


def store_content(change: Change, body: NewBody) -> int:
    """Put content in the database for one who refers to it.

    -> blob_id, of a row that is there already where the content is known
    """
    connection = change.connection
    rows = connection.execute(_FIND, (body.digest,)).fetchall()
    if rows:
        share_blob(connection, rows[0][0])
        return int(rows[0][0])
    if body.data is not None:
        change.octets += body.size
    elif not (body.kept and change.files.has(body.digest)):
        # Another process has just removed it as unreferenced.
        change.files.keep(body.path, body.digest)
    [[blob_id]] = connection.execute(
        "insert into blob (digest, size, data) values (?, ?, ?) returning blob_id",
        (body.digest, body.content_size, body.data),
    ).fetchall()
    return int(blob_id)
