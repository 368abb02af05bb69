"""The whole server, put together: the only place where concrete classes meet.

A reactor and a configuration make a :class:`MailService`.  There is nothing
global, so any number of them can live in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from .auth.passwd_file import PasswdFileChecker
from .auth.portal import make_portal
from .auth.realm import Realm
from .auth.throttle import LoginLimits
from .auth.workers import HashWorkers
from .config.faults import ConfigError
from .config.folder import prepare_folder
from .config.identity import certificate, server_name
from .config.kinds import Endpoint
from .config.listening import Bound, bind_all
from .config.settings import Config
from .config.text import announcement
from .counting import Histogram
from .errors import MailError
from .imap.server import IMAPFactory
from .logbook import Complaints, Lines
from .net.certificates import Identity
from .net.factory import ConnectionFactory
from .net.listen import wrap_tls
from .net.server_tls import CertificateStore
from .net.spool import Spool
from .observing.answers import Answer, answers_of
from .observing.lag import ReactorLag
from .pop3.server import POP3Factory
from .routing.router import Router
from .routing.submission import InboundSubmission, UserSubmission
from .smtp.server import LMTPFactory, SMTPFactory
from .store.memory import MemoryStore
from .store.sqlite.store import SQLiteStore

#: The certificate is read again this often: somebody may have renewed it.
RELOAD_SECONDS = 86_400.0
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
    sockets: Iterable[Bound] = (),
) -> MailService:
    """A server that does what *config* says; nothing is opened before it starts.

    :param checkers: more ``ICredentialsChecker``s, asked after the configured
        ones.
    :param sockets: what to listen on, if somebody else has bound it and tells the
        world; the service closes them.
    """
    complaints = Complaints()
    store = make_store(config, reactor, complaints)
    router = Router(
        store.directory,
        host_names=[server_name(config)],
        postmaster=config.mail.postmaster,
        separator=config.mail.plus_separator,
    )
    strangers = InboundSubmission(store, router)
    realm = Realm(
        store,
        inbound=lambda: strangers,
        for_user=lambda login: UserSubmission(store, router, login=login),
    )
    sources = config.login.auth
    workers = HashWorkers(reactor)
    portal = make_portal(
        realm,
        store.directory if any(each.name == "store" for each in sources) else None,
        reactor,
        more_checkers=[
            *(PasswdFileChecker(each.path) for each in sources if each.path),
            *checkers,
        ],
        limits=_login_limits(config),
        workers=workers,
    )
    return MailService(config, reactor, store, portal, workers, complaints, sockets)


def make_store(
    config: Config, reactor: Any, complaints: Complaints | None = None
) -> Any:
    """The ``IMailStore`` that *config* asks for, not yet started.

    :param complaints: whether a fault of the store is logged.
    """
    if config.store.kind == "memory":
        return MemoryStore()
    return SQLiteStore(
        config.server.data, reactor=reactor, spool=Spool, complaints=complaints
    )


def _login_limits(config: Config) -> LoginLimits:
    names = [field.name for field in fields(LoginLimits)]
    return LoginLimits(**{name: getattr(config.login, name) for name in names})


class MailService(MultiService):
    """A mail server, for ``twistd`` or inside another application.

    Where it cannot start, :attr:`started` fails with a ``ConfigError``, a
    ``MailError`` or an ``OSError`` whose text is for the person who starts it;
    nothing listens then, and the store is closed.

    :param store: an ``IMailStore``, not yet started.
    :param portal: where all protocols log in.
    :param complaints: whether a fault of ours that lasts is logged: the store and
        all protocols run into the same one.
    :ivar factories: by service, once it has started.
    :ivar started: a ``Deferred`` that fires when all services listen.
    :ivar is_draining: whether it is about to stop.
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
        portal: Portal,
        workers: HashWorkers,
        complaints: Complaints | None = None,
        sockets: Iterable[Bound] = (),
    ) -> None:
        super().__init__()
        self._complaints = complaints or Complaints()
        self.config = config
        self.store = store
        self.portal = portal
        self.factories: dict[str, ConnectionFactory] = {}
        self.started: Deferred[None] = Deferred()
        self.is_draining = False
        self._workers = workers
        self._reactor = reactor
        self._certificates: CertificateStore | None = None
        self._bound = list(sockets)
        self.announces = True
        self._ports: list[IListeningPort] = []
        self._reloading = LoopingCall(self.reload)
        self._reloading.clock = reactor
        self._lag = ReactorLag(reactor)
        self._lag.setServiceParent(self)
        self.answers: dict[str, Answer] = answers_of(self, reactor)
        self.answers["reload"] = self._answer_reload

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
        return bool(self._bound) and len(self._ports) == len(self._bound)

    def privilegedStartService(self) -> None:
        """Bind all addresses, which may need rights that are given up next.

        :raises ConfigError: some of them cannot be bound.
        """
        super().privilegedStartService()
        if not self._bound:
            self._bound = bind_all(self.config)

    def startService(self) -> None:
        """Begin; :attr:`started` tells how it went."""
        super().startService()
        self.started = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        """Let sessions finish what they do, then close everything."""
        self.is_draining = True
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> str:
        """Read the certificate again; the one in use stays if that fails.

        -> what is wrong, or ``""``
        """
        if self._certificates is None:
            return "not started"
        fault = ""
        try:
            self._certificates.reload()
        except (ConfigError, MailError) as error:
            fault = f"the certificate stays as it is: {error}"
            self.log.error("{fault}", fault=fault)
        self._warn_of_expiry(self._certificates.identity)
        return fault

    async def _answer_reload(self, details: dict[str, Any]) -> dict[str, Any]:
        return {"fault": self.reload()}

    async def _start(self) -> None:
        try:
            if not self._bound:
                self._bound = bind_all(self.config)
            if self.config.store.kind == "sqlite":
                prepare_folder(self.config)
            certificates = CertificateStore(
                lambda: certificate(self.config, datetime.now(UTC)),
                self.config.tls.minimum_version,
            )
            await self.store.start()
            self._listen(certificates)
        except BaseException:
            await self._close()
            raise
        self._certificates = certificates
        self._reloading.start(RELOAD_SECONDS, now=False)
        self._warn_of_expiry(certificates.identity)
        if self.announces:
            name = server_name(self.config)
            text = announcement(self.config, name, self.endpoints())
            self.log.info("{text}", text=Lines(text))

    def _listen(self, certificates: CertificateStore) -> None:
        """Let the reactor accept connections on all sockets."""
        for service in {bound.service for bound in self._bound}:
            factory = self._factory(service, certificates)
            factory.complaints = self._complaints
            self.factories[service] = factory
        for bound in self._bound:
            port = self._reactor.adoptStreamPort(
                bound.socket.fileno(),
                bound.socket.family,
                wrap_tls(self.factories[bound.service], self._reactor),
            )
            self._ports.append(port)
            bound.socket.close()  # the port has its own copy

    def _factory(
        self, service: str, certificates: CertificateStore
    ) -> ConnectionFactory:
        kind, plaintext = _KINDS[service], self.config.login.plaintext
        return kind.factory(
            self.portal,
            service=service,
            host_name=server_name(self.config),
            certificates=certificates.server(kind.alpn),
            implicit_tls=kind.implicit_tls,
            limits=self.config.limits,
            spool=self.store.spool,
            clock=self._reactor,
            trusts_loopback=plaintext != "never",
            trusts_everybody=plaintext == "always",
        )

    async def _stop(self) -> None:
        if self._reloading.running:
            self._reloading.stop()
        await self._close()
        await MultiService.stopService(self)

    async def _close(self) -> None:
        """Close what is open, whether all of it was opened or not."""
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        await gatherResults([each.shutdown() for each in self.factories.values()])
        for bound in self._bound:
            bound.socket.close()
        self._bound.clear()
        self.factories.clear()
        self._certificates = None
        self._workers.stop()
        await self.store.stop()

    def _warn_of_expiry(self, identity: Identity) -> None:
        if identity.expires - datetime.now(UTC) < EXPIRY_WARNING:
            self.log.warn(
                "the certificate ends on {end:%Y-%m-%d}", end=identity.expires
            )
