"""Checks in a row."""

from __future__ import annotations

from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailhub.errors import Refused
from mailhub.interfaces import ICheck
from mailhub.mail.address import Address
from mailhub.mail.envelope import Envelope, MailParameters, Order, Peer
from mailhub.policy.check import ACCEPT, Indifferent, Pipeline, Verdict, refuse


def envelope():
    peer = Peer("192.0.2.7", 54321, "smtp", "mx.example.org")
    return Envelope("ID1", peer, None, Address("a", "example.com"), MailParameters())


@implementer(ICheck)
class Noting:
    """Writes down what it was asked, and answers what it was told to."""

    name = "noting"

    def __init__(self, asked, verdicts):
        self.asked = asked
        self.verdicts = verdicts

    def _answer(self, moment):
        self.asked.append((self, moment))
        return self.verdicts.get(moment, ACCEPT)

    async def connection(self, peer):
        return self._answer("connection")

    async def sender(self, envelope):
        return self._answer("sender")

    async def recipient(self, envelope, address):
        return self._answer("recipient")

    async def message(self, envelope, content):
        return self._answer("message")


class PipelineTests(TestCase):
    """Order, refusals and header lines."""

    def checks(self, *verdicts):
        self.asked = []
        self.row = [Noting(self.asked, one) for one in verdicts]
        return Pipeline(self.row)

    async def run_all(self, pipeline, envelope):
        await pipeline.sender(envelope)
        await pipeline.recipient(envelope, Address("b", "example.org"))
        await pipeline.message(envelope, None)

    async def test_every_check_is_asked_at_every_moment_in_order(self):
        pipeline = self.checks({}, {})
        await self.run_all(pipeline, envelope())
        moments = ("connection", "sender", "recipient", "message")
        expected = [(check, moment) for moment in moments for check in self.row]
        self.assertEqual(self.asked, expected)

    async def test_the_first_refusal_ends_the_moment(self):
        error = Refused("no")
        pipeline = self.checks({"connection": refuse(error)}, {})
        with self.assertRaises(Refused) as caught:
            await pipeline.sender(envelope())
        self.assertIs(caught.exception, error)
        self.assertEqual(self.asked, [(self.row[0], "connection")])

    async def test_header_lines_gather_above_the_trace(self):
        mail = envelope()
        mail.trace = b"Received: x\r\n"
        pipeline = self.checks(
            {"sender": Verdict(header=b"A: 1\r\n")},
            {"message": Verdict(header=b"B: 2\r\n")},
        )
        await self.run_all(pipeline, mail)
        self.assertEqual(mail.trace, b"B: 2\r\nA: 1\r\nReceived: x\r\n")

    async def test_the_indifferent_check_accepts_at_every_moment(self):
        @implementer(ICheck)
        class Nothing(Indifferent):
            """Minds nothing."""

        self.assertTrue(verifyObject(ICheck, Nothing()))
        mail = envelope()
        await self.run_all(Pipeline([Nothing()]), mail)
        self.assertEqual(mail.trace, b"")

    async def test_orders_for_all_of_a_message_gather_in_its_envelope(self):
        mail = envelope()
        pipeline = self.checks(
            {"connection": Verdict(order=Order.RELAY, reason="one of ours")},
            {"sender": Verdict(order=Order.HOLD, reason="new"),
             "message": Verdict(order=Order.HOLD, reason="odd")},
        )
        await self.run_all(pipeline, mail)
        self.assertEqual(mail.orders, {Order.RELAY: "one of ours", Order.HOLD: "new"})

    async def test_orders_for_a_recipient_are_that_recipients_only(self):
        mail = envelope()
        pipeline = self.checks({"recipient": Verdict(order=Order.DISCARD)}, {})
        address = Address("b", "example.org")
        orders = await pipeline.recipient(mail, address)
        self.assertEqual((orders, mail.orders), ({Order.DISCARD: ""}, {}))
        self.assertEqual(await Pipeline(()).recipient(mail, address), {})
