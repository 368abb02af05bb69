"""A queue for commands to look at."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailhub.mail.account import Delivery
from mailhub.mail.queued import Disposal, Settlement
from mailhub.store.content import BytesContent

from ..contracts.fixture import message
from ..contracts.queueing import ME, NOW, sending
from ..store.sqlite_fixture import make_store
from .shell import Shell

#: What was said of the message that was tried.
REPLY = "451 4.7.1 come back later"


class QueueTests(Shell, TestCase):
    """Tests with four messages: new, tried, held, and being sent; no server runs."""

    def setUp(self) -> Any:
        super().setUp()
        self.write("mailhub.toml", '[server]\nhost_name = "mx.example.org"\n')
        return Deferred.fromCoroutine(self._fill())

    async def _fill(self) -> None:
        data = self.path("mailhub-data")
        os.mkdir(data, 0o700)
        self.store = make_store(data)
        await self.store.start()
        await self._put(sending("NEW1", "a@example.net", "b@example.com"))
        await self._put(sending("OLD1", "c@example.net", arrived=NOW - 7200))
        for lease in await self._lease("example.net"):
            later = [
                Settlement(
                    each.recipient_id, Disposal.LATER, due=NOW + 600,
                    status="4.7.1", reply=REPLY,
                )
                for each in lease.recipients if each.recipient[0] == "c"
            ] or [
                Settlement(
                    each.recipient_id, Disposal.LATER, due=NOW, attempted=False
                )
                for each in lease.recipients
            ]  # fmt: skip
            await self.store.queue.settle(lease, later)
        await self._put(sending("HELD1", "d@example.net", hold="a check says so"))
        await self._put(sending("SENT1", "e@sent.example", sender=""))
        await self._lease("sent.example")
        await self.store.stop()

    async def _put(self, put: Any) -> None:
        content = BytesContent(message(put.queue_id))
        await self.store.deliver(Delivery(content, b"", (), int(NOW), (put,)))

    async def _lease(self, destination: str) -> Any:
        return await self.store.queue.lease(destination, 10, ME, NOW, NOW + 1e9)

    def ids(self, *arguments: str) -> list[str]:
        """The messages that ``queue list`` lists."""
        found = self.json("queue", "list", *arguments)["messages"]
        return [each["id"] for each in found]

    def states(self) -> dict[str, list[str]]:
        """The states of recipients, by message."""
        return {
            each["id"]: [recipient["state"] for recipient in each["recipients"]]
            for each in self.json("queue", "list")["messages"]
        }
