"""Mail that has been through too many servers."""

from __future__ import annotations

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailhub.errors import Refused, RoutingLoop
from mailhub.interfaces import ICheck
from mailhub.policy.header import MAX_HEADER, count_fields
from mailhub.policy.hops import MAX_HOPS, HopLimit
from mailhub.store.content import BytesContent

from .test_check import envelope

HOP = b"Received: from a by b;\r\n\tMon, 1 Jan 2024 00:00:00 +0000\r\n"


class Counted(BytesContent):
    """Counts the octets that were read."""

    def __init__(self, data):
        super().__init__(data)
        self.read_octets = 0

    async def read(self, start, stop):
        piece = self.data[start:stop]
        self.read_octets += len(piece)
        return piece


class Read:
    """Content that is not in memory."""

    data = None

    def __init__(self, message):
        self._message = message

    async def read(self, start, stop):
        return self._message[start:stop]


class HopLimitTests(TestCase):
    """RFC 5321, section 6.3 (attack: mail loop)."""

    async def verdict(self, message):
        return await HopLimit().message(envelope(), BytesContent(message))

    def test_it_is_a_check(self):
        self.assertTrue(verifyObject(ICheck, HopLimit()))

    async def test_as_many_hops_as_allowed_pass(self):
        message = HOP * MAX_HOPS + b"Subject: x\r\n\r\n" + HOP * 9
        self.assertIsNone((await self.verdict(message)).refusal)

    async def test_one_more_is_a_loop(self):
        refusal = (await self.verdict(HOP.upper() * (MAX_HOPS + 1))).refusal
        self.assertIsInstance(refusal, RoutingLoop)

    async def test_a_long_header_is_counted_to_its_end(self):
        message = b"X: " + b"y" * 1_000_000 + b"\r\n" + HOP * (MAX_HOPS + 1) + b"\r\n"
        refusal = (await self.verdict(message)).refusal
        self.assertIsInstance(refusal, RoutingLoop)

    async def test_a_message_without_a_header_has_no_hops(self):
        for message in (b"", b"\r\n" + HOP * 99, b"\n" + HOP * 99):
            self.assertIsNone((await self.verdict(message)).refusal)


class CountFieldsTests(TestCase):
    """The header alone, however large the message and however it is read."""

    async def check(self, message, *expected):
        for content in (BytesContent(message), Read(message)):
            counts = await count_fields(content, b"a", b"message-id")
            self.assertEqual(counts, list(expected), message[:80])

    async def test_fields_are_counted_up_to_the_empty_line(self):
        await self.check(b"A: 1\r\na:2\r\n\r\nA: 3\r\n", 2, 0)
        await self.check(b"A: 1\n\nA: 2", 1, 0)
        await self.check(b"Message-ID: 1\r\nX: A: 1\r\n a: 2\r\n", 0, 1)
        await self.check(b"\r\nA: 1", 0, 0)
        await self.check(b"\nA: 1", 0, 0)
        await self.check(b"A:", 1, 0)
        await self.check(b"A", 0, 0)
        await self.check(b"", 0, 0)

    async def test_a_field_at_any_place_is_counted_once(self):
        for length in range(16_360, 16_395):
            start = b"X: " + b"x" * length + b"\r\n"
            await self.check(start + b"A: 1\r\nMessage-ID: 2\r\n\r\nA: 3", 1, 1)
            await self.check(start + b"Message-ID: 2\r\nA: 3", 1, 1)
            await self.check(start + b"\r\nA: 1\r\nA: 2", 0, 0)

    async def test_the_body_of_a_large_message_is_not_read(self):
        content = Counted(b"A: 1\r\n\r\n" + b"x" * 5_000_000)
        await count_fields(content, b"a")
        self.assertLess(content.read_octets, 20_000)

    async def test_a_header_of_the_limit_passes_and_one_octet_more_does_not(self):
        for over in (0, 1):
            header = b"A: " + b"x" * (MAX_HEADER - 5 + over) + b"\r\n"
            for rest in (b"", b"\r\nbody"):
                if over:
                    with self.assertRaises(Refused):
                        await self.check(header + rest, 1, 0)
                else:
                    await self.check(header + rest, 1, 0)
