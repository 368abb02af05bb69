"""Sessions with other servers that are used for more than one message."""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from .way_case import WayCase, told

TAKEN = [("delivered", "2.0.0")]


class ReuseTests(WayCase):
    """Sessions that wait for another message."""

    async def setup(self, **more):
        self.server = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(self.server.port, **more)

    async def test_one_message_after_the_other_goes_over_one(self):
        await self.setup()
        for _ in range(3):
            self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(self.server.connections, 1)

    async def test_so_it_does_for_another_domain_of_the_same_server(self):
        await self.setup()
        self.exchange((5, "mx.far.example", "127.0.0.1"), domain="other.example")
        await self.send()
        await self.send("jo@other.example", destination="other.example")
        self.assertEqual(self.server.connections, 1)

    async def test_only_so_many_messages(self):
        await self.setup(messages=2)
        for _ in range(5):
            self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(self.server.connections, 3)

    async def test_one_that_has_closed_meanwhile_is_replaced(self):
        await self.setup()
        await self.send()
        self.server.replies[b"MAIL"] = [b"", b"250 ok"]
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(self.server.connections, 2)

    async def test_one_that_says_421_meanwhile_is_replaced(self):
        await self.setup()
        await self.send()
        self.server.replies[b"MAIL"] = [b"421 idle", b"250 ok"]
        self.assertEqual(told(await self.send()), TAKEN)

    async def test_so_is_one_that_is_still_at_the_last_message(self):
        await self.setup()
        for answers in (
            {b"RSET": b""}, {b"RSET": b"500 what?"}, {b"MAIL": [b"503 now?", b"250 ok"]}
        ):  # fmt: skip
            self.server.replies |= {b"RCPT": b"550 no", b"DATA": b"503 for whom?"}
            self.assertEqual(told(await self.send()), [("failed", "5.0.0")])
            before = self.server.connections
            self.server.replies.clear()
            self.server.replies |= answers
            self.assertEqual(told(await self.send()), TAKEN, answers)
            self.assertEqual(self.server.connections, before + 1)
            self.server.replies.clear()

    async def test_503_to_the_first_message_is_an_answer(self):
        await self.setup()
        self.server.replies[b"MAIL"] = b"503 5.5.1 log in first"
        self.assertEqual(told(await self.send()), [("failed", "5.5.1")])

    async def test_at_the_same_time_each_has_its_own(self):
        await self.setup()
        sending = [Deferred.fromCoroutine(self.send()) for _ in range(3)]
        for results in await gatherResults(sending):
            self.assertEqual(told(results), TAKEN)
        self.assertEqual(self.server.connections, 3)

    async def test_but_only_so_many(self):
        await self.setup(connections=2)
        sending = [Deferred.fromCoroutine(self.send()) for _ in range(7)]
        for results in await gatherResults(sending):
            self.assertEqual(told(results), TAKEN)
        self.assertEqual(self.server.connections, 2)
