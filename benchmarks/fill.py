"""Fill a store with many small messages, without a server.

::

    python -m benchmarks.fill DIRECTORY --messages 1000000 --accounts 100

A data directory with the accounts ``u0@bench.test`` and so on gets that many
messages, each account the same number, in the order in which mail for all of them
would come: a lot for each in turn.  A store that has some already gets more.
A million takes a few minutes.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from mailhub.interfaces import IMailAccount
from mailhub.mail.flags import NO_FLAGS
from mailhub.mail.mailbox import INBOX
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

from .messages import small

DOMAIN = "bench.test"
#: Messages that an account gets at once, if it gets so many.
LOT = 250
#: Lots that are made while others are committed.
AT_ONCE = 8
#: When the first message came; one more comes each second.
FIRST_DATE = 1_700_000_000


def parser() -> ArgumentParser:
    """What can be asked for."""
    found = ArgumentParser(
        prog="python -m benchmarks.fill", description="Fill a store with mail."
    )
    found.add_argument("directory", help="the data directory, made if missing")
    found.add_argument("--messages", type=int, default=1_000_000, help="in all")
    found.add_argument("--accounts", type=int, default=1, help="who gets them")
    found.add_argument(
        "--first", type=int, default=0, help="number of the first message"
    )
    return found


async def fill(store: SQLiteStore, options: Namespace) -> None:
    """Put the messages into *store*."""
    accounts = [await _account(store, number) for number in range(options.accounts)]
    lots = _lots(options.messages, accounts, options.first)
    begin = time.perf_counter()
    # Each goes on with the next lot that nobody has taken.
    workers = [Deferred.fromCoroutine(_append(lots)) for _ in range(AT_ONCE)]
    for worker in workers:
        await worker
    seconds = time.perf_counter() - begin
    rate = options.messages / seconds
    sys.stdout.write(f"{options.messages} messages, {rate:.0f} per second\n")


async def _account(store: SQLiteStore, number: int) -> IMailAccount:
    address = f"u{number}@{DOMAIN}"
    if await store.directory.find_account(address) is None:
        await store.directory.add_domain(DOMAIN)
        await store.directory.add_account(address, "")
    return await store.open_account(address)


def _lots(
    count: int, accounts: list[IMailAccount], first: int
) -> Iterator[tuple[IMailAccount, range]]:
    """Whose turn it is, and the numbers of the messages."""
    lot = max(1, min(LOT, count // len(accounts)))
    for turn, start in enumerate(range(first, first + count, lot)):
        numbers = range(start, min(start + lot, first + count))
        yield accounts[turn % len(accounts)], numbers


async def _append(lots: Iterator[tuple[IMailAccount, range]]) -> None:
    for account, numbers in lots:
        await account.append(
            INBOX,
            [
                (BytesContent(small(number)), NO_FLAGS, FIRST_DATE + number)
                for number in numbers
            ],
        )


async def _run(clock: Any, options: Namespace) -> None:
    store = SQLiteStore(
        options.directory,
        reactor=clock,
        spool=Spool,
    )
    await store.start()
    try:
        await fill(store, options)
    finally:
        await store.stop()


def main() -> None:
    """Do it."""
    options = parser().parse_args()
    react(_run, [options])


if __name__ == "__main__":
    main()
