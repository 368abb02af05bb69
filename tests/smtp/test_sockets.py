"""SMTP and LMTP as Python's own clients speak them, over real sockets."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.net.certificates import make_identity
from mailhub.net.listen import wrap_tls
from mailhub.net.server_tls import CertificateStore
from mailhub.smtp.server import LMTPFactory, SMTPFactory

from .fixture import Avatar, Avatars

MESSAGE = b"Subject: x\r\n\r\n.leading dot\r\n..two\r\n" + (b"x" * 998 + b"\r\n") * 99


class SocketTests(TestCase):
    """One message each way in."""

    def listen(self, factory_class, service):
        self.avatar = Avatar()
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(b"ann@example.org", b"secret")
        store = CertificateStore(
            lambda: make_identity(("localhost",), datetime.now(UTC))
        )
        portal = Portal(Avatars(self.avatar), [users, AllowAnonymousAccess()])
        factory = factory_class(
            portal, service=service, certificates=store.server(b"smtp"), clock=reactor
        )
        port = reactor.listenTCP(0, wrap_tls(factory, reactor), interface="127.0.0.1")
        self.addCleanup(factory.shutdown)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    async def run_client(self, talk, *args):
        return await deferToThread(talk, *args)

    def check(self, user=None):
        [taken] = self.avatar.taken
        self.assertEqual(taken.octets, MESSAGE)
        self.assertEqual(taken.user, user)
        return taken.trace

    async def test_a_message_in_clear_text(self):
        def talk(port):
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                client.sendmail("a@example.com", ["b@example.org"], MESSAGE)
                return client.esmtp_features

        features = await self.run_client(talk, self.listen(SMTPFactory, "smtp"))
        self.assertEqual(features["size"], "52428800")
        self.assertIn(b"with ESMTP id", self.check())

    async def test_a_message_after_starttls_and_a_login(self):
        def talk(port):
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                client.starttls(context=lenient())
                client.login("ann@example.org", "secret")
                client.sendmail("ann@example.org", ["b@example.org"], MESSAGE)

        await self.run_client(talk, self.listen(SMTPFactory, "submission"))
        trace = self.check("ann@example.org")
        self.assertIn(b"with ESMTPSA (TLSv1.3) id", trace)

    async def test_a_message_in_tls_from_the_first_octet(self):
        def talk(port):
            with smtplib.SMTP_SSL(
                "127.0.0.1", port, timeout=30, context=lenient()
            ) as client:
                client.login("ann@example.org", "secret")
                client.sendmail("ann@example.org", ["b@example.org"], MESSAGE)

        await self.run_client(talk, self.listen(SMTPFactory, "submissions"))
        self.check("ann@example.org")

    async def test_a_message_by_lmtp(self):
        def talk(port):
            with smtplib.LMTP("127.0.0.1", port, timeout=30) as client:
                client.sendmail("a@example.com", ["b@example.org"], MESSAGE)

        await self.run_client(talk, self.listen(LMTPFactory, "lmtp"))
        self.assertIn(b"with LMTP id", self.check())


def lenient():
    """TLS without asking who it is: the certificate is a minute old."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
