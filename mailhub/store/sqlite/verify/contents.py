"""The octets of messages, and what is kept beside them."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from ....mail.summary import Summary, summarise
from ..change import Change
from .accounts import account_ids
from .findings import Finding, Kind
from .structure import mode_of
from .view import View

#: Octets of content to look at in one state of the database, or one message.
SLICE = 8 * 1024 * 1024
#: Messages at most in one, and rows read at once to find out.
_STEP = 500
#: Octets read from a file at once.
_READ = 1024 * 1024

_ALL_ITEMS = (
    "select i.item_id, coalesce(b.size, 0) from item i"
    " left join blob b on b.blob_id = i.blob_id"
    " where i.item_id > ? order by i.item_id limit ?"
)
_ITEMS_OF_MAILBOX = (
    "select m.uid, coalesce(b.size, 0), m.item_id from message m"
    " join item i on i.item_id = m.item_id left join blob b on b.blob_id = i.blob_id"
    " where m.account_id = ? and m.mailbox_id = ? and m.uid > ?"
    " order by m.uid limit ?"
)
_ITEMS = (
    "select i.item_id, i.prefix, i.sent, i.envelope, i.bodystructure, i.body,"
    " h.header, h.parts, b.blob_id, b.digest, b.size, b.data from item i"
    " left join header h on h.item_id = i.item_id"
    " left join blob b on b.blob_id = i.blob_id"
    " where i.item_id in (select value from json_each(?))"
)
_WITHOUT_OCTETS = _ITEMS.replace("b.data", "length(b.data)")
_ALL_QUEUED = (
    "select m.message_id, coalesce(b.size, 0) from queue_message m"
    " left join blob b on b.blob_id = m.blob_id"
    " where m.message_id > ? order by m.message_id limit ?"
)
#: One without octets has been told of.
_QUEUED = (
    "select m.prefix, b.blob_id, b.digest, b.size, b.data from queue_message m"
    " join blob b on b.blob_id = m.blob_id"
    " where m.message_id in (select value from json_each(?))"
)
_QUEUED_WITHOUT_OCTETS = _QUEUED.replace("b.data", "length(b.data)")


@dataclass(frozen=True, slots=True)
class Content:
    """What the database has of one content.

    :ivar item_id: ``None`` of one in the queue.
    :ivar kept: what is kept beside the octets: see :func:`_derived`; ``None`` where
        nothing is, in the queue.
    :ivar blob_id: ``None`` where there is no row of octets, as all that follow.
    :ivar data: the octets, or their number if only that was read; ``None`` where
        a file has them.
    """

    item_id: int | None
    prefix: bytes
    kept: tuple[object, ...] | None
    blob_id: int | None
    digest: bytes
    size: int
    data: bytes | int | None


class Contents:
    """Messages in the order in which they came, each content once."""

    name = "messages"
    pieces = "select coalesce(sum(messages), 0) from mailbox"

    def __init__(self) -> None:
        #: A bit for each blob whose octets were right.
        self._right = bytearray()

    def scopes(self, view: View) -> Iterator[tuple[int, ...]]:
        if view.account_id is None:
            yield from _sliced(_each(view, _ALL_ITEMS, ()))
            return
        for account_id in account_ids(view):
            for (mailbox_id,) in view.rows(
                "select mailbox_id from mailbox where account_id = ?", account_id
            ):
                key = account_id, mailbox_id
                yield from _sliced(_each(view, _ITEMS_OF_MAILBOX, key))

    def look(self, view: View, scope: tuple[int, ...]) -> list[Finding]:
        statement = _WITHOUT_OCTETS if view.quick else _ITEMS
        found: list[Finding] = []
        for row in view.rows(statement, json.dumps(scope)):
            content = Content(row[0], row[1], row[2:8], *row[8:])
            found += self._look_at(view, content)
        return found

    def _look_at(self, view: View, content: Content) -> list[Finding]:
        if content.blob_id is None:
            view.lost_blobs = True
            detail = f"content {content.item_id} has no octets"
            return [Finding(Kind.NO_BLOB, detail, item_id=content.item_id)]
        if content.data is None:
            return self._look_at_file(view, content)
        if isinstance(content.data, int):
            return list(_size(content, content.data, is_right=False))
        view.octets += len(content.data)
        if not self._is_right(content.blob_id):
            if sha256(content.data).digest() != content.digest:
                return [_damaged(content)]
            self._note_right(content.blob_id)
        return [
            *_size(content, len(content.data), is_right=True),
            *_summary(content, content.data),
        ]

    def _look_at_file(self, view: View, content: Content) -> list[Finding]:
        path = view.files.path(content.digest)
        try:
            with open(path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                found = [*mode_of(path), *_size(content, size, not view.quick)]
                if view.quick:
                    return found
                view.octets += size
                if not self._is_right(content.blob_id):
                    if _digest(file) != content.digest:
                        return [*mode_of(path), _damaged(content)]
                    self._note_right(content.blob_id)
                # It has just been read whole: mapping it cannot meet a bad disk.
                with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as octets:
                    return [*found, *_summary(content, octets)]
        except FileNotFoundError:
            kind, detail = Kind.NO_FILE, f"{path} is missing"
        except (OSError, ValueError) as error:
            kind, detail = Kind.UNREADABLE, f"{path}: {error}"
        return [_finding(content, kind, detail)]

    def _is_right(self, blob_id: int | None) -> bool:
        byte, bit = divmod(blob_id or 0, 8)
        return byte < len(self._right) and bool(self._right[byte] & 1 << bit)

    def _note_right(self, blob_id: int | None) -> None:
        byte, bit = divmod(blob_id or 0, 8)
        self._right.extend(bytes(max(byte + 1 - len(self._right), 0)))
        self._right[byte] |= 1 << bit


class QueuedContents(Contents):
    """The same of the queue, where nothing is kept beside the octets."""

    name = "queued messages"
    pieces = "select count(*) from queue_message"

    def scopes(self, view: View) -> Iterator[tuple[int, ...]]:
        if view.account_id is None:
            yield from _sliced(_each(view, _ALL_QUEUED, ()))

    def look(self, view: View, scope: tuple[int, ...]) -> list[Finding]:
        statement = _QUEUED_WITHOUT_OCTETS if view.quick else _QUEUED
        found: list[Finding] = []
        for prefix, *blob in view.rows(statement, json.dumps(scope)):
            found += self._look_at(view, Content(None, prefix, None, *blob))
        return found


def _each(
    view: View, statement: str, values: tuple[int, ...]
) -> Iterator[tuple[int, int]]:
    """Numbers of contents and their octets, read some at a time."""
    last = -1
    while rows := view.rows(statement, *values, last, _STEP):
        yield from [(row[-1] if len(row) > 2 else row[0], row[1]) for row in rows]
        last = rows[-1][0]


def _sliced(items: Iterator[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """Contents of :data:`SLICE` octets together, or one that is larger."""
    together: list[int] = []
    octets = 0
    for item_id, size in items:
        if together and (octets + size > SLICE or len(together) >= _STEP):
            yield tuple(together)
            together, octets = [], 0
        together.append(item_id)
        octets += size
    if together:
        yield tuple(together)


def _digest(file: Any) -> bytes:
    digest = sha256()
    while data := file.read(_READ):
        digest.update(data)
    return digest.digest()


def _finding(content: Content, kind: Kind, detail: str, **more: Any) -> Finding:
    return Finding(
        kind, detail, blob=content.digest.hex(), item_id=content.item_id, **more
    )


def _damaged(content: Content) -> Finding:
    detail = "the octets have another SHA-256 than those that were stored"
    return _finding(content, Kind.CONTENT, detail)


def _size(content: Content, size: int, is_right: bool) -> Iterator[Finding]:
    """
    :param is_right: the octets have been looked at.
    """
    if content.size != size:
        detail = f"{content.size} octets are noted, there are {size}"
        repair = partial(_set_size, content.blob_id, size) if is_right else None
        yield _finding(content, Kind.BLOB_SIZE, detail, repair=repair)


def _set_size(blob_id: int | None, size: int, change: Change) -> None:
    change.connection.execute(
        "update blob set size = ? where blob_id = ?", (size, blob_id)
    )


#: What is kept beside octets, in the order of ``_ITEMS``.
_KEPT = ("date", "envelope", "bodystructure", "body", "header", "parts")


def _derived(made: Summary) -> tuple[object, ...]:
    return (
        made.sent, made.envelope, made.bodystructure, made.body, made.header, made.parts
    )


def _summary(content: Content, octets: Any) -> Iterator[Finding]:
    if content.kept is None:
        return
    made = summarise(content.prefix, octets)
    derived = _derived(made)
    if content.kept != derived:
        other = [
            name
            for name, kept, right in zip(_KEPT, content.kept, derived, strict=True)
            if kept != right
        ]
        detail = f"not as derived from the octets: {', '.join(other)}"
        repair = partial(_rewrite, content.item_id, made)
        yield _finding(content, Kind.SUMMARY, detail, repair=repair)


def _rewrite(item_id: int | None, made: Summary, change: Change) -> None:
    change.connection.execute(
        "update item set sent = ?, envelope = ?, bodystructure = ?, body = ?"
        " where item_id = ?",
        (made.sent, made.envelope, made.bodystructure, made.body, item_id),
    )
    change.connection.execute(
        "insert or replace into header values (?, ?, ?)",
        (item_id, made.header, made.parts),
    )


