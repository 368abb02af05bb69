"""What the queue of a store costs, without servers around it::

    python -m benchmarks.queueing
    python -m benchmarks.queueing --messages 100000 --destinations 1000

Messages go in, are lent and settled, in groups as a busy server has them; then the
questions of a scheduler are asked while very many wait.  Seconds of CPU and of the
clock are those of this process, for one message or one question.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import react

from mailhub.mail.account import Delivery, Target
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL, Alteration
from mailhub.mail.queued import Disposal, Lease, Outgoing, Sending, Settlement
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

#: Messages that wait for a commit together.
GROUP = 50
#: Times that a question is asked.
_ASKED = 20
NOW = 1_795_225_600.0
_PREFIX = (
    b"Received: from client.example (client.example [192.0.2.1])\r\n"
    b"\tby mx.example.org with ESMTP id 12345678;\r\n"
    b"\tSat, 21 Nov 2026 01:46:40 +0000\r\n"
)
_TEXT = "From: a@example.org\r\nSubject: %d\r\n\r\n" + ("0123456789" * 7 + "\r\n") * 56


def tell(text: str, *values: object) -> None:
    """Write a line."""
    sys.stdout.write(f"{text.format(*values)}\n")
    sys.stdout.flush()


@contextmanager
def measured(what: str, times: int) -> Iterator[None]:
    """Tell what one of *times* costs."""
    began, used = time.monotonic(), time.process_time()
    yield
    used, took = time.process_time() - used, time.monotonic() - began
    microseconds = [each / times * 1e6 for each in (took, used)]
    tell("{:42} {:9.1f} us, {:9.1f} us of CPU", what, *microseconds)


async def in_groups(
    items: list[Any], work: Callable[[Any], Awaitable[Any]], size: int = GROUP
) -> list[Any]:
    """What *work* gives for each of *items*, some at a time."""
    results: list[Any] = []
    for start in range(0, len(items), size):
        works = [ensureDeferred(work(each)) for each in items[start : start + size]]
        results += await gatherResults(works)
    return results


def deliveries(
    messages: int, destinations: int, targets: tuple[Target, ...] = (), **more: Any
) -> list[Delivery]:
    """Messages of 4 KB; without destinations they go to *targets* only."""
    made = []
    for number in range(messages):
        content = BytesContent((_TEXT % number).encode())
        assert content.digest
        sendings = ()
        if destinations:
            name = f"d{number % destinations}.example"
            sendings = (
                Sending(
                    f"Q{number:09d}", f"s{number % 7}@example.org", None,
                    MailParameters(size=content.size),
                    (Outgoing(f"r{number}@{name}", name),), NOW, NOW, NOW + 1e6, **more,
                ),
            )
        made.append(Delivery(content, _PREFIX, targets, int(NOW), sendings))
    return made


def settling(queue: Any, settlement: Callable[[int], Settlement]) -> Any:
    """-> a coroutine function that ends a lease"""

    async def settle(lease: Lease) -> bool:
        ends = [settlement(each.recipient_id) for each in lease.recipients]
        is_own: bool = await queue.settle(lease, ends)
        return is_own

    return settle


async def through(store: SQLiteStore, messages: int) -> None:
    """Messages that pass, at once and after a while."""
    queue = store.queue
    account = await store.directory.add_account("a@example.org", "")
    local = deliveries(messages, 0, (Target(account.account_id),))
    with measured("into a mailbox", messages):
        await in_groups(local, store.deliver)
    gone = settling(queue, lambda number: Settlement(number, Disposal.GONE))
    lent = deliveries(messages, 10, keeper="k", kept_until=NOW + 600)
    with measured("into the queue, lent at once", messages):
        results = await in_groups(lent, store.deliver)
    leases = [lease for each in results for lease in each]
    with measured("settled", messages):
        await in_groups(leases, gone)
    waiting = deliveries(messages, 10)
    with measured("into the queue, to wait", messages):
        await in_groups(waiting, store.deliver)
    leases = []
    with measured("lent, some at a time", messages):
        for number in range(10):
            name = f"d{number}.example"
            while some := await queue.lease(name, GROUP, "k", NOW, NOW + 600):
                leases += some
    later = settling(
        queue, lambda number: Settlement(number, Disposal.LATER, NOW + 60, "4.4.1")
    )
    with measured("settled, to be tried again", messages):
        await in_groups(leases, later)
    with measured("tried again and settled", messages):
        while ready := await queue.ready(NOW + 60, 10):
            for each in ready:
                await in_groups(
                    await queue.lease(
                        each.destination, GROUP, "k", NOW + 60, NOW + 600
                    ),
                    gone,
                )


async def full(store: SQLiteStore, messages: int, destinations: int) -> None:
    """Questions while very many wait."""
    queue = store.queue
    some = 5000
    for _ in range(0, messages, some):
        await in_groups(deliveries(some, destinations), store.deliver, 200)
    with measured(f"ready, of {messages} in {destinations}", _ASKED):
        for _ in range(_ASKED):
            await queue.ready(NOW, destinations)
    with measured("next_due", _ASKED):
        for _ in range(_ASKED):
            await queue.next_due(NOW)
    leases = []
    with measured(f"lease of {GROUP}", _ASKED):
        for number in range(_ASKED):
            leases += await queue.lease(
                f"d{number}.example", GROUP, "k", NOW, NOW + 600
            )
    asked = min(destinations, 500)
    with measured(f"lease of 4, of {asked} at once", asked):
        more = await in_groups(
            [f"d{number}.example" for number in range(asked)],
            lambda name: queue.lease(name, 4, "k", NOW, NOW + 600), asked,
        )
    leases += [lease for each in more for lease in each]
    with measured("settle of one", len(leases)):
        await in_groups(
            leases, settling(queue, lambda number: Settlement(number, Disposal.GONE))
        )
    with measured("ages", 1):
        await queue.ages(NOW, [60.0, 3600.0])
    for what, alteration in (
        ("hold", Alteration(hold="x")), ("release", Alteration(hold="")),
        ("delete", Alteration(delete=True)),
    ):
        with measured(f"{what} of all, each", messages):
            longest = await beside(store, queue.alter(ALL, alteration, NOW))
        tell("{:42} {:9.1f} ms: the longest that others waited", "", longest * 1e3)


async def beside(store: SQLiteStore, work: Awaitable[Any]) -> float:
    """-> the most seconds that a change waited while *work* was done"""
    done: Deferred[Any] = ensureDeferred(work)
    longest = 0.0
    while not done.called:
        began = time.monotonic()
        await store.directory.add_domain(f"d{began}.example")
        longest = max(longest, time.monotonic() - began)
    await done
    return longest


async def main(arguments: argparse.Namespace) -> None:
    """All of it, in a store of its own."""
    from twisted.internet import reactor

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = SQLiteStore(folder, reactor=reactor, spool=Spool)
        await store.start()
        await through(store, 5000)
        await full(store, arguments.messages, arguments.destinations)
        await store.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("::")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--destinations", type=int, default=1000)
    parser.add_argument("--folder", help="where the store lies")
    chosen = parser.parse_args()
    react(lambda _: ensureDeferred(main(chosen)), [])
