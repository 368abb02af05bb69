"""Tests for :mod:`mailhub.testing.server`."""

from __future__ import annotations

import imaplib
import os
import smtplib
import ssl

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.config.settings import PORTS
from mailhub.testing.server import MailHub, NotDelivered

ANN = "ann@example.org"


class MailHubTests(TestCase):
    """A server in the test's own process."""

    timeout = 60

    def send(self, hub, *recipients, data="Subject: hello\r\n\r\nHi.\r\n"):
        """-> a Deferred"""

        def work():
            with smtplib.SMTP(hub.host, hub.port("smtp")) as client:
                client.sendmail("bob@example.net", recipients, data)

        return deferToThread(work)

    async def start(self, *arguments, **options):
        hub = await MailHub.start(*arguments, **options)
        self.addCleanup(hub.stop)
        return hub

    async def test_a_message_sent_is_a_message_there(self):
        for store in ("memory", "sqlite"):
            hub = await self.start({ANN: "wonder"}, store=store)
            await self.send(hub, ANN)
            [message] = await hub.wait_for(ANN)
            self.assertEqual(message.subject, "hello")
            self.assertEqual(message.body, b"Hi.\r\n")

    async def test_waiting_begins_before_the_message_comes(self):
        hub = await self.start({ANN: ""})
        waiting = Deferred.fromCoroutine(hub.wait_for(ANN, 2))
        await self.send(hub, ANN)
        self.assertNoResult(waiting)
        await self.send(hub, ANN)
        self.assertEqual(len(await waiting), 2)

    async def test_waiting_ends_when_patience_does(self):
        hub = await self.start({ANN: ""})
        await hub.deliver(ANN, b"Subject: one\r\n\r\n")
        waiting = Deferred.fromCoroutine(hub.wait_for(ANN, 2, timeout=0.01))
        error = await self.assertFailure(waiting, NotDelivered)
        self.assertIn("1 of 2 messages in INBOX of ann@example.org", str(error))

    async def test_every_service_listens_and_users_can_log_in(self):
        hub = await self.start({ANN: "wonder"})
        self.assertEqual(len({hub.port(service) for service in PORTS}), len(PORTS))
        tls = ssl.create_default_context(cadata=hub.certificate)
        await hub.deliver(ANN, b"\r\n", mailbox="Junk", flags=frozenset(["\\Seen"]))

        def work():
            client = imaplib.IMAP4_SSL(hub.host, hub.port("imaps"), ssl_context=tls)
            client.login(ANN, "wonder")
            client.select("Junk")
            answer = client.search(None, "SEEN")
            client.logout()
            return answer

        self.assertEqual(await deferToThread(work), ("OK", [b"1"]))
        [message] = await hub.messages(ANN, "Junk")
        self.assertEqual(message.flags, frozenset(["\\Seen"]))

    async def test_users_and_aliases_can_be_added_later(self):
        hub = await self.start()
        await hub.add_user(ANN)
        await hub.add_alias("info@example.com", [ANN])
        await self.send(hub, "info@example.com")
        await hub.wait_for(ANN)

    async def test_nothing_is_left_after_it_has_stopped(self):
        hub = await MailHub.start({ANN: "wonder"}, store="sqlite")
        client = await deferToThread(imaplib.IMAP4, hub.host, hub.port("imap"))
        await hub.stop()
        with self.assertRaises(FileNotFoundError):
            os.stat(hub.service.config.server.data)
        with self.assertRaises((OSError, imaplib.IMAP4.abort)):
            client.noop()
        client.shutdown()

    async def test_two_servers_are_two_servers(self):
        one = await self.start({ANN: ""})
        two = await self.start({ANN: ""})
        await self.send(one, ANN)
        await one.wait_for(ANN)
        self.assertEqual(await two.messages(ANN), [])
