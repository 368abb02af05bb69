"""What is left of a message's time, and who knows of it at the next server."""

from __future__ import annotations

import re
import time

from mailhub.mail.envelope import DeliverBy, Notify

from .far_server import HELLO
from .way_case import WayCase, told

HOUR = 3600


class DeliverByTests(WayCase):
    """RFC 2852, sections 4.1.4.1 and 4.1.4.2."""

    def connect(self, *offers):
        """A server; -> what it heard"""
        far = self.far(offers=(*HELLO, *offers))
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        return far.heard

    async def sent(self, left, returns, notify=None, trace=False):
        wish = DeliverBy(time.time() + left, returns, trace)
        return told(await self.send(deliver_by=wish, notify=notify))

    async def test_what_is_left_goes_along(self):
        heard = self.connect(b"DELIVERBY 30")
        for left, returns, trace, word in (
            (HOUR, True, False, b"R"), (HOUR, False, True, b"NT"),
            (-HOUR, False, False, b"N"),
        ):  # fmt: skip
            found = await self.sent(left, returns, trace=trace)
            self.assertEqual(found, [("delivered", "2.0.0")])
            mails = [line for line in heard if line.startswith(b"MAIL")]
            [number] = re.findall(rb" BY=([-0-9]+);%b$" % word, mails[-1])
            self.assertIn(int(number), range(left - 20, left + 1))

    async def test_what_must_come_back_goes_to_nobody_who_would_not_return_it(self):
        heard = self.connect()
        self.assertEqual(await self.sent(HOUR, True), [("failed", "5.4.7")])
        self.assertFalse([line for line in heard if line.startswith(b"MAIL")])

    async def test_nor_to_who_needs_more_time_than_is_left(self):
        self.connect(b"DELIVERBY 7200")
        self.assertEqual(await self.sent(HOUR, True), [("failed", "5.4.7")])
        self.assertEqual(await self.sent(HOUR, False), [("delivered", "2.0.0")])

    async def test_its_sender_hears_who_was_the_last_to_know(self):
        heard = self.connect(b"DSN")
        for notify, words, outcome in (
            (None, b"FAILURE,DELAY", "relayed"),
            (Notify.FAILURE, b"FAILURE,DELAY", "relayed"),
            (Notify.SUCCESS, b"SUCCESS,DELAY", "relayed"),
            (Notify.NEVER, b"NEVER", "relayed"),
        ):
            found = await self.sent(HOUR, False, notify)
            self.assertEqual(found, [(outcome, "2.0.0")])
            rcpts = [line for line in heard if line.startswith(b"RCPT")]
            self.assertTrue(rcpts[-1].endswith(b" NOTIFY=" + words), rcpts[-1])

    async def test_after_that_time_there_is_nothing_to_know(self):
        heard = self.connect(b"DSN")
        self.assertEqual(await self.sent(-1, False), [("delivered", "2.0.0")])
        self.assertNotIn(b"NOTIFY", b"".join(heard))
