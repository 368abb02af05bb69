"""What keeps a server from starting, and certificates that come and go."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailhub import service as service_module
from mailhub.config import listening
from mailhub.config.faults import ConfigError
from mailhub.config.kinds import Endpoint
from mailhub.config.settings import PORTS, TLS, Listen, Origin, Server
from mailhub.errors import LocalFault
from mailhub.net import listen
from mailhub.net.certificates import ensure_own, make_identity
from mailhub.service import MailService, build

from .servers import ANYWHERE, EVERYTHING, Servers, certificate_of, write


class FaultTests(Servers):
    """What keeps a server from starting, and what is left of it then."""

    async def fault_of(self, server: MailService, kind: type[Exception]) -> Exception:
        """Why *server* does not start; nothing listens afterwards."""
        server.startService()
        error = await self.assertFailure(server.started, kind)
        self.assertEqual(server.addresses(), {})
        self.assertEqual(server.factories, {})
        return error

    def assert_free(self, address: tuple[str, int]) -> None:
        socket.create_server(address).close()

    def test_all_addresses_that_are_taken_are_told_at_once(self) -> None:
        taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        free = socket.create_server(("127.0.0.1", 0))
        address = free.getsockname()
        free.close()
        ends = [Endpoint(*each.getsockname()) for each in taken]
        listen = replace(
            EVERYTHING,
            smtp=(Endpoint(*address),),
            imap=(ends[0],),
            pop3=(ends[1], *ANYWHERE),
        )
        origins = {("listen", "imap"): Origin("/x.toml", 7, '["..."]')}
        server = self.build(self.memory(listen=listen, origins=origins))
        error = self.assertRaises(ConfigError, server.privilegedStartService)
        for each in taken:
            each.close()
        self.assertEqual(
            str(error).split("\n"),
            [
                f"[listen] pop3: cannot listen on {ends[1]}: Address already in use",
                f'/x.toml:7: [listen] imap = ["..."]: cannot listen on {ends[0]}:'
                " Address already in use",
            ],
        )
        self.assert_free(address)

    async def test_a_store_that_does_not_open_closes_all(self) -> None:
        server = self.build(self.memory())
        server.privilegedStartService()
        addresses = server.addresses()

        async def fail() -> None:
            raise LocalFault("disk on fire")

        self.patch(server.store, "start", fail)
        error = await self.fault_of(server, LocalFault)
        self.assertEqual(str(error), "disk on fire")
        for address in addresses.values():
            self.assert_free(address)

    async def test_a_port_that_the_reactor_refuses_closes_all(self) -> None:
        server = self.build(self.memory())
        server.privilegedStartService()
        addresses = server.addresses()
        accept_on, given = listen.accept_on, []

        def refuse(*arguments):
            if len(given) == 3:
                raise OSError(errno.EMFILE, "Too many open files")
            given.append(arguments)
            return accept_on(*arguments)

        self.patch(listen, "accept_on", refuse)
        await self.fault_of(server, OSError)
        for address in addresses.values():
            self.assert_free(address)

    async def test_a_folder_where_others_may_write_is_refused(self) -> None:
        os.mkdir(self.folder)
        for mode in (0o770, 0o707, 0o720):
            os.chmod(self.folder, mode)
            server = self.build(self.config)
            error = await self.fault_of(server, ConfigError)
            self.assertEqual(
                str(error),
                f"[server] data: others may write in {self.folder};"
                f" run: chmod 700 {self.folder}",
            )
        os.chmod(self.folder, 0o755)
        await self.start(self.config)

    async def test_a_folder_that_cannot_be_made_is_told(self) -> None:
        write(self.folder, "")
        data = os.path.join(self.folder, "data")
        config = replace(self.config, server=Server(data=data))
        error = await self.fault_of(self.build(config), ConfigError)
        self.assertEqual(str(error), f"[server] data: {data}: Not a directory")

    async def test_a_certificate_that_cannot_be_used_is_told(self) -> None:
        tls = TLS(certificate="/nonexistent/c.pem", key="/nonexistent/k.pem")
        error = await self.fault_of(self.build(self.memory(tls=tls)), ConfigError)
        self.assertEqual(
            str(error),
            "[tls] certificate: /nonexistent/c.pem: No such file or directory",
        )

    async def test_a_machine_without_ipv6_serves_the_rest(self) -> None:
        real = listening.bind_internet

        def bind(host: str, port: int) -> socket.socket:
            if ":" in host:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
            return real("127.0.0.1", 0)

        self.patch(listening, "bind_internet", bind)
        server = await self.start(self.memory(listen=Listen(profile="public")))
        self.assertEqual(list(server.addresses()), list(PORTS))
        listen = replace(EVERYTHING, smtp=(Endpoint("::", 0),))
        chosen = self.build(self.memory(listen=listen))
        self.assertRaises(ConfigError, chosen.privilegedStartService)


class Said:
    """A logger that remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str, /, **values: object) -> None:
        self.warnings.append(text.format(**values))

    def info(self, text: str, /, **values: object) -> None:
        """Of no interest here."""


class CertificateTests(Servers):
    """The certificate while the server runs."""

    def setUp(self) -> None:
        super().setUp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "given.pem")
        self.now = datetime.now(UTC)
        ensure_own(self.path, ["one.example.org"], self.now)
        self.config = self.memory(tls=TLS(certificate=self.path, key=self.path))

    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(
            open(self.path).read().partition("-----END PRIVATE KEY-----\n")[2]
        )

    async def shown(self, server: MailService) -> bytes | None:
        return await deferToThread(certificate_of, server.addresses()["imaps"])

    async def test_a_new_one_is_used_after_a_reload(self) -> None:
        server = await self.start(self.config)
        before = self.der()
        self.assertEqual(await self.shown(server), before)
        ensure_own(self.path, ["two.example.org"], self.now)
        self.assertNotEqual(self.der(), before)
        self.assertEqual(await self.shown(server), before)
        server.renew_certificate()
        self.assertEqual(await self.shown(server), self.der())

    async def test_a_broken_one_leaves_the_old_one_in_use(self) -> None:
        server = await self.start(self.config)
        before = self.der()
        os.unlink(self.path)
        server.renew_certificate()
        self.assertEqual(await self.shown(server), before)

    async def test_one_that_ends_soon_is_told(self) -> None:
        said = Said()
        self.patch(MailService, "log", said)
        await self.start(self.config)
        self.assertEqual(said.warnings, [])
        old = self.now - timedelta(days=820)
        self.patch(
            service_module, "certificate", lambda *_: make_identity(("x.org",), old)
        )
        await self.start(self.config)
        end = old + timedelta(days=824)
        self.assertEqual(said.warnings, [f"the certificate ends on {end:%Y-%m-%d}"])

    def test_reloading_a_stopped_server_does_nothing(self) -> None:
        build(self.config, reactor).renew_certificate()
