"""Columns of messages, as sessions ask for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from ...interfaces import IContent
from ...mail.mailbox import Column
from ...mail.mime import load
from ..content import BytesContent
from .change import Key
from .content import FileMessage, RowMessage
from .files import IN_ROW, BlobFiles

#: What a column is in the database.  Column.CONTENT needs more than one.
_EXPRESSIONS = {
    Column.INTERNAL_DATE: "m.internal_date",
    Column.SIZE: "m.size",
    Column.ENVELOPE: "i.envelope",
    Column.BODYSTRUCTURE: "i.bodystructure",
    Column.BODY: "i.body",
    Column.HEADER: "h.header",
    Column.PARTS: "h.parts",
}

_CONTENT = ["i.prefix", "b.blob_id", "b.digest", "b.size", "b.data is null"]
_FROM_ITEM = frozenset(
    {Column.ENVELOPE, Column.BODYSTRUCTURE, Column.BODY, Column.CONTENT}
)
_FROM_HEADER = frozenset({Column.HEADER, Column.PARTS})

#: Octets of content to read at once; more than that is read when it is asked for,
#: so that a session holds no more in memory however slowly its client reads.
EAGER = 4 * 1024 * 1024

#: UIDs per message up to which a range is read rather than a list.
_DENSE = 4
_RANGE = "m.uid between ? and ?"
_LIST = "m.uid in (select value from json_each(?)) order by m.uid"


def fetch(
    connection: sqlite3.Connection,
    files: BlobFiles,
    key: Key,
    uids: Sequence[int],
    columns: tuple[Column, ...],
) -> list[tuple]:
    """See :meth:`mailhub.interfaces.IMailbox.fetch`."""
    if not uids:
        return []
    first, last = uids[0], uids[-1]
    which = _RANGE if last - first < _DENSE * len(uids) else _LIST
    values = (*key, first, last) if which is _RANGE else (*key, json.dumps(list(uids)))
    # So few have no more than that in rows, whatever their sizes.
    most = last - first + 1 if which is _RANGE else len(uids)
    eager = Column.CONTENT in columns and (
        most * IN_ROW <= EAGER or _is_small(connection, which, values)
    )
    rows = connection.execute(_statement(columns, which, eager), values).fetchall()
    if which is _RANGE and len(uids) != last - first + 1:
        wanted = set(uids)
        rows = [row for row in rows if row[0] in wanted]
    if Column.PARTS in columns:
        rows = _with_parts(rows, columns)
    if Column.CONTENT in columns:
        rows = _with_content(connection, files, rows, columns)
    return rows


@lru_cache(maxsize=256)
def _statement(columns: tuple[Column, ...], which: str, eager: bool) -> str:
    """Constant text for each choice: SQLite keeps it prepared."""
    chosen = ["m.uid", *(_EXPRESSIONS[c] for c in columns if c is not Column.CONTENT)]
    tables = "message m"
    if _FROM_ITEM.intersection(columns):
        tables += " join item i on i.item_id = m.item_id"
    if _FROM_HEADER.intersection(columns):
        tables += " join header h on h.item_id = m.item_id"
    if Column.CONTENT in columns:
        tables += " join blob b on b.blob_id = i.blob_id"
        chosen += _CONTENT
        if eager:
            chosen.append("b.data")
    return (
        f"select {', '.join(chosen)} from {tables}"
        f" where m.account_id = ? and m.mailbox_id = ? and {which}"
    )


def _is_small(connection: sqlite3.Connection, which: str, values: tuple) -> bool:
    [[octets]] = connection.execute(
        "select total(size) from (select m.size from message m where m.account_id = ?"
        f" and m.mailbox_id = ? and {which}) where size <= {IN_ROW}",
        values,
    ).fetchall()
    return bool(octets <= EAGER)


def _with_parts(rows: list[tuple], columns: tuple[Column, ...]) -> list[tuple]:
    place = 1 + [c for c in columns if c is not Column.CONTENT].index(Column.PARTS)
    return [(*row[:place], load(row[place]), *row[place + 1 :]) for row in rows]


def _with_content(
    connection: sqlite3.Connection,
    files: BlobFiles,
    rows: list[tuple],
    columns: tuple[Column, ...],
) -> list[tuple]:
    place = 1 + columns.index(Column.CONTENT)
    end = len(columns)
    return [
        (*row[:place], content_of(connection, files, *row[end:]), *row[place:end])
        for row in rows
    ]


def content_of(
    connection: sqlite3.Connection,
    files: BlobFiles,
    prefix: bytes,
    blob_id: int,
    digest: bytes,
    size: int,
    in_file: int,
    data: bytes | None = None,
) -> IContent:
    """The octets of a message.

    :param in_file: whether a file holds the content.
    :param data: the content, if it has been read.
    """
    if data is not None:
        return BytesContent(prefix + data)
    if in_file:
        return FileMessage(prefix, files.path(digest), size, digest)
    return RowMessage(connection, prefix, (blob_id, digest), size)
