"""Ways for tests: what would leave goes into a mailbox, or nowhere."""

from __future__ import annotations

import smtplib
from dataclasses import replace

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailhub.config.settings import Outbound

from ..servers import MESSAGE, PASSWORD, USER, Servers, trusting
from ..test_two_servers import by_imap
from .way_case import WayCase


class RouteTests(WayCase):
    """A rule may name any way, whomever the mail is for."""

    async def test_the_way_is_told_where_it_leads(self):
        seen = []

        class Way:
            async def send(self, lease, content):
                seen.append((lease.destination, len(lease.recipients)))
                return []

            async def stop(self):
                pass

        ways = {"http": Way(), "discard": Way()}
        self.make(
            routes=(("a.example", "http:https://x.example/y"), ("*", "discard:")),
            others=ways,
        )
        await self.send("jo@a.example", destination="a.example")
        await self.send("jo@b.example", destination="b.example")
        await self.send("jo@b.example", destination="http:https://z.example")
        self.assertEqual(
            seen,
            [("http:https://x.example/y", 1), ("discard:", 1),
             ("http:https://z.example", 1)],
        )  # fmt: skip


class SinkTests(Servers):
    """A whole server, from which nothing leaves."""

    async def serve(self, way):
        server = await self.start(
            replace(self.config, outbound=Outbound(smarthost=way))
        )
        await self.add_user(server)

        def talk():
            with smtplib.SMTP(*server.addresses()["submission"]) as client:
                client.starttls(context=trusting())
                client.login(USER, PASSWORD)
                client.sendmail(USER, ["al@far.example", "bo@far.example"], MESSAGE)

        await deferToThread(talk)
        return server

    async def test_one_mailbox_gets_it_all(self):
        server = await self.serve(f"mailbox:{USER}")
        text = await deferToThread(by_imap, server.addresses()["imap"], USER)
        self.assertTrue(text.startswith(
            b"Return-Path: <jo@example.org>\r\nX-Original-To: al@far.example\r\n"
        ), text)  # fmt: skip
        self.assertTrue(text.endswith(b"\r\nSubject: hello\r\n\r\nbody\r\n"), text)
        await self.until_nothing_waits(server)
        account = await server.store.open_account(USER)
        self.assertEqual((await account.status("INBOX")).messages, 2)

    async def test_nobody_gets_it(self):
        server = await self.serve("discard:")
        await self.until_nothing_waits(server)
        account = await server.store.open_account(USER)
        self.assertEqual((await account.status("INBOX")).messages, 0)

    async def test_a_mailbox_that_is_not_there_is_told_to_the_sender(self):
        server = await self.serve("mailbox:nobody@example.org")
        text = await deferToThread(by_imap, server.addresses()["imap"], USER)
        self.assertIn(b"multipart/report", text)
        self.assertIn(b"rfc822; bo@far.example", text)

    async def until_nothing_waits(self, server):
        while await server.store.queue.next_due(0.0) is not None:
            waiting: Deferred[None] = Deferred()
            reactor.callLater(0.01, waiting.callback, None)
            await waiting
