"""w1: SMTP to mailbox, until IMAP shows the message."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..crowd import Crowd
from ..messages import messages
from ..metering import Cost
from ..peers.base import Peer
from ..records import Record
from ..smtp_client import Batch, Tally, sessions
from .turn import Turn

#: Seconds after which a case is given up.
LIMIT = 60.0
#: Messages of one case at most, so that a fast server's memory stays one's own.
MOST = 16_000
#: Messages that tell how fast a server is.
PILOT = 200
#: A slow server is tried with these connections only.
SLOW_CONNECTIONS = 10
#: Seconds between two looks at a mailbox, at least and at most.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 1.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of a batch.

    :ivar arrived: messages that their users see.
    :ivar accepted_in: seconds until the last message was acknowledged.
    """

    arrived: int
    seconds: float
    accepted_in: float
    tally: Tally
    failures: int
    cost: Cost

    @property
    def rate(self) -> float:
        return self.arrived / self.seconds


def deliver(peer: Peer, batch: Batch, users: list[str], at_once: int) -> Delivered:
    """Send *batch* and wait until all of it is in the mailboxes of *users*."""
    before = [peer.count(user) for user in users]
    tally, meter, begin = Tally(), peer.meter(), time.perf_counter()
    crowd = Crowd(peer.address("smtp"), sessions(batch, tally))
    failures = crowd.run(at_once, LIMIT)
    accepted_in = time.perf_counter() - begin
    arrived = sum(
        _await(peer, user, old, batch.expected(position), begin)
        for position, (user, old) in enumerate(zip(users, before, strict=True))
    )
    seconds = time.perf_counter() - begin
    return Delivered(arrived, seconds, accepted_in, tally, failures, meter.read())


def _await(peer: Peer, user: str, before: int, expected: int, begin: float) -> int:
    """How many of the *expected* messages *user* has in the end.

    Asking costs the server, so it is asked rarely while much is missing.
    """
    while True:
        have = peer.count(user) - before
        gone = time.perf_counter() - begin
        if have >= expected or gone > LIMIT:
            return have
        pause = 0.4 * gone * (expected - have) / max(have, 1)
        time.sleep(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, pause)))


def make_batch(users: Sequence[str], kind: str, count: int, each: int) -> Batch:
    """*count* messages to *users* in turns."""
    recipients = [user.encode() for user in users]
    tag = f"{kind}.{each}.{time.time_ns()}"
    return Batch(count, each, recipients, messages(kind), tag)


def batch_size(rate: float, seconds: float, at_once: int, each: int) -> int:
    """Messages that take the time at that rate, and one session for each client."""
    least = at_once * each
    return max(least, min(MOST, int(rate * seconds)))


def w1(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Messages per second that arrive; server CPU for each."""
    for kind in turn.plan.sets:
        for at_once in turn.plan.connections:
            if peer.is_slow and at_once != SLOW_CONNECTIONS:
                continue
            for each in turn.plan.each:
                yield _case(peer, turn, kind, at_once, each)


def _case(peer: Peer, turn: Turn, kind: str, at_once: int, each: int) -> Record:
    pilot_size = min(PILOT, int(PILOT * turn.plan.seconds) + 1)
    pilot = make_batch(peer.users, kind, pilot_size, min(each, 5))
    rate = deliver(peer, pilot, peer.users, at_once).rate
    count = batch_size(rate, turn.plan.seconds, at_once, each)
    batch = make_batch(peer.users, kind, count, each)
    done = deliver(peer, batch, peer.users, at_once)
    return Record(
        "w1",
        f"{kind}, {at_once} at once, {each} on each",
        done.rate,
        "msg/s",
        done.cost.each_ms(done.arrived),
        done.cost.client_share,
        "" if done.arrived == count else f"{count - done.arrived} of {count} missing",
        {
            "count": count,
            "accepted": done.tally.accepted,
            "accepted_per_second": done.tally.accepted / done.accepted_in,
            "refused": done.tally.refused,
            "failures": done.failures,
            "client_ms": 1000 * done.cost.client / max(1, done.arrived),
            "other_cpu": done.cost.other,
        },
    )
