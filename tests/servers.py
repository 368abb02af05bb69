"""Whole servers in this process, on free ports."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import replace

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailhub.auth.schemes import hash_password
from mailhub.config.kinds import Endpoint
from mailhub.config.settings import DNS, PORTS, Config, Listen, Login, Server, Store
from mailhub.net.limits import Limits
from mailhub.service import MailService, build

ANYWHERE = (Endpoint("127.0.0.1", 0),)
EVERYTHING = Listen(**{name: ANYWHERE for name in PORTS})
#: Nobody listens there, so that no test asks anybody outside for names.
NO_NAMES = DNS(servers=(Endpoint("127.0.0.1", 9),))
USER, PASSWORD = "jo@example.org", "secret"
MESSAGE = b"From: al@far.example\r\nSubject: hello\r\n\r\nbody\r\n"
#: Seconds that a client waits for an answer before the test fails.
TIMEOUT = 20


def greeting(address: tuple[str, int], tls: bool = False) -> bytes:
    """The first line of a server."""
    with socket.create_connection(address, TIMEOUT) as plain:
        stream = trusting().wrap_socket(plain) if tls else plain
        with stream, stream.makefile("rb") as lines:
            return lines.readline()


def trusting() -> ssl.SSLContext:
    """A client's TLS without questions."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate_of(address: tuple[str, int]) -> bytes | None:
    """What a server of implicit TLS shows, in DER."""
    plain = socket.create_connection(address, TIMEOUT)
    with trusting().wrap_socket(plain) as stream:
        return stream.getpeercert(binary_form=True)


def exists(path: str) -> bool:
    """Whether there is such a file."""
    return os.path.exists(path)


def write(path: str, text: str) -> None:
    """Make a file, for its owner only."""
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)


class Servers(TestCase):
    """Tests with servers that are stopped in the end."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.config = Config(
            server=Server(data=self.folder, host_name="mail.example.org"),
            listen=EVERYTHING,
            limits=Limits(drain=5.0),
            login=Login(delay=0),
            dns=NO_NAMES,
        )

    def memory(self, **changes) -> Config:
        """A configuration that keeps nothing."""
        return replace(self.config, store=Store("memory"), **changes)

    def build(self, config: Config, **more) -> MailService:
        server = build(config, reactor, **more)
        self.addCleanup(server.stopService)
        return server

    async def start(self, config: Config, **more) -> MailService:
        server = self.build(config, **more)
        server.privilegedStartService()
        server.startService()
        await server.started
        return server

    async def add_user(self, server: MailService) -> None:
        await server.store.directory.add_account(USER, hash_password(PASSWORD))
