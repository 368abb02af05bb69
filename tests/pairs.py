"""Two whole servers that send to each other, without names or programs."""

from __future__ import annotations

import smtplib
from dataclasses import replace

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailhub.config.settings import Outbound, Server
from mailhub.mail.mailbox import Column
from mailhub.mail.queue_limits import QueueLimits
from mailhub.net.limits import Limits
from mailhub.service import MailService
from mailhub.store.content import octets_of

from .servers import MESSAGE, TIMEOUT, Servers

A, B = "a.example", "b.example"
#: How often, and after how many seconds, it is looked whether they are done.
ROUNDS, PAUSE = 2_000, 0.01


class Pair(Servers):
    """Two servers that know the way to each other, each with a domain and Jo."""

    async def set_up(self) -> None:
        """Start both; what cannot be returned goes to nobody at the other."""
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

    async def send(
        self,
        sender: str,
        recipient: str,
        message: bytes = MESSAGE,
        mail: tuple[str, ...] = (),
        rcpt: tuple[str, ...] = (),
    ) -> None:
        """Send it, and wait until nobody has anything to do any more.

        :param mail: parameters of MAIL; likewise *rcpt*.
        """
        server = self.servers[recipient.partition("@")[2]]

        def talk() -> None:
            with smtplib.SMTP(*server.addresses()["smtp"], timeout=TIMEOUT) as client:
                client.sendmail(sender, [recipient], message, mail, rcpt)

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

    async def inbox(self, domain: str) -> list[bytes]:
        """Jo's messages."""
        account = await self.servers[domain].store.open_account(f"jo@{domain}")
        box = await account.open("INBOX")
        uids = range(1, (await account.status("INBOX")).messages + 1)
        rows = await box.fetch(uids, (Column.CONTENT,))
        return [await octets_of(content) for _, content in rows]
