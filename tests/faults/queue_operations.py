"""What is done to the queue of a store, to be killed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mailhub.mail.account import Delivery, Target
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL, Alteration, Selection
from mailhub.mail.queued import Disposal, Lease, Outgoing, Sending, Settlement
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

from .ledger import LARGE_EVERY, make_message
from .nursery import Send
from .subject import USERS

LARGE, SMALL = 7 * LARGE_EVERY, 71
NOW = 1_795_225_600.0
ME = "this process"
NET = "example.net"
#: What is in the queue already, which shares its content with the first new one.
_WAITING, _LENT = (SMALL + 2, LARGE + LARGE_EVERY), (SMALL + 3, LARGE)

Open = Callable[..., None]
Task = Callable[[SQLiteStore], Awaitable[None]]


def sending(name: str, **more: Any) -> Sending:
    """A message to two destinations."""
    addresses = f"a@{NET}", f"b@{NET}", "c@example.com"
    outgoing = [Outgoing(each, each.partition("@")[2]) for each in addresses]
    made = Sending(
        name, "s@example.org", None, MailParameters(), tuple(outgoing), NOW, NOW,
        NOW + 1e6,
    )
    return replace(made, **more)


async def put(
    store: SQLiteStore, number: int, *sendings: Sending, users: tuple[str, ...] = ()
) -> None:
    """Message *number* for the queue, and for mailboxes."""
    accounts = [await store.directory.find_account(user) for user in users]
    targets = tuple(Target(each.account_id) for each in accounts if each)
    content = BytesContent(make_message(number))
    await store.deliver(Delivery(content, b"X: y\r\n", targets, 0, sendings))


async def fill(store: SQLiteStore) -> None:
    """Mail in the queue, some of it lent."""
    for number in _WAITING:
        await put(store, number, sending(f"W{number}"))
    for number in _LENT:
        lent = sending(f"L{number}", keeper=ME, kept_until=NOW + 600)
        await put(store, number, lent, sending(f"T{number}"))


async def lent(store: SQLiteStore) -> list[Lease]:
    """The leases that :func:`fill` was given in another process."""
    leases = []
    for entry in await store.queue.entries(ALL, 100):
        for destination in (NET, "example.com"):
            own = tuple(
                each
                for each in entry.recipients
                if each.recipient_id in entry.lent and each.destination == destination
            )
            if own:
                # Of a keeper from the start, that is what its token is.
                token = own[0].recipient_id
                leases.append(
                    Lease(entry.message, destination, own, token, NOW + 600)
                )
    return leases


async def accept(store: SQLiteStore) -> None:
    """Into the queue, for who sends at once."""
    await put(store, SMALL, sending("N", keeper=ME, kept_until=NOW + 600))


async def accept_large(store: SQLiteStore) -> None:
    """Into the queue and mailboxes, with two senders."""
    await put(store, LARGE, sending("N"), sending("M", sender=""), users=USERS)


async def lend(store: SQLiteStore) -> None:
    """Some of what is due."""
    await store.queue.lease(NET, 3, ME, NOW, NOW + 600)


async def settle(store: SQLiteStore) -> None:
    """An attempt that ended in each way."""
    [lease, *_] = await lent(store)
    one, two = [each.recipient_id for each in lease.recipients]
    await store.queue.settle(
        lease,
        [
            Settlement(one, Disposal.GONE),
            Settlement(two, Disposal.LATER, due=NOW + 60, status="4.4.1", reply="no"),
        ],
    )


async def settle_all(store: SQLiteStore) -> None:
    """The last attempts of a large message, and what its sender is told."""
    for lease in await lent(store):
        ends = _gone(lease)
        notice = Delivery(
            BytesContent(make_message(LARGE + 2 * LARGE_EVERY)), b"", (), 0,
            (sending("D", sender=""),),
        )
        last = lease.message.queue_id == f"L{LARGE}" and lease.destination != NET
        if last:
            await store.queue.settle(lease, ends, [notice])


def _gone(lease: Lease) -> list[Settlement]:
    return [Settlement(each.recipient_id, Disposal.GONE) for each in lease.recipients]


async def bring_to_last(store: SQLiteStore) -> None:
    """Let one recipient of the large message be left, who is lent."""
    await fill(store)
    for lease in await lent(store):
        if lease.message.queue_id == f"L{LARGE}" and lease.destination == NET:
            await store.queue.settle(lease, _gone(lease))


async def free(store: SQLiteStore) -> None:
    """What a keeper that has died had."""
    await store.queue.free(ME)


async def wake(store: SQLiteStore) -> None:
    """Leases whose time has ended."""
    await store.queue.ready(NOW + 600, 10)


async def alter(store: SQLiteStore) -> None:
    """A person has some go another way."""
    await store.queue.alter(
        Selection(destination=NET), Alteration(hold="x", destination="smtp:other"), NOW
    )


async def delete(store: SQLiteStore) -> None:
    """A person has all of it deleted."""
    await store.queue.alter(ALL, Alteration(delete=True), NOW)


#: What is done, and what it begins with.
TASKS: dict[str, tuple[Task, Task]] = {
    "queue: accept": (accept, fill),
    "queue: accept large, with users": (accept_large, fill),
    "queue: lease": (lend, fill),
    "queue: settle": (settle, fill),
    "queue: settle the last, and notify": (settle_all, bring_to_last),
    "queue: free": (free, fill),
    "queue: leases end": (wake, fill),
    "queue: alter": (alter, fill),
    "queue: delete": (delete, fill),
}


def perform(task: Task, open_store: Open, folder: Path, send: Send) -> None:
    """Do *task* in a child; *open_store* is that of :mod:`.operations`."""

    async def work(store: SQLiteStore) -> None:
        await task(store)
        send("answered")

    open_store(folder, work)


def performing(task: Task, open_store: Open) -> Callable[[Path, Send], None]:
    """What an operation calls."""
    return partial(perform, task, open_store)
