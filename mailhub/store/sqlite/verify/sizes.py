"""Messages' sizes, and whether there is anything behind them at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from ..change import Change, Key
from .findings import Finding, Kind
from .view import View

_OF_MAILBOX = "where m.account_id = ? and m.mailbox_id = ?"
_WITHOUT_ITEM = (
    f"select m.uid, m.item_id from message m {_OF_MAILBOX}"
    " and not exists (select 1 from item i where i.item_id = m.item_id)"
)
#: SQLite knows a value's length without reading it.
_OTHER_SIZE = (
    "select m.uid, m.size, length(i.prefix), coalesce(length(b.data), b.size),"
    " b.digest, b.data is null from message m"
    " join item i on i.item_id = m.item_id join blob b on b.blob_id = i.blob_id"
    f" {_OF_MAILBOX}"
    " and m.size <> length(i.prefix) + coalesce(length(b.data), b.size)"
)


def look(view: View, key: Key, address: str | None, name: str) -> Iterator[Finding]:
    """What is wrong with the messages of one mailbox."""
    for uid, item_id in view.rows(_WITHOUT_ITEM, *key):
        detail = f"content {item_id} is missing"
        yield Finding(Kind.NO_ITEM, detail, address, name, uid)
    for uid, size, prefix, octets, digest, in_file in view.rows(_OTHER_SIZE, *key):
        right = prefix + (file_size(view, digest, octets) if in_file else octets)
        if size != right:
            yield Finding(
                Kind.SIZE, f"the size is {size}, there are {right} octets",
                address, name, uid, digest.hex(),
                repair=partial(_correct, key, uid, right),
            )


def file_size(view: View, digest: bytes, expected: int) -> int:
    """The octets of a file; of one that is missing, those that are expected."""
    try:
        return os.stat(view.files.path(digest)).st_size
    except OSError:
        return expected


def _correct(key: Key, uid: int, size: int, change: Change) -> None:
    change.connection.execute(
        "update message set size = ? where account_id = ? and mailbox_id = ?"
        " and uid = ?",
        (size, *key, uid),
    )
    change.touched.add(key)
