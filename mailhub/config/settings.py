"""The configuration as values: one frozen dataclass per table.

What each setting means, its unit and its bounds stand in
:mod:`mailhub.config.schema`; the defaults stand here, and in the classes of
other packages that a table is read into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..mail.queue_limits import QueueLimits
from ..net.limits import Limits
from ..watched.places import Places
from .faults import Fault
from .kinds import Endpoint, LoginSource

#: Services in the order people read them, and their ports: for one person's
#: machine, without special rights; and the standard ones.
PORTS = {
    "smtp": (2525, 25),
    "submission": (2587, 587),
    "submissions": (2465, 465),
    "lmtp": (2424, 24),
    "pop3": (2110, 110),
    "pop3s": (2995, 995),
    "imap": (2143, 143),
    "imaps": (2993, 993),
}
LOOPBACK = "127.0.0.1"
#: LMTP knows no login (RFC 2033), so it never listens to the world by itself.
ALWAYS_LOCAL = frozenset({"lmtp"})


@dataclass(frozen=True, slots=True)
class Server:
    """The machine, and where it keeps everything.

    :ivar receivers: how many of the *workers* take mail in.
    :ivar user: whom a server that was started as root becomes; its *group* is the
        user's own where that is empty.
    """

    data: str = "./mailhub-data"
    host_name: str = ""
    workers: int = 1
    receivers: int = 1
    user: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where each service listens; ``None`` follows the profile.

    :ivar admin: health and metrics, which are no service to clients.
    """

    profile: str = "local"
    smtp: tuple[Endpoint, ...] | None = None
    submission: tuple[Endpoint, ...] | None = None
    submissions: tuple[Endpoint, ...] | None = None
    lmtp: tuple[Endpoint, ...] | None = None
    pop3: tuple[Endpoint, ...] | None = None
    pop3s: tuple[Endpoint, ...] | None = None
    imap: tuple[Endpoint, ...] | None = None
    imaps: tuple[Endpoint, ...] | None = None
    admin: tuple[Endpoint, ...] = (Endpoint(LOOPBACK, 8025),)

    def endpoints(self, service: str) -> tuple[Endpoint, ...]:
        """Where *service* listens; ``()`` where it is off."""
        chosen: tuple[Endpoint, ...] | None = getattr(self, service)
        return profile_endpoints(self.profile, service) if chosen is None else chosen


def profile_endpoints(profile: str, service: str) -> tuple[Endpoint, ...]:
    """Where *service* listens unless it has a setting of its own."""
    own_port, standard_port = PORTS[service]
    if profile == "local":
        return (Endpoint(LOOPBACK, own_port),)
    if service in ALWAYS_LOCAL:
        return (Endpoint(LOOPBACK, standard_port),)
    return (Endpoint("0.0.0.0", standard_port), Endpoint("::", standard_port))


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificates and what is spoken with them."""

    certificate: str = ""
    key: str = ""
    minimum_version: str = "TLSv1.2"


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log in, and how; the limits of guessing passwords.

    The limits are those of :class:`mailhub.auth.throttle.LoginLimits`.
    """

    plaintext: str = "loopback"
    auth: tuple[LoginSource, ...] = (LoginSource("store"),)
    address_per_minute: int = 10
    address_per_day: int = 50
    user_per_minute: int = 10
    user_per_day: int = 100
    delay: float = 1.5
    delayed: int = 1_000
    tracked: int = 20_000
    known_addresses: int = 16


@dataclass(frozen=True, slots=True)
class Mail:
    """Addresses and their meaning."""

    postmaster: str = ""
    plus_separator: str = "+"


@dataclass(frozen=True, slots=True)
class DNS:
    """Who is asked for names; the limits are those of
    :class:`mailhub.net.resolver.DNSLimits`.
    """

    servers: tuple[Endpoint, ...] = ()
    trust: str = "loopback"
    attempt: float = 3.0
    total: float = 10.0
    cache: int = 16_777_216


@dataclass(frozen=True, slots=True)
class Routing:
    """Whose mail goes where, beside what the directory says.

    :ivar senders: pairs of what a sender's address is and what it becomes; likewise
        *recipients*.
    :ivar senders_in_headers: for mail that is submitted here.
    :ivar srs_lifetime: seconds.
    """

    relay_domains: tuple[str, ...] = ()
    backup_mx: tuple[str, ...] = ()
    senders: tuple[tuple[str, str], ...] = ()
    senders_in_headers: bool = True
    recipients: tuple[tuple[str, str], ...] = ()
    tag_is_mailbox: bool = False
    programs: bool = False
    addresses: int = 1_000
    depth: int = 20
    srs: bool = True
    srs_lifetime: float = 21 * 86_400


@dataclass(frozen=True, slots=True)
class Outbound:
    """How mail leaves.

    :ivar routes: pairs of for whom, and the way
        (:func:`mailhub.mail.routes.parse_route`).
    """

    smarthost: str = ""
    routes: tuple[tuple[str, str], ...] = ()
    passwords: str = ""
    allow_private: bool = False
    families: str = "ipv6"
    dane: bool = True
    mta_sts: bool = True
    port: int = 25
    connect: float = 30.0
    reply: float = 300.0
    data: float = 120.0
    stall: float = 180.0
    end: float = 600.0
    attempt: float = 900.0
    connections: int = 20
    idle: float = 10.0
    messages: int = 1_000
    age: float = 300.0


@dataclass(frozen=True, slots=True)
class Local:
    """Mail from programs of this machine's users."""

    drop: str = ""
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """What keeps the mail."""

    kind: str = "sqlite"


@dataclass(frozen=True, slots=True)
class Log:
    """What the log looks like, and where it is."""

    format: str = "text"
    level: str = "info"
    file: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting was made, and as what.

    :ivar place: a file, an option or a variable; ``""`` for a default.
    :ivar line: in the file, else ``None``.
    :ivar value: as it was given, in TOML.
    """

    place: str = ""
    line: int | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What a program was started with, so that its settings can be read again.

    The fields are the arguments of :func:`mailhub.config.loading.load`.
    """

    option: str | None
    data: str | None
    workers: str | None
    environ: Mapping[str, str]
    folder: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one server.

    :ivar source: the file they came from, ``None`` where all are defaults.
    :ivar text: what the file said.
    :ivar call: how they were read; ``None`` where a program has made them.
    :ivar origins: of the settings that were made, by table and key.
    """

    server: Server = field(default_factory=Server)
    listen: Listen = field(default_factory=Listen)
    tls: TLS = field(default_factory=TLS)
    login: Login = field(default_factory=Login)
    limits: Limits = field(default_factory=Limits)
    mail: Mail = field(default_factory=Mail)
    dns: DNS = field(default_factory=DNS)
    routing: Routing = field(default_factory=Routing)
    files: Places = field(default_factory=Places)
    outbound: Outbound = field(default_factory=Outbound)
    queue: QueueLimits = field(default_factory=QueueLimits)
    local: Local = field(default_factory=Local)
    store: Store = field(default_factory=Store)
    log: Log = field(default_factory=Log)
    source: str | None = None
    text: str = field(default="", compare=False, repr=False)
    call: Call | None = field(default=None, compare=False, repr=False)
    origins: Mapping[tuple[str, str], Origin] = field(
        default_factory=dict, compare=False, repr=False
    )

    def fault(self, table: str, key: str, expected: str) -> Fault:
        """What is wrong with the setting *key* of *table*, found in its use."""
        origin = self.origins.get((table, key), Origin())
        return Fault(origin.place, origin.line, table, key, origin.value, expected)
