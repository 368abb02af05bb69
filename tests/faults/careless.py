"""The server with one of its precautions against faults taken out::

    python -m tests.faults.careless PRECAUTION[+...] [arguments of twistd...]

As :mod:`tests.faults.broken` does for promises, so this for what the server does when
something around it breaks: each test has to notice.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.scripts.twistd import run

from mailhub.errors import LocalFault, StorageFull

#: In the first octets of messages that some code cannot bear.
POISON_FOR_CHECK = b"X-Poison: check"
POISON_FOR_PARSER = b"X-Poison: parser"
POISON_FOR_SENDER = b"X-Poison: sender"


def without_threads() -> None:
    """Large messages are looked into where everybody waits for it."""
    from mailhub.store.sqlite import access, incoming

    async def here(reactor: Any, pool: Any, work: Any, *arguments: Any) -> Any:
        return work(*arguments)

    incoming.deferToThreadPool = here  # type: ignore[assignment]
    access.deferToThreadPool = here  # type: ignore[assignment]


def without_try_again() -> None:
    """A fault of ours is told as if it were the sender's."""
    for kind in (LocalFault, StorageFull):
        kind.permanent = True
    from mailhub.smtp import replies

    for kind in (LocalFault, StorageFull):
        replies._WORDINGS[kind] = replies._Wording(554, 554, "Transaction failed")


def without_capacity() -> None:
    """As many connections as come, whatever descriptors there are."""
    from mailhub.net import descriptors

    descriptors.Capacity.is_used_up = property(lambda capacity: False)


def without_new_descriptor() -> None:
    """After a flush has failed, the next one asks the same descriptor."""
    from mailhub.store.sqlite.writer import Writer

    def reopen(writer: Writer) -> None:
        if writer._connection.in_transaction:
            writer._connection.execute("rollback")

    # mypy takes a method for something that cannot be replaced.
    Writer._reopen = reopen  # type: ignore[method-assign]


def with_poison() -> None:
    """A check and a parser that raise, each for messages that say so."""
    from mailhub.mail import summary
    from mailhub.policy.check import Verdict
    from mailhub.policy.hops import HopLimit

    check, summarise = HopLimit.message, summary.summarise

    async def message(limit: HopLimit, envelope: Any, content: Any) -> Verdict:
        if POISON_FOR_CHECK in await content.read(0, 4096):
            raise ZeroDivisionError("a check has a bug")
        return await check(limit, envelope, content)

    def poisoned(prefix: bytes, content: Any) -> summary.Summary:
        if POISON_FOR_PARSER in bytes(content[:4096]):
            raise RecursionError("a parser has a bug")
        return summarise(prefix, content)

    HopLimit.message = message  # type: ignore[method-assign]
    summary.summarise = poisoned


def with_crash() -> None:
    """What sends mail cannot bear some of it: the process dies, some time after
    whoever has brought it has been answered.  Everything is tried again soon.
    """
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    from mailhub.outbound.ways import WayOut
    from mailhub.queue.scheduler import Scheduler

    make = Scheduler.__init__

    def hasten(
        self: Any, queue: Any, way: Any, clock: Any, limits: Any, *more: Any,
        **named: Any,
    ) -> None:
        hasty = replace(limits, first_retry=2.0)
        make(self, queue, way, clock, hasty, *more, **named)

    send = WayOut.send

    async def crash(self: Any, lease: Any, content: Any) -> Any:
        if POISON_FOR_SENDER in await content.read(0, 4096):
            await deferLater(reactor, 0.1)
            os.kill(os.getpid(), signal.SIGSEGV)
        return await send(self, lease, content)

    WayOut.send = crash  # type: ignore[method-assign]
    Scheduler.__init__ = hasten  # type: ignore[method-assign]


def without_notes() -> None:
    """Nobody finds out what a process did when it died."""
    from mailhub.queue.keepers import Begun

    Begun.add = lambda self, token: -1  # type: ignore[method-assign]


def without_streams() -> None:
    """Messages that arrive stay in memory, however large."""
    from mailhub.net import spool

    spool.MEMORY_LIMIT = 1 << 40


def with_probe() -> None:
    """A timer of 10 ms that writes down how late it was, and who worked meanwhile."""
    from mailhub.observing import lag

    file = open("lag", "w", buffering=1 << 16)  # noqa: SIM115
    lag.INTERVAL = 0.01
    before = [0.0, 0.0, 0.0]

    def look(probe: Any) -> None:
        now = time.monotonic()
        thread, process = time.thread_time(), time.process_time()
        late = max(0.0, now - probe._due)
        worked = f"{thread - before[0]:.4f} {process - before[1]:.4f}"
        file.write(f"{now:.4f} {late:.4f} {worked}\n")
        if now > before[2]:
            before[2] = now + 0.2
            file.flush()
        before[:2] = thread, process
        probe._wait()

    lag.ReactorLag._look = look  # type: ignore[method-assign]


def without_isolation() -> None:
    """A bug in a command ends the process, as an exception nobody expects may."""
    from mailhub.smtp.server import SMTPConnection

    SMTPConnection.report_fault = lambda self: os._exit(3)  # type: ignore


def without_line_limits() -> None:
    """Lines are kept until their end, however long it takes."""
    from mailhub.net.connection import Connection

    async def discard(connection: Connection) -> None:
        await connection._more_input()

    async def read_line(connection: Connection, limit: int) -> bytes:
        while (line := connection._input.take_line(1 << 40)) is None:
            await connection._more_input()
        return line

    Connection.read_line = read_line  # type: ignore[method-assign]
    Connection._discard_line = discard  # type: ignore[method-assign]


def without_moderation() -> None:
    """Each bug is told with its traceback, however often it comes."""
    from mailhub.logbook import Complaints

    Complaints.is_due = lambda self: True  # type: ignore[method-assign]


def without_patience() -> None:
    """A name that nobody can tell is taken for one that does not exist."""
    from mailhub.errors import DNSFault

    DNSFault.permanent = True


def without_lanes() -> None:
    """Whoever has mail waiting gets as many attempts as there are."""
    from mailhub.queue import lanes

    lanes._part = lambda lane: 1.0
    lanes.HESITATION = lanes.DOUBT = lanes.FIRST_PART = float("inf")
    lanes.Lanes._doubtful = lambda self, now: 0  # type: ignore[method-assign]


def without_deadlines() -> None:
    """Who is slow may stay, whichever side has opened the connection."""
    from mailhub.net.connection import Connection

    Connection.sweep = lambda self, now: None  # type: ignore[method-assign]


def without_steady_clock() -> None:
    """Timers go by the machine's clock, whoever sets it."""
    from mailhub import tap

    tap.keep_steady = lambda reactor: None


def without_row() -> None:
    """Mail leaves the queue before it is known how the attempt ends."""
    from mailhub.mail.queued import Disposal, Settlement
    from mailhub.queue.attempts import Attempts
    from mailhub.store.content import BytesContent, octets_of

    attempt = Attempts._try

    async def forget(self: Any, errand: Any) -> Any:
        lease = errand.lease
        content = await self._queue.open(lease.message.message_id)
        errand.content = BytesContent(await octets_of(content))
        content.close()
        gone = [Settlement(one.recipient_id, Disposal.GONE) for one in lease.recipients]
        await self._queue.settle(lease, gone)
        return await attempt(self, errand)

    Attempts._try = forget  # type: ignore[method-assign]


PRECAUTIONS: dict[str, Callable[[], None]] = {
    "capacity": without_capacity,
    "deadlines": without_deadlines,
    "isolation": without_isolation,
    "lanes": without_lanes,
    "line-limits": without_line_limits,
    "patience": without_patience,
    "moderation": without_moderation,
    "new-descriptor": without_new_descriptor,
    "notes": without_notes,
    "row": without_row,
    "steady-clock": without_steady_clock,
    "streams": without_streams,
    "threads": without_threads,
    "try-again": without_try_again,
}


#: What makes the server fail, or tells how it does, beside what it does without.
POISONS = {"crash": with_crash, "poison": with_poison, "probe": with_probe}


if __name__ == "__main__":
    for name in sys.argv.pop(1).split("+"):
        (PRECAUTIONS | POISONS)[name]()
    sys.argv[0] = "twistd"
    run()
