"""Mail from this server to Postfix and Exim, and from them, as DNS leads."""

from __future__ import annotations

import os
import shutil
import smtplib
import tempfile
from dataclasses import replace

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailhub.config.kinds import Endpoint
from mailhub.config.settings import DNS, PORTS, TLS, Listen, Outbound, Server

from ..dns_servers import RealNames
from ..faults.test_faults import require_root
from ..outbound.authority import issue, tlsa
from ..servers import MESSAGE, PASSWORD, USER, Servers, trusting, write
from ..test_two_servers import all_by_imap, by_imap, by_pop3, submit
from .peers import DOMAIN, PEERS
from .peers import USER as THEIRS

OURS = "example.org"
_RECORDS = "@ MX 10 mx\nmx A {}\n_25._tcp.mx TLSA 3 1 1 {}\n"

#: Small ones, with dots, without an end or a line, in eight bits, larger than a chunk.
BODIES = (
    "body\r\n", ".\r\n..\r\n.dot\r\n", "grüße\r\n", "\r\n\r\n",
    "x" * 990 + "\r\n", ("0123456789" * 7 + "\r\n") * 1_500, ".ü\r\n" * 30_000,
)  # fmt: skip


class PeerTests(Servers):
    """RFC 5321, section 3.6: what one relays, the other takes.

    Users log in to send, servers find each other by MX records, each sends only to whom
    DANE (RFC 7672) proves, and the recipients read by IMAP and POP3.
    """

    timeout = 120

    async def set_up(self, name, **outbound):
        """Both servers, and the names that lead from one to the other.

        :param outbound: settings of ours.
        """
        require_root()
        folder = tempfile.mkdtemp(prefix="mailhub-peer-")
        self.addCleanup(shutil.rmtree, folder)
        # Who else tests at the same time has another network.
        network = ".".join(["127", *map(str, os.urandom(2))])
        here, there, resolver = (f"{network}.{host}" for host in (1, 2, 53))
        certificates = issue(f"mx.{OURS}"), issue(f"mx.{DOMAIN}")
        zones = {}
        for domain, address, issued in zip(
            (OURS, DOMAIN), (here, there), certificates, strict=True
        ):
            record = tlsa(3, 1, 1, issued.certificate)
            zones[domain] = _RECORDS.format(address, record.data.hex())
        names = RealNames(zones, (OURS, DOMAIN), at=(resolver, 53))
        self.addCleanup(names.stop)
        await deferToThread(names.start)
        outbound = Outbound(allow_private=True, families="ipv4", **outbound)
        config = self.here(here, resolver, certificates[0])
        self.near = await self.start(replace(config, outbound=outbound))
        await self.add_user(self.near)
        self.peer = PEERS[name](folder, there, resolver, certificates[1])
        self.addCleanup(self.peer.stop)
        await deferToThread(self.peer.start)

    def here(self, address, resolver, issued):
        """The configuration of our server at *address*."""
        path = self.mktemp()
        write(path, issued.pem.decode())
        ports = {"smtp": 25, "submission": 587, "imap": 143, "pop3s": 995}
        listen = dict.fromkeys(PORTS, ())
        listen |= {name: (Endpoint(address, port),) for name, port in ports.items()}
        return replace(
            self.config,
            server=Server(data=self.folder, host_name=f"mx.{OURS}"),
            listen=Listen(**listen),
            tls=TLS(certificate=path, key=path),
            dns=DNS(servers=(Endpoint(resolver, 53),)),
        )

    async def read(self, server, user):
        """What has come for *user*, which is the same by POP3."""
        addresses = server.addresses()
        text = await deferToThread(by_imap, addresses["imap"], user)
        lines = await deferToThread(by_pop3, addresses["pop3s"], user)
        self.assertEqual(lines, text.splitlines())
        return text

    async def goes_there(self, name):
        await self.set_up(name)
        address = self.near.addresses()["submission"]
        await deferToThread(submit, address, USER, THEIRS)
        text = await self.read(self.peer, THEIRS)
        self.assertIn(b"Subject: over there", text)
        _, first, *_ = text.split(b"Received:", 2)
        self.assertIn(f"mx.{OURS}".encode(), first)
        self.assertIn(b"TLS", first, "not in TLS")

    async def goes_by_login(self, name):
        """The peer as a smarthost (RFC 4954)."""
        passwords = self.mktemp()
        write(passwords, f"mx.{DOMAIN} {THEIRS} {PASSWORD}\n")
        smarthost = f"smtp://{THEIRS}@mx.{DOMAIN}:587?tls=encrypt"
        await self.set_up(name, smarthost=smarthost, passwords=passwords)
        address = self.near.addresses()["submission"]
        await deferToThread(submit, address, USER, THEIRS)
        text = await self.read(self.peer, THEIRS)
        self.assertIn(b"esmtpsa", text.split(b"Received:", 2)[1].lower())

    async def is_told(self, name):
        """What the sender wants to know goes along (RFC 3461)."""
        await self.set_up(name)

        def talk():
            with smtplib.SMTP(*self.near.addresses()["submission"]) as client:
                client.starttls(context=trusting())
                client.login(USER, PASSWORD)
                client.sendmail(
                    USER, [THEIRS], MESSAGE, ["ENVID=Q1", "RET=HDRS"],
                    ["NOTIFY=SUCCESS", f"ORCPT=rfc822;alias@{DOMAIN}"],
                )  # fmt: skip

        await deferToThread(talk)
        text = await self.read(self.near, USER)
        told = text.decode().lower().replace("rfc822; ", "rfc822;")
        for field in (
            f"reporting-mta: dns; mx.{DOMAIN}", "original-envelope-id: q1",
            f"original-recipient: rfc822;alias@{DOMAIN}", "action: delivered",
            "status: 2.",
        ):  # fmt: skip
            self.assertIn(field, told)
        self.assertNotIn("body", told)

    async def comes_back(self, name):
        await self.set_up(name)
        address = self.near.addresses()["submission"]
        await deferToThread(submit, address, USER, f"nobody@{DOMAIN}")
        text = await self.read(self.near, USER)
        self.assertIn(b"multipart/report", text)
        self.assertIn(b"Status: 5.", text)

    async def goes_after_a_refusal(self, name):
        """The same session is used for what is refused, and for the next message."""
        await self.set_up(name)
        address = self.near.addresses()["submission"]
        for recipient in (f"nobody@{DOMAIN}", THEIRS):
            await deferToThread(submit, address, USER, recipient)
        await self.read(self.peer, THEIRS)
        text = await self.read(self.near, USER)
        self.assertIn(f"nobody@{DOMAIN}".encode(), text)
        account = await self.near.store.open_account(USER)
        while await self.near.store.queue.next_due(0.0) is not None:
            await deferLater(reactor, 0.01)
        self.assertEqual((await account.status("INBOX")).messages, 1)

    async def all_kinds_go(self, name, *, there):
        """Bodies as they come, some refused for others of their recipients."""
        await self.set_up(name)
        near, far = self.near.addresses(), self.peer.addresses()
        sender, recipient, domain = USER, THEIRS, DOMAIN
        if not there:
            near, far, sender, recipient, domain = far, near, THEIRS, USER, OURS
        bodies = [each.encode() for each in BODIES for _ in range(4)]

        def send():
            with smtplib.SMTP(*near["submission"]) as client:
                client.starttls(context=trusting())
                client.login(sender, PASSWORD)
                for number, body in enumerate(bodies):
                    to = [recipient, f"nobody@{domain}"][: 1 + number % 2]
                    text = b"Subject: %d\r\n\r\n" % number + body
                    client.sendmail(sender, to, text, ["BODY=8BITMIME"])

        await deferToThread(send)
        count = len(bodies)
        arrived = {}
        for text in await deferToThread(all_by_imap, far["imap"], recipient, count):
            header, _, body = text.partition(b"\r\n\r\n")
            arrived[int(header.rpartition(b"Subject: ")[2].split()[0])] = body
        self.assertEqual(arrived, dict(enumerate(bodies)))
        for text in await deferToThread(all_by_imap, near["imap"], sender, count // 2):
            self.assertIn(f"nobody@{domain}".encode(), text)

    async def comes_here(self, name):
        await self.set_up(name)
        address = self.peer.addresses()["submission"]
        await deferToThread(submit, address, THEIRS, USER)
        text = await self.read(self.near, USER)
        self.assertIn(b"Subject: over there", text)
        self.assertIn(b"with ESMTPS", text.partition(b"Received:")[2])

    async def goes_back(self, name):
        await self.set_up(name)
        address = self.peer.addresses()["submission"]
        await deferToThread(submit, address, THEIRS, f"nobody@{OURS}")
        text = await self.read(self.peer, THEIRS)
        self.assertIn(b"multipart/report", text)
        self.assertIn(b"Status: 5.", text)

    async def test_mail_goes_to_postfix(self):
        await self.goes_there("Postfix")

    async def test_mail_goes_to_exim(self):
        await self.goes_there("Exim")

    async def test_a_password_is_not_said_to_postfix_as_a_smarthost(self):
        await self.goes_by_login("Postfix")
        log = (self.peer.folder / "log").read_text()
        self.assertIn("sasl_method=SCRAM-SHA-256", log)

    async def test_mail_goes_by_a_plain_login_to_exim_as_a_smarthost(self):
        await self.goes_by_login("Exim")

    async def test_who_is_unknown_to_postfix_is_told_to_the_sender(self):
        await self.comes_back("Postfix")

    async def test_who_is_unknown_to_exim_is_told_to_the_sender(self):
        await self.comes_back("Exim")

    async def test_mail_goes_to_postfix_after_what_it_refuses(self):
        await self.goes_after_a_refusal("Postfix")

    async def test_mail_goes_to_exim_after_what_it_refuses(self):
        await self.goes_after_a_refusal("Exim")

    async def test_all_kinds_of_bodies_go_to_postfix(self):
        await self.all_kinds_go("Postfix", there=True)

    async def test_all_kinds_of_bodies_go_to_exim(self):
        await self.all_kinds_go("Exim", there=True)

    async def test_all_kinds_of_bodies_come_from_postfix(self):
        await self.all_kinds_go("Postfix", there=False)

    async def test_all_kinds_of_bodies_come_from_exim(self):
        await self.all_kinds_go("Exim", there=False)

    async def test_mail_comes_from_postfix(self):
        await self.comes_here("Postfix")

    async def test_mail_comes_from_exim(self):
        await self.comes_here("Exim")

    async def test_success_is_told_to_the_sender_by_postfix(self):
        await self.is_told("Postfix")

    async def test_success_is_told_to_the_sender_by_exim(self):
        await self.is_told("Exim")

    async def test_who_is_unknown_here_is_told_to_the_sender_by_postfix(self):
        await self.goes_back("Postfix")

    async def test_who_is_unknown_here_is_told_to_the_sender_by_exim(self):
        await self.goes_back("Exim")
