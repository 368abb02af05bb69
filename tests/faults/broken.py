"""The server with one of its precautions taken out::

    python -m tests.faults.broken PRECAUTION [arguments of twistd...]

A test of durability that cannot fail proves nothing.  These are the mistakes that it
has to find, made on purpose.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from twisted.internet.defer import ensureDeferred
from twisted.scripts.twistd import run

from mailhub.interfaces import IContent
from mailhub.mail.account import Account, Delivery
from mailhub.mail.flags import NO_FLAGS
from mailhub.mail.mailbox import Column, Copied
from mailhub.mail.queued import Lease, Settlement
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.sqlite import durable, store
from mailhub.store.sqlite.account import SQLiteAccount
from mailhub.store.sqlite.mailbox import SQLiteMailbox
from mailhub.store.sqlite.queue import SQLiteQueue
from mailhub.store.sqlite.store import SQLiteStore

#: Seconds between a premature answer and its commit.
HASTE = 0.05


def without_flush() -> None:
    """Nothing is ever flushed; the operating system writes when it likes."""
    durable.SYNCHRONOUS = "PRAGMA synchronous=OFF"
    without_file_flush()
    without_name_flush()


def without_commit_flush() -> None:
    """SQLite's way to be fast: the log is flushed now and then, not per commit."""
    durable.SYNCHRONOUS = "PRAGMA synchronous=NORMAL"


def without_file_flush() -> None:
    """Large messages are written to their file, which is not flushed."""
    durable.sync_file = lambda descriptor: None


def without_name_flush() -> None:
    """Files are flushed, the directories that name them are not."""
    durable.sync_directory = lambda path: None


def without_order() -> None:
    """The answer goes out a moment before the commit."""
    deliver = SQLiteStore.deliver

    async def deliver_late(store: SQLiteStore, delivery: Delivery) -> list[Lease]:
        content = BytesContent(await octets_of(cast(IContent, delivery.content)))
        late = replace(delivery, content=content)
        from twisted.internet import reactor  # twistd has chosen one by now

        reactor.callLater(HASTE, lambda: ensureDeferred(deliver(store, late)))
        return []

    # mypy takes a method for something that cannot be replaced.
    SQLiteStore.deliver = deliver_late  # type: ignore[assignment]


def without_one_move() -> None:
    """MOVE is an EXPUNGE and an APPEND, each with a commit of its own."""

    async def move(mailbox: SQLiteMailbox, uids: Sequence[int], target: str) -> Copied:
        # Read before they go, so that nothing is missing in the end.
        rows = await mailbox.fetch(uids, (Column.INTERNAL_DATE, Column.CONTENT))
        new = [
            (BytesContent(await octets_of(content)), NO_FLAGS, date)
            for _, date, content in rows
        ]
        gone = await mailbox.expunge(uids, deleted_only=False)
        account = SQLiteAccount(mailbox._access, Account(mailbox._key[0], ""))
        done = await account.append(target, new)
        return Copied(done.uidvalidity, gone, done.new_uids)

    SQLiteMailbox.move = move  # type: ignore[assignment]


def without_one_settlement() -> None:
    """Recipients leave the queue, and what their sender is told comes after."""
    settle, prepare = SQLiteQueue.settle, store.prepare

    async def settle_first(
        queue: SQLiteQueue, lease: Lease, settlements: Sequence[Settlement],
        deliveries: Sequence[Delivery] = (),
    ) -> bool:
        is_own = await settle(queue, lease, settlements)
        access = queue._access()
        for delivery in deliveries if is_own else ():
            await access.change(await prepare(access.intake, delivery))
        return is_own

    SQLiteQueue.settle = settle_first  # type: ignore[method-assign]


PRECAUTIONS: dict[str, Callable[[], None]] = {
    "flush": without_flush,
    "commit-flush": without_commit_flush,
    "file-flush": without_file_flush,
    "name-flush": without_name_flush,
    "order": without_order,
    "one-move": without_one_move,
    "one-settlement": without_one_settlement,
}


if __name__ == "__main__":
    PRECAUTIONS[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()
