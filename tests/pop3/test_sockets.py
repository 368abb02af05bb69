from __future__ import annotations

import poplib
import socket
import ssl
from datetime import UTC, datetime
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.auth.portal import make_portal
from mailhub.auth.realm import Realm
from mailhub.auth.schemes import hash_password
from mailhub.auth.throttle import LoginLimits
from mailhub.net.certificates import make_identity
from mailhub.net.listen import wrap_tls
from mailhub.net.server_tls import CertificateStore
from mailhub.pop3.server import POP3Factory
from mailhub.store.content import BytesContent
from mailhub.store.memory import MemoryStore

from .fixture import ALICE, SENT_AT

IDENTITY = make_identity(("localhost",), datetime(2026, 7, 1, tzinfo=UTC))
BIG = b"Subject: big\r\n\r\n" + b".a line with a dot\r\n" * 100_000
MESSAGES = [b"Subject: %d\r\n\r\n.%d\r\n" % (n, n) for n in range(200)] + [BIG]


def trusting() -> ssl.SSLContext:
    """A client's context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class ThreadedLogins(TestCase):
    """The whole way of a login: portal, chain, directory, hash in a thread."""

    async def setUp(self) -> None:
        store = MemoryStore()
        await store.directory.add_account(ALICE, hash_password("secret"))
        realm = Realm(store, inbound=lambda: None, for_user=lambda user: None)
        limits = LoginLimits(delay=0.01, address_per_minute=4)
        portal = make_portal(realm, store.directory, reactor, limits=limits)
        factory = POP3Factory(portal)
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(factory.shutdown)
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port

    def talk(self, *commands: bytes) -> list[bytes]:
        """The last line of the answer to each of *commands*, sent in one go."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(b"".join(line + b"\r\n" for line in commands))
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        return answer.splitlines()[1:]

    async def test_pipelined_commands_wait_for_the_hash(self) -> None:
        answers = await deferToThread(
            self.talk, b"USER Alice@Example.org", b"PASS wrong", b"USER nobody@x.org",
            b"PASS wrong", b"USER alice@example.org", b"PASS secret", b"STAT", b"QUIT",
        )
        wrong = b"-ERR [AUTH] Wrong user or password."
        self.assertEqual(answers[1:4:2], [wrong, wrong])
        welcome = [b"+OK Logged in.", b"+OK 0 0", b"+OK Logging out."]
        self.assertEqual(answers[5:], welcome)

    async def test_guessing_is_refused_in_the_end(self) -> None:
        for _ in range(2):
            answers = await deferToThread(
                self.talk, *[b"USER alice@example.org", b"PASS wrong"] * 3
            )
        self.assertIn(b"Too many failed logins", answers[-1])

    async def test_who_hangs_up_during_the_hash_harms_nobody(self) -> None:
        def hang_up() -> None:
            with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
                connection.sendall(b"USER alice@example.org\r\nPASS secret\r\n")

        for _ in range(3):
            await deferToThread(hang_up)
        answers = await deferToThread(
            self.talk, b"USER alice@example.org", b"PASS secret", b"QUIT"
        )
        self.assertEqual(answers[1:], [b"+OK Logged in.", b"+OK Logging out."])


class PoplibClients(TestCase):
    """The standard library's client over real sockets."""

    async def setUp(self) -> None:
        store = MemoryStore()
        await store.directory.add_account(ALICE, "")
        self.account: Any = await store.open_account(ALICE)
        new = [(BytesContent(data), frozenset[str](), SENT_AT) for data in MESSAGES]
        await self.account.append("INBOX", new)
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(ALICE.encode(), b"secret")
        realm = Realm(store, inbound=lambda: None, for_user=lambda user: None)
        self.portal = Portal(realm, [users])
        self.certificates = CertificateStore(lambda: IDENTITY).server(b"pop3")

    def listen(self, service: str) -> int:
        factory = POP3Factory(
            self.portal, service=service, certificates=self.certificates
        )
        wrapped = wrap_tls(factory, reactor) if service == "pop3s" else factory
        port: Any = reactor.listenTCP(0, wrapped, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(factory.shutdown)
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def read_all(self, client: poplib.POP3) -> list[bytes]:
        """Log in, read everything, delete the first and leave."""
        client.user(ALICE)
        client.pass_("secret")
        count, octets = client.stat()
        self.assertEqual((count, octets), (len(MESSAGES), sum(map(len, MESSAGES))))
        self.assertEqual(len(client.list()[1]), count)
        self.assertEqual(len(set(client.uidl()[1])), count)
        read = [
            b"".join(line + b"\r\n" for line in client.retr(number)[1])
            for number in range(1, count + 1)
        ]
        client.dele(1)
        client.quit()
        return read

    async def check(self, connect: Any) -> None:
        read = await deferToThread(lambda: self.read_all(connect()))
        self.assertEqual(read, MESSAGES)
        inbox = await self.account.open("INBOX")
        self.assertEqual((await inbox.status()).messages, len(MESSAGES) - 1)

    async def test_plain_over_loopback(self) -> None:
        port = self.listen("pop3")
        await self.check(lambda: poplib.POP3("127.0.0.1", port, timeout=30))

    async def test_tls_from_the_first_octet(self) -> None:
        port = self.listen("pop3s")
        await self.check(
            lambda: poplib.POP3_SSL(
                "127.0.0.1", port, timeout=30, context=trusting()
            )
        )

    async def test_stls(self) -> None:
        port = self.listen("pop3")

        def connect() -> poplib.POP3:
            client = poplib.POP3("127.0.0.1", port, timeout=30)
            self.assertIn("STLS", client.capa())
            client.stls(trusting())
            self.assertNotIn("STLS", client.capa())
            return client

        await self.check(connect)
