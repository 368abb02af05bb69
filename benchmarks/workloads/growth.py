"""wN: what delivery and reading cost as the store grows.

The same work is done with one mailbox of 1,000, 100,000 and 1,000,000 small
messages, each in a store of its own.  Only mailhub is filled that far.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator

from ..imap_client import INBOX
from ..messages import small
from ..peers.base import Peer
from ..records import Record
from .delivery import deliver, make_batch
from .turn import Turn, signed_in

#: Messages that are delivered, by ten clients with twenty on each connection.
DELIVERED, AT_ONCE, EACH = 2_000, 10, 20
#: New sessions that select the mailbox, and messages that are fetched.
SELECTS, FETCHES = 20, 300
#: Messages that one APPEND stores while filling.
LOT = 1_000


def wn(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Every size begins with a fresh store."""
    for number, size in enumerate(turn.plan.stored):
        if number:
            peer.stop()
            peer.setup()
            peer.start()
        yield _fill(peer, size)
        yield from _work(peer, size)


def _case(name: str, size: int) -> str:
    return f"{name}, {size:,} stored"


def _fill(peer: Peer, size: int) -> Record:
    begin = time.perf_counter()
    with signed_in(peer, peer.users[0]) as client:
        for first in range(0, size, LOT):
            numbers = range(first, min(size, first + LOT))
            client.append_many(INBOX, [small(number) for number in numbers])
    seconds = time.perf_counter() - begin
    return Record("wn", _case("filling", size), size / seconds, "msg/s")


def _work(peer: Peer, size: int) -> Iterator[Record]:
    user = peer.users[:1]
    batch = make_batch(user, "plain", DELIVERED, EACH)
    deliver(peer, batch, user, AT_ONCE)
    done = deliver(peer, batch, user, AT_ONCE)
    each = done.cost.each_ms(done.arrived)
    yield Record("wn", _case("delivery", size), done.rate, "msg/s", each)
    yield _timed(peer, _case("SELECT", size), SELECTS, _select, size)
    yield _timed(peer, _case("FETCH of one message", size), FETCHES, _fetch, size)


Work = Callable[[Peer, int, int], list[float]]


def _timed(peer: Peer, case: str, times: int, work: Work, size: int) -> Record:
    meter = peer.meter()
    waits = work(peer, times, size)
    each = meter.read().each_ms(times)
    more = {"most": max(waits) * 1000}
    return Record("wn", case, statistics.median(waits) * 1000, "ms", each, more=more)


def _select(peer: Peer, times: int, size: int) -> list[float]:
    """Seconds of SELECT, in new sessions."""
    waits = []
    for _ in range(times):
        with signed_in(peer, peer.users[0]) as client:
            waits.append(client.seconds(b"SELECT INBOX")[0])
    return waits


def _fetch(peer: Peer, times: int, size: int) -> list[float]:
    """Seconds of FETCH of messages anywhere in the mailbox."""
    choice = random.Random(size)
    with signed_in(peer, peer.users[0]) as client:
        client.command(b"SELECT INBOX")
        return [
            client.seconds(
                b"UID FETCH %d (FLAGS ENVELOPE BODY.PEEK[])" % choice.randint(1, size)
            )[0]
            for _ in range(times)
        ]
