"""Two servers whose notifications could answer each other for ever.

RFC 3834; RFC 5321, sections 4.5.5 and 6.3.  Nothing here answers mail but what a server
says of mail that it could not deliver.
"""

from __future__ import annotations

import smtplib
from dataclasses import replace

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailhub.config.settings import Outbound, Server
from mailhub.mail.queue_limits import QueueLimits
from mailhub.net.limits import Limits
from mailhub.service import MailService

from .servers import MESSAGE, TIMEOUT, Servers

A, B = "a.example", "b.example"
#: Messages that both together may take because of one.
FEW = 8
#: How often, and after how many seconds, it is looked whether they are done.
ROUNDS, PAUSE = 2_000, 0.01


class PingPongTests(Servers):
    """Postmasters, forwards and lists at each other's server."""

    async def set_up(self) -> None:
        """Each knows the way to the other, and no user of its own but one."""
        self.servers: dict[str, MailService] = {}
        for domain, other in ((A, B), (B, A)):
            config = self.memory(
                server=Server(data=self.folder, host_name=f"mail.{domain}"),
                queue=QueueLimits(double_bounces=f"boss@{other}"),
                # One keeps its connection to the other, which need not wait for that.
                limits=Limits(drain=0.1),
            )
            server = self.servers[domain] = await self.start(config)
            await server.store.directory.add_account(f"jo@{domain}", "")
        for domain, other in ((A, B), (B, A)):
            server = self.servers[domain]
            host, port = self.servers[other].addresses()["smtp"]
            way = ((other, f"smtp:{host}:{port}"),)
            outbound = Outbound(routes=way, allow_private=True)
            server.prepare(replace(server.config, outbound=outbound))()

    async def alias(self, address: str, *targets: str) -> None:
        domain = address.partition("@")[2]
        await self.servers[domain].store.directory.set_alias(address, list(targets))

    async def send(self, sender: str, recipient: str, message: bytes = MESSAGE) -> None:
        """Send it, and wait until nobody has anything to do any more."""
        server = self.servers[recipient.partition("@")[2]]

        def talk() -> None:
            with smtplib.SMTP(*server.addresses()["smtp"], timeout=TIMEOUT) as client:
                client.sendmail(sender, [recipient], message)

        await deferToThread(talk)
        for _ in range(ROUNDS):
            if not await self.waiting():
                return
            await deferLater(reactor, PAUSE)
        self.fail("it goes on and on")

    async def waiting(self) -> int:
        """For how many destinations there is mail."""
        queues = [server.store.queue for server in self.servers.values()]
        return sum([len(await queue.ages(0.0, ())) for queue in queues])

    def taken(self) -> int:
        """Messages, by both."""
        return sum(
            server.factories["smtp"].tally.messages for server in self.servers.values()
        )

    async def inbox(self, domain: str) -> int:
        account = await self.servers[domain].store.open_account(f"jo@{domain}")
        return (await account.status("INBOX")).messages

    async def test_postmasters_who_do_not_exist_at_each_other_s_server(self) -> None:
        await self.set_up()
        await self.alias(f"gone@{A}", f"gone@{B}")
        await self.send(f"gone@{A}", f"gone@{A}")
        self.assertEqual((self.taken(), await self.waiting()), (1, 0))

    async def test_postmasters_who_are_each_other(self) -> None:
        await self.set_up()
        await self.alias(f"gone@{A}", f"gone@{B}")
        await self.alias(f"boss@{A}", f"boss@{B}")
        await self.alias(f"boss@{B}", f"boss@{A}")
        await self.send(f"gone@{A}", f"gone@{A}")
        self.assertLessEqual(self.taken(), FEW)

    async def test_a_forward_that_comes_back_is_told_to_its_sender_once(self) -> None:
        await self.set_up()
        await self.alias(f"ring@{A}", f"ring@{B}")
        await self.alias(f"ring@{B}", f"ring@{A}")
        await self.send(f"jo@{B}", f"ring@{A}")
        self.assertLessEqual(self.taken(), FEW)
        self.assertEqual((await self.inbox(A), await self.inbox(B)), (0, 1))

    async def test_what_was_sent_by_nobody_is_answered_to_nobody(self) -> None:
        """Whatever its header says of who has sent it."""
        await self.set_up()
        await self.alias(f"away@{A}", f"gone@{B}")
        header = f"From: jo@{B}\r\nReply-To: jo@{B}\r\nErrors-To: jo@{B}\r\n"
        await self.send("", f"away@{A}", header.encode() + MESSAGE)
        self.assertEqual((await self.inbox(A), await self.inbox(B)), (0, 0))

    async def test_who_sends_by_a_program_hears_of_failures_too(self) -> None:
        """RFC 3834, section 2, is about answers; this is none."""
        await self.set_up()
        await self.alias(f"away@{A}", f"gone@{B}")
        header = b"Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\n"
        await self.send(f"jo@{B}", f"away@{A}", header + MESSAGE)
        self.assertEqual((await self.inbox(A), await self.inbox(B)), (0, 1))
