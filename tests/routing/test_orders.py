"""What checks order, and what then becomes of mail."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailhub.errors import LocalFault, Refused, UnknownRecipient
from mailhub.mail.envelope import Order
from mailhub.policy.check import Verdict

from ..policy.test_check import Noting
from .test_sending import SendingTestCase


class UndecidedTests(SendingTestCase):
    """A check that cannot tell yet whether a stranger may relay."""

    async def test_who_may_be_let_through_later_is_refused_for_now(self):
        self.use([Noting([], {"recipient": Verdict(order=Order.UNDECIDED)})])
        refusal = await self.refused(Refused, "x@example.com")
        self.assertEqual((refusal.permanent, refusal.code), (False, 450))
        await self.refused(UnknownRecipient, "dave@example.org")
        await self.sent("Jo@in.example")
        await self.send("ann@example.org")
        self.assertEqual(len(self.store.made[-1].targets), 1)


class OrderTests(SendingTestCase):
    """What checks and rules order."""

    def check(self, moment, order, reason=""):
        self.use([Noting([], {moment: Verdict(order=order, reason=reason)})])

    async def test_what_is_held_waits_for_a_person(self):
        for moment in ("connection", "sender", "recipient", "message"):
            self.check(moment, Order.HOLD, "looked odd")
            sending = await self.sent("ann@example.org", "jo@in.example")
            self.assertEqual(sending.hold, "looked odd")
            self.assertIsNone(sending.keeper)
            self.assertEqual(
                [each.destination for each in sending.recipients],
                ["local:example.org", "in.example"],
            )
            self.assertEqual(self.store.made[-1].targets, ())
        self.assertEqual(self.outlet.taken, [])

    async def test_a_reason_there_is(self):
        self.check("sender", Order.HOLD)
        self.assertEqual((await self.sent("ann@example.org")).hold, "held by a check")

    async def test_a_rule_holds_what_it_leads_to_and_nothing_else(self):
        await self.directory.set_alias(
            "new@example.org", ["hold:new", "bob@example.org", "n@example.com"]
        )
        await self.send("ann@example.org", "new@example.org", "jo@in.example")
        [delivery] = self.store.made
        self.assertEqual(delivery.targets, self.targets("ann"))
        holds = {each.recipient: sending.hold
                 for sending in delivery.sendings
                 for each in sending.recipients}  # fmt: skip
        expected = {"new@example.org": "new", "n@example.com": "new",
                    "jo@in.example": ""}  # fmt: skip
        self.assertEqual(holds, expected)

    async def test_somebody_else_gets_what_is_redirected(self):
        for moment in ("connection", "sender", "recipient"):
            self.check(moment, Order.REDIRECT, "bob@example.org")
            await self.send("ann@example.org", "jo@in.example")
            [delivery] = self.store.made
            self.assertEqual(delivery.targets, self.targets("bob"))
            self.assertEqual(delivery.sendings, ())
            self.store.made.clear()

    async def test_mail_that_is_redirected_to_nobody_waits(self):
        self.check("recipient", Order.REDIRECT, "nobody@example.org")
        await self.assertFailure(
            Deferred.fromCoroutine(self.send("ann@example.org")), LocalFault
        )

    async def test_what_is_thrown_away_is_taken(self):
        for moment in ("connection", "sender", "recipient", "message"):
            self.check(moment, Order.DISCARD)
            outcomes = await self.send("ann@example.org", "jo@in.example")
            self.assertEqual(outcomes, [None, None])
        self.assertEqual(self.store.made, [])

    async def test_a_recipient_s_mail_may_be_thrown_away_alone(self):
        await self.directory.set_alias("noreply@example.org", ["/dev/null"])
        await self.send("noreply@example.org", "ann@example.org")
        [delivery] = self.store.made
        self.assertEqual(delivery.targets, self.targets("ann"))

    async def test_lmtp_may_throw_away_too(self):
        await self.directory.set_alias("noreply@example.org", ["/dev/null"])
        outcomes = await self.send(
            "noreply@example.org", "ann@example.org", one_by_one=True
        )
        self.assertEqual(outcomes, [None, None])
        self.assertEqual(len(self.store.made), 1)

    async def test_messages_of_one_lmtp_transaction_have_names_of_their_own(self):
        await self.send("jo@in.example", "al@in.example", one_by_one=True)
        names = [each.sendings[0].queue_id for each in self.store.made]
        self.assertEqual(len(set(names)), 2)
