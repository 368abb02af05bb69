"""What its sender hears of mail on its way from one server to the next."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

from .pairs import A, B, Pair
from .servers import MESSAGE


class TracingTests(Pair):
    """RFC 2852, sections 4.1.4 and 5; RFC 3461, section 5.2."""

    async def sent(self, mail, rcpt=()):
        """Actions that Jo hears of mail from one server to the other and back."""
        await self.set_up()
        await self.alias(f"away@{A}", f"jo@{B}")
        await self.send(f"jo@{B}", f"away@{A}", MESSAGE, mail, rcpt)
        self.octets = sorted(await self.inbox(B), key=lambda each: b"Action:" in each)
        self.assertEqual(len(await self.inbox(A)), 0)
        return re.findall(r"\r\nAction: (\S+)\r\n", b"".join(self.octets).decode())

    async def test_each_step_is_told_with_its_times(self):
        before = time.time()
        self.assertEqual(await self.sent(("BY=60;NT", "ENVID=mine")), ["relayed"])
        notice = self.octets[-1].decode()
        for line in (
            "Original-Envelope-Id: mine", f"Final-Recipient: rfc822; jo@{B}",
            "Status: 2.0.0", f"Reporting-MTA: dns; mail.{A}",
        ):  # fmt: skip
            self.assertIn(f"\r\n{line}\r\n", notice)
        arrived, wished = (
            parsedate_to_datetime(re.search(rf"\r\n{name}: (.*)\r\n", notice)[1])
            for name in ("Arrival-Date", "Deliver-By-Date")
        )
        self.assertEqual((wished - arrived).total_seconds(), 60)
        self.assertGreaterEqual(arrived.timestamp(), int(before))

    async def test_who_wants_to_hear_nothing_hears_nothing(self):
        self.assertEqual(await self.sent(("BY=60;RT",), ("NOTIFY=NEVER",)), [])

    async def test_the_last_server_tells_of_the_delivery_besides(self):
        found = await self.sent(("BY=60;RT",), ("NOTIFY=SUCCESS",))
        self.assertEqual(sorted(found), ["delivered", "relayed"])

    async def test_without_a_trace_there_is_no_word_of_it(self):
        self.assertEqual(await self.sent(("BY=60;R",)), [])
