"""wN: what delivery and reading cost as the store grows.

The same work is done in stores of 1,000, 100,000 and 1,000,000 small messages: once
with the mailbox that has all of them, once with one beside it that has a thousand.
Only mailhub is filled that far.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator

from ..imap_client import IMAP, INBOX
from ..messages import small
from ..peers.base import Peer
from ..records import Record
from .delivery import deliver, make_batch
from .turn import Turn, signed_in

#: Clients that deliver at once, and messages on each of their connections.
AT_ONCE, EACH = 10, 20
#: New sessions that select the mailbox, and messages that are fetched.
SELECTS, FETCHES = 20, 300
#: Messages that are made at once while filling.
LOT = 1_000
#: Messages of the mailbox beside the large one.
BESIDE = 1_000


def wn(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Every size begins with a fresh store."""
    for number, size in enumerate(turn.plan.stored):
        if number:
            peer.stop()
            peer.setup()
            peer.start()
        large, beside = peer.users[:2]
        count = turn.plan.delivered
        rate = _fill(peer, large, size)
        yield Record("wn", f"filling, {size:,} stored", rate, "msg/s")
        _fill(peer, beside, BESIDE)
        yield from _work(peer, large, count, f"{size:,} stored")
        yield from _work(peer, beside, count, f"beside {size:,}")


def _fill(peer: Peer, user: str, size: int) -> float:
    """Messages per second."""
    begin = time.perf_counter()
    with signed_in(peer, user) as client:
        for first in range(0, size, LOT):
            numbers = range(first, min(size, first + LOT))
            client.append_many(INBOX, [small(number) for number in numbers])
    return size / (time.perf_counter() - begin)


def _work(peer: Peer, user: str, count: int, label: str) -> Iterator[Record]:
    batch = make_batch([user], "plain", count, EACH)
    deliver(peer, batch, [user], AT_ONCE)
    done = deliver(peer, batch, [user], AT_ONCE)
    each = done.cost.each_ms(done.arrived)
    yield Record("wn", f"delivery, {label}", done.rate, "msg/s", each)
    yield _timed(peer, f"SELECT, {label}", SELECTS, lambda: _select(peer, user))
    choice, size = random.Random(label), peer.count(user)
    with signed_in(peer, user) as client:
        client.command(b"SELECT INBOX")
        yield _timed(
            peer,
            f"FETCH of one message, {label}",
            FETCHES,
            lambda: _fetch(client, choice.randint(1, size)),
        )


def _timed(peer: Peer, case: str, times: int, work: Callable[[], float]) -> Record:
    """The median of what *work* returns, in milliseconds."""
    meter = peer.meter()
    waits = [1000 * work() for _ in range(times)]
    each = meter.read().each_ms(times)
    more = {"most": max(waits)}
    return Record("wn", case, statistics.median(waits), "ms", each, more=more)


def _select(peer: Peer, user: str) -> float:
    """Seconds of SELECT in a new session."""
    with signed_in(peer, user) as client:
        return client.seconds(b"SELECT INBOX")[0]


def _fetch(client: IMAP, uid: int) -> float:
    """Seconds of FETCH of one message."""
    return client.seconds(b"UID FETCH %d (FLAGS ENVELOPE BODY.PEEK[])" % uid)[0]
