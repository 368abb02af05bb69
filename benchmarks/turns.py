"""Servers and workloads in turns."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from .limits.table import limits
from .metering import speed
from .peers.base import Peer, Place
from .peers.table import make_peer
from .plan import Plan
from .records import Line, Record
from .workloads.table import WORKLOADS, Workload
from .workloads.turn import Turn

Keep = Callable[[Line], None]


class Turns:
    """Runs what was asked for; the repetitions of all servers alternate, so that a
    machine that becomes slower does so for all of them.

    :param keep: takes each line as soon as it is there.
    """

    def __init__(self, place: Place, plan: Plan, keep: Keep) -> None:
        self._place, self._plan, self._keep = place, plan, keep

    def limits(self) -> None:
        """Try the machine's limits, as often as the servers."""
        for repetition in range(self._plan.repetitions):
            for record in limits(self._place, self._plan):
                self._tell("machine", repetition, record)

    def workload(self, name: str, names: Sequence[str]) -> None:
        """Run one workload against the servers of *names* that can do it.

        :param names: none for those that the workload is made for.
        """
        workload = WORKLOADS[name]
        peers = [make_peer(each, self._place) for each in names or workload.peers]
        peers = [peer for peer in peers if set(workload.services) <= set(peer.ports)]
        filled: set[str] = set()
        try:
            for repetition in range(min(self._plan.repetitions, workload.most_turns)):
                for peer in peers:
                    fresh = not (workload.keeps_data and peer.name in filled)
                    filled.add(peer.name)
                    self._turn(name, workload, peer, repetition, fresh)
        finally:
            for peer in peers:
                peer.remove()

    def _turn(
        self, name: str, workload: Workload, peer: Peer, repetition: int, fresh: bool
    ) -> None:
        turn = Turn(self._plan, repetition)
        try:
            if fresh:
                peer.setup(workload.users(self._plan))
            peer.start()
            for record in workload.run(peer, turn):
                self._tell(peer.name, repetition, record)
        except Exception as error:
            # One server that fails must not keep the others from being measured.
            text = f"{type(error).__name__}: {error}"[:400]
            sys.stderr.write(f"{peer.name}, {name}: {text}\n")
            self._keep(Line(peer.name, repetition, _now(), error=text, workload=name))
        finally:
            peer.stop()

    def _tell(self, peer: str, repetition: int, record: Record) -> None:
        load = os.getloadavg()[0]
        line = Line(peer, repetition, _now(), record, speed_ms=speed(), load=load)
        self._keep(line)
        cost = "" if record.cost_ms is None else f" [{record.cost_ms:.3f}]"
        with suppress(BrokenPipeError):
            sys.stdout.write(
                f"{peer:18} {record.workload:6} {record.case:50}"
                f" {record.value:12,.2f} {record.unit}{cost} {record.note}\n"
            )
            sys.stdout.flush()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
