"""Attempts to send over real sockets, to addresses of this machine."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailhub.config.settings import Outbound
from mailhub.mail.dns import MX, RecordType
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queued import Lease, QueuedMessage, Result, Waiting
from mailhub.outbound.building import way_out
from mailhub.outbound.tls_policy import TLSPolicies
from mailhub.outbound.ways import WayOut
from mailhub.store.content import BytesContent
from tests.resolving import Names

from .far_server import FarServer

MESSAGE = b"From: al@x.example\r\nSubject: x\r\n\r\nhello\r\n"
DOMAIN = "far.example"


class WayCase(TestCase):
    """Tests with servers elsewhere.

    :ivar names: DNS.
    """

    way: WayOut

    def setUp(self) -> None:
        self.names = Names()

    def far(self, number: int = 1, port: int = 0, **more: Any) -> FarServer:
        """A server on 127.0.0.*number*, or another *address*."""
        address = more.pop("address", f"127.0.0.{number}")
        server = FarServer(address, port, **more)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    def exchange(self, *hosts: tuple[int, str, str], domain: str = DOMAIN) -> None:
        """Let the MX records of a domain be these: preference, name, address."""
        self.names.records[domain] = {
            RecordType.MX: [MX(preference, host) for preference, host, _ in hosts]
        }
        for _, host, address in hosts:
            self.names.records.setdefault(host, {RecordType.A: [address]})

    def make(self, port: int = 25, **more: Any) -> WayOut:
        """The way out."""
        others = more.pop("others", None)
        listening = more.pop("listening", ())
        policies = more.pop("policies", None) or TLSPolicies(None)
        clock = more.pop("reactor", reactor)
        capacity = more.pop("capacity", None)
        chosen = {"allow_private": True, "families": "ipv4-only", "port": port} | more
        self.way = way_out(
            Outbound(**chosen), clock, self.names, "me.example", policies=policies,
            others=others, listening=listening, capacity=capacity,
        )  # fmt: skip
        self.addCleanup(lambda: Deferred.fromCoroutine(self.way.stop()))
        return self.way

    async def send(
        self,
        *recipients: str,
        destination: str = DOMAIN,
        sender: str = "al@x.example",
        content: Any = None,
        notify: Any = None,
        **parameters: Any,
    ) -> list[Result]:
        """The results of one attempt."""
        content = content or BytesContent(MESSAGE)
        message = QueuedMessage(
            1, "Q1", sender, None, MailParameters(**parameters), content.size, 0.0, 1e12
        )
        waiting = tuple(
            Waiting(number, each, destination, notify, None, 0.0)
            for number, each in enumerate(recipients or (f"jo@{DOMAIN}",))
        )
        lease = Lease(message, destination, waiting, 1, 1e12)
        return await self.way.send(lease, content)


def told(results: list[Result]) -> list[tuple[str, str]]:
    """What became of each, and the status."""
    return [(each.outcome.value, each.status) for each in results]
