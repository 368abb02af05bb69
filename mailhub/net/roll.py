"""The open connections of one service: who may join them, and how they end."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from .descriptors import Capacity
from .endings import Ending
from .limits import Limits
from .shared_counts import SharedConnections
from .tally import Tally

if TYPE_CHECKING:
    from .connection import Connection

#: Seconds that dropped connections have to be gone in when the server stops.  Work
#: of ours that takes longer (an application's avatar may never answer) is left.
LAST_WAIT = 5.0
#: Seconds between two looks at all connections' deadlines.  One timer for all
#: costs less than a timer for each, and a deadline is never exact anyway.
SWEEP_INTERVAL = 1.0


def network_of(host: str) -> str:
    """What counts as one peer: an IPv4 address, or an IPv6 /64 network."""
    if ":" not in host:
        return host
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64)) + "/64"
    return host


class Roll:
    """One service's connections, whichever of its factories has made them.

    A new configuration makes a new factory, which takes the roll of the one before:
    those that are open stay counted, keep their deadlines, and hear of the end.

    :param service: its name, for the log.
    :param shared: tells the other processes of the server, which count for the limits.
    :param capacity: of the process, which all its services share.
    :ivar connections: those that are open.
    :ivar tally: what they have done so far.
    """

    log = Logger()

    def __init__(
        self,
        service: str,
        shared: SharedConnections | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self.service = service
        self.capacity = capacity or Capacity()
        self._shared = shared
        self.connections: set[Connection] = set()
        self.tally = Tally()
        self._networks: Counter[str] = Counter()
        self._clock: Any = None
        self._sweep: LoopingCall | None = None
        self._closing = False
        self._all_gone: Deferred[None] | None = None

    def enter(
        self, connection: Connection, limits: Limits, clock: IReactorTime
    ) -> bool:
        """Count *connection* in; whether it is within the limits."""
        if self._sweep is None:
            self._start_sweep(clock)
        self.connections.add(connection)
        is_used_up = self.capacity.is_used_up
        self.capacity.open += 1
        connection.since = clock.seconds()
        self.tally.accepted += 1
        shared = self._shared
        everywhere, here = len(self.connections), 0
        if shared is not None:
            everywhere += shared.open(everywhere)
        if not connection.peer.is_loopback:
            network = network_of(connection.peer.host)
            here = self._networks[network] = self._networks[network] + 1
            if shared is not None:
                here += shared.of_network(network, here)
        if self._closing:
            exceeded = "drain"
        elif is_used_up:
            exceeded = "descriptors"
        elif everywhere > limits.connections:
            exceeded = "connections"
        elif here > limits.connections_per_address:
            exceeded = "connections_per_address"
        else:
            return True
        self.tally.turned_away[exceeded] += 1
        return False

    def is_full(self) -> bool:
        """Whether there is no descriptor for one more; then it is counted as such."""
        if not self.capacity.is_used_up:
            return False
        self.tally.accepted += 1
        self.tally.turned_away["descriptors"] += 1
        return True

    def leave(self, connection: Connection) -> None:
        """*connection* is closed."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self.capacity.open -= 1
        shared = self._shared
        if shared is not None:
            shared.open(len(self.connections))
        if not connection.peer.is_loopback:
            network = network_of(connection.peer.host)
            here = self._networks[network] = self._networks[network] - 1
            if shared is not None:
                shared.of_network(network, here)
            if here <= 0:
                del self._networks[network]
        if not self.connections:
            self._stop_sweep()
            if self._all_gone is not None:
                self._all_gone.callback(None)
                self._all_gone = None

    async def end(self, drain: float) -> None:
        """End all conversations; those that go on after *drain* seconds are dropped."""
        self._closing = True
        for connection in list(self.connections):
            connection.cut(Ending.SHUTDOWN)
        if not self.connections:
            return
        self._all_gone = Deferred()
        timers = [
            self._clock.callLater(drain, self._drop_all),
            self._clock.callLater(drain + LAST_WAIT, self._give_up),
        ]
        await self._all_gone
        for timer in timers:
            if timer.active():
                timer.cancel()

    def _drop_all(self) -> None:
        for connection in list(self.connections):
            connection.abort()

    def _give_up(self) -> None:
        self.log.error(
            "{count} commands of {service} never ended",
            count=len(self.connections), service=self.service,
        )  # fmt: skip
        self._stop_sweep()
        all_gone, self._all_gone = self._all_gone, None
        if all_gone is not None:
            all_gone.callback(None)

    def _start_sweep(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._sweep = LoopingCall(self._sweep_connections)
        self._sweep.clock = clock
        self._sweep.start(SWEEP_INTERVAL, now=False)

    def _stop_sweep(self) -> None:
        if self._sweep is not None:
            self._sweep.stop()
            self._sweep = None

    def _sweep_connections(self) -> None:
        now = self._clock.seconds()
        for connection in list(self.connections):
            connection.sweep(now)
