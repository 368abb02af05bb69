"""The base of every protocol's factory: who may connect, and for how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..interfaces import ISpool
from ..logbook import Complaints
from ..mail.envelope import Peer
from .connection import Connection, Ending
from .limits import Limits
from .spool import Spool
from .tally import Tally

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


class ConnectionFactory(Factory):
    """Makes connections of one service and knows those that are open.

    :param portal: where logins go; an application's own works as well.
    :param service: the listener's name, see :class:`mailhub.mail.envelope.Peer`.
    :param host_name: what the server calls itself.
    :param certificates: an ``IOpenSSLServerConnectionCreator``, or ``None``
        where TLS is not offered.
    :param implicit_tls: TLS from the first octet; the listener wraps this
        factory (:func:`mailhub.net.listen.wrap_tls`).
    :param spool: makes an ``ISpool`` for a message that arrives.
    :param clock: ``IReactorTime``; the transports' own reactor unless given.
    :ivar connections: those that are open.
    :ivar tally: what they have done so far.
    :ivar complaints: whether a fault of ours that they ran into is logged.
    """

    log = Logger()
    protocol: type[Connection]  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        portal: Portal,
        *,
        service: str,
        host_name: str = "localhost",
        certificates: Any = None,
        implicit_tls: bool = False,
        limits: Limits | None = None,
        spool: Callable[[], ISpool] = Spool,
        clock: IReactorTime | None = None,
    ) -> None:
        self.portal = portal
        self.service = service
        self.host_name = host_name
        self.certificates = certificates
        self.implicit_tls = implicit_tls
        self.limits = limits or Limits()
        self.spool = spool
        self._clock = clock
        self.connections: set[Connection] = set()
        self.tally = Tally()
        self.complaints = Complaints()
        self._networks: Counter[str] = Counter()
        self._sweep: LoopingCall | None = None
        self._closing = False
        self._all_gone: Deferred[None] | None = None

    @property
    def clock(self) -> IReactorTime:
        """What time it is for this factory's connections."""
        if self._clock is None:
            raise RuntimeError("no clock was given, and no connection was made yet")
        return self._clock

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS may be offered at all."""
        return self.certificates is not None and not self.implicit_tls

    def describe_peer(self, transport: Any) -> Peer:
        """The connection's facts, before TLS and login."""
        if self._clock is None:
            self._clock = transport.reactor
        address = transport.getPeer()
        return Peer(
            host=getattr(address, "host", ""),
            port=getattr(address, "port", 0),
            service=self.service,
            local_name=self.host_name,
        )

    def admit(self, connection: Connection) -> bool:
        """Count *connection* in; whether it is within the limits."""
        if self._sweep is None:
            self._start_sweep()
        self.connections.add(connection)
        self.tally.accepted += 1
        exceeded = self._exceeded_by(connection)
        if exceeded:
            self.tally.turned_away[exceeded] += 1
        return not exceeded

    def _exceeded_by(self, connection: Connection) -> str:
        """What has no room for *connection*, in a word."""
        if self._closing:
            return "drain"
        if len(self.connections) > self.limits.connections:
            return "connections"
        if connection.peer.is_loopback:
            return ""
        network = network_of(connection.peer.host)
        self._networks[network] += 1
        if self._networks[network] > self.limits.connections_per_address:
            return "connections_per_address"
        return ""

    def forget(self, connection: Connection) -> None:
        """*connection* is closed."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        if not connection.peer.is_loopback:
            network = network_of(connection.peer.host)
            self._networks[network] -= 1
            if self._networks[network] <= 0:
                del self._networks[network]
        if not self.connections:
            self._stop_sweep()
            if self._all_gone is not None:
                self._all_gone.callback(None)
                self._all_gone = None

    def shutdown(self) -> Deferred[None]:
        """End all conversations, each after its current command.

        Those that have not ended after ``limits.drain`` are dropped.  Fires when
        all are closed, or soon after they were dropped; new ones are turned away
        from now on.
        """
        return Deferred.fromCoroutine(self._shut_down())

    async def _shut_down(self) -> None:
        self._closing = True
        for connection in list(self.connections):
            connection.cut(Ending.SHUTDOWN)
        if not self.connections:
            return
        self._all_gone = Deferred()
        drain = self.limits.drain
        timers = [
            self.clock.callLater(drain, self._drop_all),
            self.clock.callLater(drain + LAST_WAIT, self._give_up),
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

    def _start_sweep(self) -> None:
        self._sweep = LoopingCall(self._sweep_connections)
        self._sweep.clock = self.clock
        self._sweep.start(SWEEP_INTERVAL, now=False)

    def _stop_sweep(self) -> None:
        if self._sweep is not None:
            self._sweep.stop()
            self._sweep = None

    def _sweep_connections(self) -> None:
        now = self.clock.seconds()
        for connection in list(self.connections):
            connection.sweep(now)
