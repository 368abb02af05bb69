"""A visible place for messages that nothing leads to any more."""

from __future__ import annotations

from collections.abc import Callable

from ....errors import NoSuchMailbox
from ....mail.summary import Summary, summarise
from ..change import Change, find_mailbox
from ..mailboxes import create
from ..messages import add
from .strays import RESCUED

_DAY = 86_400


def rescue_item(account_id: int | None, item_id: int, change: Change) -> None:
    """Put a content that is in no mailbox into the account's ``Rescued``."""
    rows = change.connection.execute(
        "select length(i.prefix) + b.size, i.sent from item i"
        " join blob b on b.blob_id = i.blob_id where i.item_id = ?",
        (item_id,),
    ).fetchall()
    if account_id is None or not rows:
        return
    [(size, sent)] = rows
    try:
        key = find_mailbox(change.connection, account_id, RESCUED)
    except NoSuchMailbox:
        create(change, account_id, RESCUED, None)
        key = find_mailbox(change.connection, account_id, RESCUED)
    # Whatever the quota is: this mail is in the store already.
    modseq = change.count_account(account_id)
    change.connection.execute(
        "update account set used = used + ? where account_id = ?", (size, account_id)
    )
    date = int(change.now) if sent is None else sent * _DAY
    add(change, key, modseq, [(0, date, size, item_id)])


def rescue_blob(account_id: int | None, blob_id: int, change: Change) -> None:
    """Make a message of octets that belong to none, and put it there as well."""
    [[data, digest]] = change.connection.execute(
        "select data, digest from blob where blob_id = ?", (blob_id,)
    ).fetchall()
    if account_id is None:
        return
    data = _octets(change, digest, data)
    rescue_item(account_id, _make_item(change, blob_id, b"", data), change)


def rescue_queued(account_id: int | None, message_id: int, change: Change) -> None:
    """Put a queued message that is for nobody there, instead of into the queue."""
    rows = change.connection.execute(
        "select b.blob_id, m.prefix, b.digest, b.data from queue_message m"
        " join blob b on b.blob_id = m.blob_id where m.message_id = ?",
        (message_id,),
    ).fetchall()
    if account_id is None or not rows:
        return
    [(blob_id, prefix, digest, data)] = rows
    change.connection.execute(
        "delete from queue_message where message_id = ?", (message_id,)
    )
    octets = _octets(change, digest, data)
    rescue_item(account_id, _make_item(change, blob_id, prefix, octets), change)


def _octets(change: Change, digest: bytes, data: bytes | None) -> bytes:
    if data is not None:
        return data
    with open(change.files.path(digest), "rb") as file:
        return file.read()


def _make_item(change: Change, blob_id: int, prefix: bytes, data: bytes) -> int:
    made: Summary = summarise(prefix, data)
    [[item_id]] = change.connection.execute(
        "insert into item (blob_id, sent, prefix, envelope, bodystructure, body)"
        " values (?, ?, ?, ?, ?, ?) returning item_id",
        (blob_id, made.sent, prefix, made.envelope, made.bodystructure, made.body),
    ).fetchall()
    change.connection.execute(
        "insert into header values (?, ?, ?)", (item_id, made.header, made.parts)
    )
    return int(item_id)


#: How to rescue a row of a table: account_id, its number, the change.
RESCUES: dict[str, Callable[[int | None, int, Change], None]] = {
    "item": rescue_item,
    "blob": rescue_blob,
}
