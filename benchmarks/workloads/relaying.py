"""w2: SMTP to the next server, until it has taken the message."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..crowd import Crowd
from ..metering import Cost
from ..peers.base import FOREIGN, NEXT, USERS, Peer
from ..records import Record
from ..sink import Sink
from ..smtp_client import Batch, Tally, sessions
from .delivery import LIMIT, PILOT, SLOW_CONNECTIONS, batch_size, make_batch
from .turn import Turn

#: Seconds between two looks at what has arrived.
_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Relayed:
    """What came of a batch.

    :ivar arrived: messages that the next server has taken.
    :ivar accepted_in: seconds until the last message was acknowledged to the client.
    :ivar sink: seconds of CPU that the next server took.
    """

    arrived: int
    seconds: float
    accepted_in: float
    tally: Tally
    failures: int
    cost: Cost
    sink: float

    @property
    def rate(self) -> float:
        return self.arrived / self.seconds

    @property
    def client_share(self) -> float:
        """Of the machine, that both ends of the server took."""
        cores = os.cpu_count() or 1
        return self.cost.client_share + self.sink / (self.cost.seconds * cores)


def relay(peer: Peer, sink: Sink, batch: Batch, at_once: int) -> Relayed:
    """Send *batch* and wait until all that was accepted is in *sink*."""
    before, used = sink.count, sink.cpu
    tally, meter, begin = Tally(), peer.meter(), time.perf_counter()
    crowd = Crowd(peer.address("smtp"), sessions(batch, tally))
    failures = crowd.run(at_once, LIMIT)
    accepted_in = time.perf_counter() - begin
    while sink.count - before < tally.accepted:
        if time.perf_counter() - begin > LIMIT:
            break
        time.sleep(_PAUSE)
    seconds = time.perf_counter() - begin
    return Relayed(
        sink.count - before,
        seconds,
        accepted_in,
        tally,
        failures,
        meter.read(),
        sink.cpu - used,
    )


def w2(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Messages per second that reach the next server; server CPU for each."""
    sink = Sink(peer.place.port + NEXT)
    try:
        for kind in turn.plan.sets:
            for at_once in turn.plan.connections:
                if at_once == 1 or (peer.is_slow and at_once != SLOW_CONNECTIONS):
                    continue
                for each in turn.plan.each:
                    yield _case(peer, sink, turn, kind, at_once, each)
    finally:
        sink.stop()


def _case(
    peer: Peer, sink: Sink, turn: Turn, kind: str, at_once: int, each: int
) -> Record:
    recipients = [f"r{number}@{FOREIGN}" for number in range(USERS)]
    pilot_size = min(PILOT, int(PILOT * turn.plan.seconds) + 1)
    pilot = make_batch(recipients, kind, pilot_size, min(each, 5))
    rate = relay(peer, sink, pilot, at_once).rate
    count = batch_size(rate, turn.plan.seconds, at_once, each)
    done = relay(peer, sink, make_batch(recipients, kind, count, each), at_once)
    return Record(
        "w2",
        f"{kind}, {at_once} at once, {each} on each",
        done.rate,
        "msg/s",
        done.cost.each_ms(done.arrived),
        done.client_share,
        "" if done.arrived == count else f"{count - done.arrived} of {count} missing",
        {
            "count": count,
            "accepted": done.tally.accepted,
            "accepted_per_second": done.tally.accepted / done.accepted_in,
            "refused": done.tally.refused,
            "failures": done.failures,
            "client_ms": 1000 * done.cost.client / max(1, done.arrived),
            "sink_ms": 1000 * done.sink / max(1, done.arrived),
            "other_cpu": max(0.0, done.cost.other - done.sink),
        },
    )
