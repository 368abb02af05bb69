"""The base of every protocol's factory: who may connect, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.credentials import ICredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from zope.interface import Interface

from ..interfaces import ISpool
from ..logbook import Complaints
from ..mail.envelope import Peer
from .connection import Connection
from .limits import Limits
from .roll import Roll
from .spool import Spool


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
    :param check_room: raises a ``MailError`` if a message of so many octets would
        leave less than so many free; see
        :meth:`mailhub.interfaces.IMeasuredStore.check_room`.
    :param clock: ``IReactorTime``; the transports' own reactor unless given.
    :param roll: that of the factory whose place this one takes, if it takes one's.
    :ivar connections: those that are open.
    :ivar tally: what they have done so far.
    :ivar complaints: whether a fault of ours that they ran into is logged.
    :ivar bugs: whether a bug is; the tally counts all (attack: a message that makes
        some code of ours fail, again and again, to fill the log).
    """

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
        check_room: Callable[[int, int], object] | None = None,
        clock: IReactorTime | None = None,
        roll: Roll | None = None,
    ) -> None:
        self.portal = portal
        self.service = service
        self.host_name = host_name
        self.certificates = certificates
        self.implicit_tls = implicit_tls
        self.limits = limits or Limits()
        self.spool = spool
        self._check_room = check_room
        self._clock = clock
        self.roll = roll or Roll(service)
        self.connections = self.roll.connections
        self.tally = self.roll.tally
        self.complaints = Complaints()
        self.bugs = Complaints()

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

    async def log_in(
        self,
        credentials: ICredentials,
        peer: Peer,
        interface: type[Interface],
        mechanism: str,
    ) -> tuple[Any, Callable[[], object]]:
        """The avatar for *credentials*, and its logout; counts what came of it."""
        try:
            _, avatar, logout = await self.portal.login(credentials, peer, interface)
        except Exception as error:
            self.tally.logged_in(mechanism, error)
            raise
        self.tally.logged_in(mechanism)
        return avatar, logout

    def check_room(self, octets: int) -> None:
        """Whether a message of so many octets has a place.

        :raises mailhub.errors.StorageFull: it would take what is in reserve.
        """
        if self._check_room is not None:
            self._check_room(octets, self.limits.free_space)

    def admit(self, connection: Connection) -> bool:
        """Count *connection* in; whether it is within the limits."""
        return self.roll.enter(connection, self.limits, self.clock)

    def forget(self, connection: Connection) -> None:
        """*connection* is closed."""
        self.roll.leave(connection)

    def shutdown(self) -> Deferred[None]:
        """End all conversations, each after its current command.

        Those that have not ended after ``limits.drain`` are dropped.  Fires when
        all are closed, or soon after they were dropped; new ones are turned away
        from now on.
        """
        return Deferred.fromCoroutine(self.roll.end(self.limits.drain))
