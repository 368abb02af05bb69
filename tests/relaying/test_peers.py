"""Mail from this server to Postfix and Exim, and from them to this one."""

from __future__ import annotations

import shutil
import smtplib
import tempfile
from dataclasses import replace

from twisted.internet.threads import deferToThread

from mailhub.config.settings import Outbound

from ..faults.test_faults import require_root
from ..servers import MESSAGE, PASSWORD, USER, Servers
from ..test_two_servers import by_imap, by_pop3
from .peers import DOMAIN, PEERS
from .peers import USER as THEIRS


class PeerTests(Servers):
    """RFC 5321, section 3.6: what one relays, the other takes, in TLS."""

    timeout = 120

    async def set_up(self, name):
        """The peer, and a server that knows where it is."""
        require_root()
        folder = tempfile.mkdtemp(prefix="mailhub-peer-")
        self.addCleanup(shutil.rmtree, folder)
        near = await self.start(self.config)
        await self.add_user(near)
        self.peer = PEERS[name](folder, near.addresses()["smtp"][1])
        self.addCleanup(self.peer.stop)
        await deferToThread(self.peer.start)
        routes = ((DOMAIN, f"smtp://127.0.0.1:{self.peer.port}?tls=encrypt"),)
        near.prepare(replace(near.config, outbound=Outbound(routes=routes)))()
        return near

    def send(self, server, recipient):
        """As a user who has logged in."""

        def talk():
            address = server.addresses()["submission"]
            with smtplib.SMTP(*address) as client:
                client.login(USER, PASSWORD)
                client.sendmail(USER, [recipient], MESSAGE)

        return deferToThread(talk)

    async def goes_there(self, name):
        near = await self.set_up(name)
        await self.send(near, THEIRS)
        octets = await deferToThread(self.peer.arrived)
        self.assertIn(b"Subject: hello", octets)
        self.assertIn(b"body", octets)
        self.assertIn(b"TLS", octets.partition(b"Subject:")[0], "not in TLS")

    async def comes_back(self, name):
        near = await self.set_up(name)
        await self.send(near, f"nobody@{DOMAIN}")
        text = await deferToThread(by_imap, near.addresses()["imap"], USER)
        self.assertIn(b"multipart/report", text)
        self.assertIn(b"Status: 5.", text)

    async def comes_here(self, name):
        near = await self.set_up(name)

        def talk():
            with smtplib.SMTP("127.0.0.1", self.peer.port) as client:
                client.sendmail(THEIRS, [USER], MESSAGE)

        await deferToThread(talk)
        text = await deferToThread(by_imap, near.addresses()["imap"], USER)
        self.assertIn(b"with ESMTPS", text)
        self.assertIn(b"Subject: hello", text)
        address = near.addresses()["pop3s"]
        lines = await deferToThread(by_pop3, address, USER)
        self.assertEqual(lines, text.splitlines())

    async def test_mail_goes_to_postfix(self):
        await self.goes_there("Postfix")

    async def test_mail_goes_to_exim(self):
        await self.goes_there("Exim")

    async def test_who_is_unknown_to_postfix_is_told_to_the_sender(self):
        await self.comes_back("Postfix")

    async def test_who_is_unknown_to_exim_is_told_to_the_sender(self):
        await self.comes_back("Exim")

    async def test_mail_comes_from_postfix(self):
        await self.comes_here("Postfix")

    async def test_mail_comes_from_exim(self):
        await self.comes_here("Exim")
