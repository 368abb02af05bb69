from __future__ import annotations

import poplib
import ssl
from datetime import UTC, datetime
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.auth.realm import Realm
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
