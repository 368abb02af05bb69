"""w7: start, and rest."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..metering import memory
from ..peers.base import Peer
from ..records import Record
from .turn import Turn


def w7(peer: Peer, turn: Turn) -> Iterator[Record]:
    """From exec to the greeting on every port; memory of all processes then."""
    peer.stop()
    yield Record("w7", "start to ready", peer.start() * 1000, "ms")
    time.sleep(turn.plan.settling)
    used = memory(peer.pids())
    yield Record(
        "w7", "memory at rest", used.pss / 1024, "MiB", more={"processes": used.count}
    )
