"""How long a killed server takes to come back, with many messages in its store::

    python -m tests.faults.recovery
    python -m tests.faults.recovery --messages 1000000

Each store is filled, then its server is killed under load and started again, some
times.  What is measured is the time from the start of the program to the greetings on
all ports, and to the first message that is taken and durable.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults

from mailhub.mail.account import Delivery, Target
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

from .crowd import Crowd, Members
from .kill import conclude, say
from .ledger import make_message
from .nursery import Child
from .operations import open_store
from .promises import Book
from .subject import USERS, Subject
from .wire import SMTPWire

#: Messages in the stores, and the seconds in which each server must be back.
LIMITS = {10_000: 2.0, 100_000: 10.0}
#: For stores of other sizes.
LIMIT = 10.0
#: Deliveries to put into a store at a time.
BATCH = 250
#: Seconds of load before a kill.
LOAD = 1.0


@dataclass
class Recovery:
    """What was measured with a store of so many *messages*: seconds of each start."""

    messages: int
    greetings: list[float] = field(default_factory=list)
    deliveries: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.messages} messages: slowest of {len(self.greetings)} starts after"
            f" kills: greetings {max(self.greetings):.2f} s, first message"
            f" {max(self.deliveries):.2f} s"
        )

    @property
    def criterion(self) -> tuple[str, bool]:
        """What has to hold, and whether it did."""
        limit = LIMITS.get(self.messages, LIMIT)
        return f"{self}, at most {limit} s", max(self.deliveries) <= limit


async def fill(store: SQLiteStore, messages: int) -> None:
    """Small messages, for all users in turn."""
    accounts = [await store.directory.find_account(user) for user in USERS]
    targets = [Target(account.account_id) for account in accounts if account]
    contents = [make_message(number) for number in range(1, BATCH) if number % 10]
    for start in range(0, messages, BATCH):
        await gatherResults(
            [
                _deliver(store, b"X-Number: %d\r\n" % number, targets, contents)
                for number in range(start, min(start + BATCH, messages))
            ]
        )


def _deliver(
    store: SQLiteStore, prefix: bytes, targets: list[Target], contents: list[bytes]
) -> Any:
    number = int(prefix.split()[1])
    # No two messages are the same, so that none is stored only once.
    content = BytesContent(prefix + contents[number % len(contents)])
    target = targets[number % len(targets)]
    return ensureDeferred(store.deliver(Delivery(content, b"", (target,), 0)))


def measure(messages: int, starts: int, folder: Path) -> Recovery:
    """Fill a store, then kill its server so many times."""
    recovery = Recovery(messages)
    subject = Subject(folder)
    subject.set_up()
    log = folder / "log"
    Child(
        lambda send: open_store(subject.data, lambda store: fill(store, messages)), log
    ).join()
    subject.start()
    try:
        for _ in range(starts):
            crowd = Crowd(subject.ports, Book(), Members())
            crowd.start()
            time.sleep(LOAD)
            subject.kill()
            crowd.stop()
            began = time.monotonic()
            recovery.greetings.append(subject.start())
            with closing(SMTPWire(subject.ports.smtp)) as client:
                client.mail("sender@example.net", [USERS[0]], b"Subject: x\r\n\r\n")
            recovery.deliveries.append(time.monotonic() - began)
    finally:
        subject.kill()
    return recovery


def run(
    sizes: list[int], starts: int, tell: Callable[[str], object]
) -> dict[str, bool]:
    """-> what has to hold, and whether it did."""
    criteria = {}
    for messages in sizes:
        with tempfile.TemporaryDirectory(prefix="mailhub-recovery-") as folder:
            recovery = measure(messages, starts, Path(folder))
        tell(str(recovery))
        text, is_met = recovery.criterion
        criteria[text] = is_met
    return criteria


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.recovery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, nargs="+", default=list(LIMITS))
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    return conclude(run(options.messages, options.starts, say), [])


if __name__ == "__main__":
    sys.exit(main())
