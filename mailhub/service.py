"""The whole server, put together.

A reactor and a configuration make a :class:`MailService`.  There is nothing
global, so any number of them can live in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from .admin.answers import answers_of as admin_answers
from .assembly.departures import Departures
from .assembly.logins import Logins, login_limits
from .assembly.stores import make_store
from .auth.throttle import Throttle
from .config.faults import ConfigError
from .config.folder import prepare_folder
from .config.identity import certificate
from .config.kinds import Endpoint
from .config.listening import Bound, bind_all, forget_names
from .config.naming import server_name
from .config.settings import PORTS, Config
from .config.text import announcement
from .counting import Histogram
from .errors import LocalFault, MailError
from .imap.server import IMAPFactory
from .logbook import Complaints, Lines
from .net.certificates import Identity
from .net.descriptors import Capacity
from .net.factory import ConnectionFactory
from .net.listen import Entrance
from .net.resolver import Resolver
from .net.roll import Roll
from .net.server_tls import CertificateStore
from .net.shared_counts import SharedCounts
from .observing.answers import Answer
from .observing.answers import answers_of as observing_answers
from .observing.lag import ReactorLag
from .pop3.server import POP3Factory
from .queue.scheduler import Scheduler
from .routing.planning import InTurn
from .routing.router import Router
from .smtp.server import LMTPFactory, SMTPFactory

#: The certificate is read again this often: somebody may have renewed it.
RENEWAL_SECONDS = 86_400.0
#: From here on the log says that the certificate ends soon.
EXPIRY_WARNING = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ServiceKind:
    """What speaks on the sockets of a service.

    :ivar alpn: the protocol's name in TLS (RFC 7301).
    :ivar implicit_tls: TLS from the first octet (RFC 8314).
    """

    factory: Callable[..., ConnectionFactory]
    alpn: bytes
    implicit_tls: bool = False


_KINDS = {
    "smtp": ServiceKind(SMTPFactory, b"smtp"),
    "submission": ServiceKind(SMTPFactory, b"smtp"),
    "submissions": ServiceKind(SMTPFactory, b"smtp", True),
    "lmtp": ServiceKind(LMTPFactory, b"lmtp"),
    "pop3": ServiceKind(POP3Factory, b"pop3"),
    "pop3s": ServiceKind(POP3Factory, b"pop3", True),
    "imap": ServiceKind(IMAPFactory, b"imap"),
    "imaps": ServiceKind(IMAPFactory, b"imap", True),
}


def build(
    config: Config,
    reactor: Any,
    *,
    checkers: Iterable[Any] = (),
    sockets: Iterable[Bound] | None = None,
    counts: SharedCounts | None = None,
    sends: bool = True,
) -> MailService:
    """A server that does what *config* says; nothing is opened before it starts.

    :param checkers: more ``ICredentialsChecker``s, asked after the configured
        ones.
    :param sockets: what to listen on, if somebody else has bound it and tells the
        world; the service closes them.
    :param counts: what it counts together with other processes.
    :param sends: whether it sends what is in the queue, which one of several processes
        does for all.
    """
    complaints = Complaints()
    store = make_store(config, reactor, complaints)
    throttle = Throttle(reactor, login_limits(config), counts)
    logins = Logins(store, reactor, throttle, checkers)
    departures = None
    logins.outlet = InTurn()
    if sends:
        departures = Departures(config, reactor, store, logins.router)
        logins.outlet, logins.resolver = departures.scheduler, departures.resolver
    return MailService(
        config, reactor, store, logins, complaints, sockets, counts, departures
    )


class MailService(MultiService):
    """A mail server, for ``twistd`` or inside another application.

    Where it cannot start, :attr:`started` fails with a ``ConfigError``, a
    ``MailError`` or an ``OSError`` whose text is for the person who starts it;
    nothing listens then, and the store is closed.

    :param store: an ``IMailStore``, not yet started.
    :param logins: makes the portals where all protocols log in.
    :param complaints: whether a fault of ours that lasts is logged: the store and
        all protocols run into the same one.
    :ivar factories: by service, once it has started.
    :ivar started: a ``Deferred`` that fires when all services listen.
    :ivar is_draining: whether it is about to stop.
    :ivar reloaded: called with the configuration, each time that it is another.
    :ivar announces: whether it tells the log what a person who has started it wants
        to know.
    :ivar answers: what this process can be asked, by the name of the question: each
        takes the question's details and answers what JSON can carry.
    """

    log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        store: Any,
        logins: Logins,
        complaints: Complaints | None = None,
        sockets: Iterable[Bound] | None = None,
        counts: SharedCounts | None = None,
        departures: Departures | None = None,
    ) -> None:
        super().__init__()
        self._departures = departures
        self._counts = counts
        self._capacity = Capacity() if departures is None else departures.capacity
        self._complaints = complaints or Complaints()
        self.config = config
        self.store = store
        self.factories: dict[str, ConnectionFactory] = {}
        self.started: Deferred[None] = Deferred()
        self.is_draining = False
        self.reloaded: list[Callable[[Config], object]] = []
        self._logins = logins
        self.portal = logins.portal(config)
        self._reactor = reactor
        self._certificates: CertificateStore | None = None
        # One of several processes may have none: the others listen.
        self._is_guest = sockets is not None
        self._bound = list(sockets or ())
        self.announces = True
        self._ports: list[IListeningPort] = []
        self._entrances: dict[str, Entrance] = {}
        self._renewing = LoopingCall(self.renew_certificate)
        self._renewing.clock = reactor
        self._lag = ReactorLag(reactor)
        self._lag.setServiceParent(self)
        self.answers: dict[str, Answer] = {
            **observing_answers(self, reactor), **admin_answers(self)
        }

    def addresses(self) -> dict[str, tuple[str, int]]:
        """The first IP address and port of each service that listens on one."""
        found: dict[str, tuple[str, int]] = {}
        for service, endpoint in self.endpoints():
            if not endpoint.path:
                found.setdefault(service, (endpoint.host, endpoint.port))
        return found

    def endpoints(self) -> list[tuple[str, Endpoint]]:
        """Everything that is bound, with the ports that the system has chosen."""
        return [(bound.service, bound.endpoint) for bound in self._bound]

    @property
    def scheduler(self) -> Scheduler | None:
        """What sends mail from the queue, if this process does."""
        return None if self._departures is None else self._departures.scheduler

    @property
    def resolver(self) -> Resolver | None:
        """Who is asked for names, if this process asks."""
        return None if self._departures is None else self._departures.resolver

    @property
    def lag(self) -> Histogram:
        """How late timers fired."""
        return self._lag.histogram

    @property
    def certificate_ends(self) -> datetime | None:
        """When the certificate in use ends."""
        store = self._certificates
        return None if store is None else store.identity.expires

    @property
    def is_listening(self) -> bool:
        """Whether all services accept connections."""
        has_started = self._certificates is not None
        return has_started and len(self._ports) == len(self._bound)

    def router(self) -> Router:
        """What decides where mail goes: one that decides as those in use do."""
        return self._logins.router(self.config)

    def privilegedStartService(self) -> None:
        """Bind all addresses, which may need rights that are given up next.

        :raises ConfigError: some of them cannot be bound.
        """
        super().privilegedStartService()
        if not (self._bound or self._is_guest):
            self._bound = bind_all(self.config)

    def startService(self) -> None:
        """Begin; :attr:`started` tells how it went."""
        super().startService()
        self.started = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        """Let sessions finish what they do, then close everything."""
        self.is_draining = True
        return Deferred.fromCoroutine(self._stop())

    def renew_certificate(self) -> None:
        """Read the certificate again; the one in use stays if that fails."""
        if self._certificates is None:
            return
        try:
            self._certificates.reload()
        except (ConfigError, MailError) as error:
            self.log.error("the certificate stays as it is: {error}", error=error)
        self._warn_of_expiry(self._certificates.identity)

    def prepare(self, config: Config) -> Callable[[], None]:
        """Get everything ready for another configuration.

        Sessions that are open go on by the one that they have begun with, except that
        failed logins are held to the new limits at once.

        :param config: what needs a restart (:func:`mailhub.config.changes.settle`)
            has to be as it is.
        :raises ConfigError: it cannot be used, and nothing has changed.
        :raises MailError: likewise.

        -> what has to be called to use it; it cannot fail
        """
        certificates = self._certificates
        if certificates is None:
            raise LocalFault("the server has not started, or has stopped")
        use_departures = _nothing
        if self._departures is not None:
            use_departures = self._departures.prepare(config)
        use_certificate = certificates.prepare(
            lambda: certificate(config, datetime.now(UTC)), config.tls.minimum_version
        )
        portal = self._logins.portal(config)
        factories = {
            service: self._factory(service, config, portal, certificates, old.roll)
            for service, old in self.factories.items()
        }

        def use() -> None:
            use_certificate()
            use_departures()
            self.config, self.portal = config, portal
            self._logins.throttle.limits = login_limits(config)
            self.factories.update(factories)
            for service, factory in factories.items():
                self._entrances[service].lead_to(factory)
            self._warn_of_expiry(certificates.identity)
            for tell in self.reloaded:
                tell(config)

        return use

    async def _start(self) -> None:
        try:
            if not (self._bound or self._is_guest):
                self._bound = bind_all(self.config)
            if self.config.store.kind == "sqlite":
                prepare_folder(self.config)
            certificates = CertificateStore(
                lambda: certificate(self.config, datetime.now(UTC)),
                self.config.tls.minimum_version,
            )
            await self.store.start()
            if self._departures is not None:
                self._departures.start()
            self._listen(certificates)
        except BaseException:
            await self._close()
            raise
        self._certificates = certificates
        self._renewing.start(RENEWAL_SECONDS, now=False)
        self._warn_of_expiry(certificates.identity)
        self._warn_of_descriptors()
        if self.announces:
            name = server_name(self.config)
            text = announcement(self.config, name, self.endpoints())
            self.log.info("{text}", text=Lines(text))

    def _listen(self, certificates: CertificateStore) -> None:
        """Let the reactor accept connections on all sockets."""
        for service in dict.fromkeys(bound.service for bound in self._bound):
            factory = self._factory(
                service, self.config, self.portal, certificates, self._roll(service)
            )
            self.factories[service] = factory
            self._entrances[service] = Entrance(factory, self._reactor)
        for bound in self._bound:
            entrance = self._entrances[bound.service]
            self._ports.append(entrance.open(bound.socket, self._reactor))
            bound.socket.close()  # the port has its own copy

    def _roll(self, service: str) -> Roll:
        if self._counts is None:
            return Roll(service, capacity=self._capacity)
        shared = self._counts.service(list(PORTS).index(service))
        return Roll(service, shared, self._capacity)

    def _factory(
        self,
        service: str,
        config: Config,
        portal: Portal,
        certificates: CertificateStore,
        roll: Roll,
    ) -> ConnectionFactory:
        kind, plaintext = _KINDS[service], config.login.plaintext
        factory = kind.factory(
            portal,
            service=service,
            host_name=server_name(config),
            certificates=certificates.server(kind.alpn),
            implicit_tls=kind.implicit_tls,
            limits=config.limits,
            spool=self.store.spool,
            check_room=getattr(self.store, "check_room", None),
            clock=self._reactor,
            roll=roll,
            trusts_loopback=plaintext != "never",
            trusts_everybody=plaintext == "always",
            **self._sending_options(kind.factory),
        )
        factory.complaints = self._complaints
        return factory

    def _sending_options(self, factory: Any) -> dict[str, Any]:
        """What SMTP has to know of the queue."""
        if not issubclass(factory, SMTPFactory):
            return {}
        departures = self._departures
        start = None if departures is None else departures.start_queue
        return {"queues": True, "start_queue": start}

    async def _stop(self) -> None:
        if self._renewing.running:
            self._renewing.stop()
        await self._close()
        await MultiService.stopService(self)

    async def _close(self) -> None:
        """Close what is open, whether all of it was opened or not."""
        if not self._is_guest:
            forget_names(self._bound)
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        await gatherResults([each.shutdown() for each in self.factories.values()])
        for bound in self._bound:
            bound.socket.close()
        self._bound.clear()
        self.factories.clear()
        self._entrances.clear()
        self._certificates = None
        if self._departures is not None:
            await self._departures.stop()
        self._logins.stop()
        await self.store.stop()

    def _warn_of_descriptors(self) -> None:
        limit, possible = self.config.limits.connections, self._capacity.most
        if possible < limit:
            self.log.warn(
                "this process may have {possible} connections at a time, and not the"
                " {limit} of [limits] connections: raise its limit of open files"
                " (LimitNOFILE=, ulimit -Hn)",
                possible=possible, limit=limit,
            )  # fmt: skip

    def _warn_of_expiry(self, identity: Identity) -> None:
        if identity.expires - datetime.now(UTC) < EXPIRY_WARNING:
            self.log.warn(
                "the certificate ends on {end:%Y-%m-%d}", end=identity.expires
            )


def _nothing() -> None:
    """What is done where nothing leaves."""
