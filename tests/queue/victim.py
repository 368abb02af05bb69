"""A scheduler of a store on disk, in a process that a test kills.

Usage: ``python -m tests.queue.victim FOLDER LEDGER [LIMITS]``.  Every message that goes
out is a line of the ledger.  It ends when all that is left is held.  Limits are JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

from twisted.internet import task
from twisted.internet.defer import Deferred

from mailhub.mail.account import Delivery
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queue_list import Selection
from mailhub.mail.queued import Lease, Letter, Outcome, Outgoing, Result, Sending
from mailhub.net.spool import Spool
from mailhub.queue.keepers import Keepers
from mailhub.queue.scheduler import Scheduler
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

#: Recipients with this in their name do not exist.
NOBODY = "nobody"
NOTICES = "notices.example"
#: Whoever tries to reach them ends the process, with this status.
POISON, STATUS = "poison", 9
#: What fails is tried again soon.
FIRST_RETRY = 0.5


class Ledger:
    """``IWayOut``: the other servers' memory, which nothing is lost from."""

    def __init__(self, path: str, reactor: object) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._reactor = reactor

    async def send(self, lease: Lease, content: object) -> list[Result]:
        await task.deferLater(self._reactor, 0.03)
        results = []
        for each in lease.recipients:
            if POISON in each.recipient:
                os._exit(STATUS)
            if NOBODY in each.recipient and lease.destination != NOTICES:
                results.append(Result(Outcome.FAILED, "5.1.1", "550 nobody"))
                continue
            os.write(self._file, f"{lease.destination} {each.recipient}\n".encode())
            results.append(Result(Outcome.DELIVERED, "2.0.0", "250 ok"))
        return results


async def dispatch(letter: Letter) -> Delivery:
    """A notification is sent to whom it is about, as that tells them apart."""
    about = letter.octets.partition(b"Final-Recipient: rfc822; ")[2].split(b"\r\n")[0]
    now = time.time()
    outgoing = Outgoing(about.decode("ascii"), NOTICES)
    name = f"L{os.urandom(6).hex()}"
    sending = Sending(
        name, "", None, letter.parameters, (outgoing,), now, now, now + 86_400
    )
    return Delivery(BytesContent(letter.octets), b"", (), int(now), (sending,))


async def work(reactor: object, folder: str, path: str, limits: str = "{}") -> None:
    """Send until nothing is left."""
    chosen = QueueLimits(**{"first_retry": FIRST_RETRY, **json.loads(limits)})
    store = SQLiteStore(folder, reactor=reactor, spool=Spool)
    await store.start()
    scheduler = Scheduler(
        store.queue, Ledger(path, reactor), reactor, chosen, dispatch,
        keepers=Keepers(f"{folder}/run/keepers"),
    )
    scheduler.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    while await store.queue.entries(Selection(held=False), 1):
        await task.deferLater(reactor, 0.05)
    await scheduler.stop()
    await store.stop()


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(work(reactor, *sys.argv[1:])))
