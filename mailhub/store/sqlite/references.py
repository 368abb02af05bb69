"""Who still needs an item or a blob: messages the items, items and queue the blobs.

Each has one reference; those beyond are counted in a thin table of their own, so
that a copy of a thousand messages does not rewrite their headers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from .change import Change


def share_items(
    connection: sqlite3.Connection, shares: Iterable[tuple[int, int]]
) -> None:
    """Note more references: pairs of item_id and their number."""
    connection.executemany(
        "insert into shared_item values (?, ?)"
        " on conflict do update set extra = extra + excluded.extra",
        shares,
    )


def share_blobs(
    connection: sqlite3.Connection, shares: Iterable[tuple[int, int]]
) -> None:
    """Note more references: pairs of blob_id and their number."""
    connection.executemany(
        "insert into shared_blob values (?, ?)"
        " on conflict do update set extra = extra + excluded.extra",
        shares,
    )


def share_blob(connection: sqlite3.Connection, blob_id: int) -> None:
    """Note one more reference to a blob."""
    share_blobs(connection, [(blob_id, 1)])


def drop_items(change: Change, item_ids: Iterable[int]) -> None:
    """Leave one reference to each of the items to :mod:`purge`."""
    since = int(change.now)
    change.connection.executemany(
        "insert into garbage (item_id, since) values (?, ?)",
        [(item_id, since) for item_id in item_ids],
    )


def release_item(connection: sqlite3.Connection, item_id: int) -> None:
    """Give up one reference; with the last one the item goes."""
    if _still_shared(connection, "item", item_id):
        return
    connection.execute("delete from header where item_id = ?", (item_id,))
    rows = connection.execute(
        "delete from item where item_id = ? returning blob_id", (item_id,)
    ).fetchall()
    release_blobs(connection, [blob_id for (blob_id,) in rows])


def release_blobs(connection: sqlite3.Connection, blob_ids: Sequence[int]) -> None:
    """Give up one reference to each; with the last one a blob goes.

    Of many, most have no other: those go together.
    """
    if not blob_ids:
        return
    shared = connection.execute(
        "select blob_id from shared_blob where blob_id in"
        " (select value from json_each(?))",
        (json.dumps(blob_ids),),
    ).fetchall()
    last: Sequence[int] = blob_ids
    if shared:
        counted = {blob_id for (blob_id,) in shared}
        last = [
            blob_id
            for blob_id in blob_ids
            if blob_id not in counted
            or not _still_shared(connection, "blob", blob_id)
        ]
    rows = connection.execute(
        "delete from blob where blob_id in (select value from json_each(?))"
        " returning iif(data is null, digest, null)",
        (json.dumps(last),),
    ).fetchall()
    connection.executemany(
        "insert or ignore into doomed_file values (?)",
        [row for row in rows if row[0] is not None],
    )


def _still_shared(connection: sqlite3.Connection, kind: str, number: int) -> bool:
    """Take away a reference beyond the first.  -> whether there was one

    :param kind: ``item`` or ``blob``.
    """
    rows = connection.execute(
        f"update shared_{kind} set extra = extra - 1 where {kind}_id = ?"
        " returning extra",
        (number,),
    ).fetchall()
    if rows and rows[0][0] <= 0:
        connection.execute(f"delete from shared_{kind} where {kind}_id = ?", (number,))
    return bool(rows)
