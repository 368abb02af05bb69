"""Servers that could not be reached are asked after the others for a while."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.outbound.doubts import LENGTH, MOST, Doubts
from mailhub.outbound.places import Place

from .way_case import MESSAGE, WayCase, told

HERE, THERE = Place("192.0.2.1", 25, "a.example"), Place("192.0.2.2", 25, "a.example")
TAKEN = [("delivered", "2.0.0")]


class DoubtsTests(SynchronousTestCase):
    """What is remembered, and for how long."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.doubts = Doubts(self.clock.seconds)

    def test_they_end_after_a_while(self) -> None:
        self.doubts.add(HERE)
        self.clock.advance(LENGTH - 1)
        self.assertTrue(self.doubts.is_about(HERE))
        self.clock.advance(1)
        self.assertFalse(self.doubts.is_about(HERE))

    def test_they_are_about_the_server_whichever_name_it_has(self) -> None:
        self.doubts.add(HERE)
        self.assertTrue(self.doubts.is_about(Place("192.0.2.1", 25, "b.example")))
        self.assertFalse(self.doubts.is_about(Place("192.0.2.1", 587, "a.example")))
        self.assertFalse(self.doubts.is_about(THERE))

    def test_they_end_when_it_can_be_reached(self) -> None:
        self.doubts.add(HERE)
        self.doubts.end(HERE)
        self.doubts.end(THERE)
        self.assertFalse(self.doubts.is_about(HERE))

    def test_so_many_and_no_more_are_remembered(self) -> None:
        places = [Place(f"192.0.2.{number}", 25, "") for number in range(MOST + 1)]
        for place in places[:MOST]:
            self.doubts.add(place)
        self.assertTrue(self.doubts.is_about(places[0]))
        self.doubts.add(places[MOST])
        self.assertFalse(self.doubts.is_about(places[0]))
        self.assertTrue(self.doubts.is_about(places[1]))


class OrderTests(WayCase):
    """RFC 5321, section 5.1: by preference, but for who was not there just now."""

    async def test_the_best_is_not_asked_again_while_it_is_down(self):
        best = self.far(1, replies={b"": b""})
        other = self.far(2, best.port)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        self.make(best.port)
        for _ in range(3):
            self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual((best.connections, other.messages), (1, [MESSAGE] * 3))

    async def test_it_is_asked_where_nobody_else_is_there(self):
        best = self.far(1, replies={b"": b""})
        other = self.far(2, best.port)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        self.make(best.port)
        await self.send()
        await other.stop()
        best.replies.clear()
        for _ in range(2):
            self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(best.messages, [MESSAGE] * 2)

    async def test_who_refuses_mail_is_there(self):
        best = self.far(1, replies={b"MAIL": [b"421 busy", b"250 ok"]})
        other = self.far(2, best.port)
        self.exchange(
            (10, "one.far.example", "127.0.0.1"), (20, "two.far.example", "127.0.0.2")
        )
        self.make(best.port)
        await self.send()
        await self.send()
        self.assertEqual((len(best.messages), len(other.messages)), (1, 1))

    async def test_so_it_is_with_the_addresses_of_a_smarthost(self):
        best = self.far(1, replies={b"": b""})
        self.far(2, best.port)
        self.exchange((10, "relay.example", "127.0.0.1"))
        [addresses] = self.names.records["relay.example"].values()
        addresses.append("127.0.0.2")
        self.make(smarthost=f"smtp://relay.example:{best.port}")
        for _ in range(3):
            self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(best.connections, 1)
