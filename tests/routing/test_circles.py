"""Mail that would come round again, and mail about mail that nobody has sent."""

from __future__ import annotations

from dataclasses import replace

from mailhub.errors import OverQuota, Refused, RoutingLoop, UnknownRecipient
from mailhub.mail.address import parse_mailbox
from mailhub.policy.check import Verdict
from mailhub.policy.hops import MAX_HOPS, HopLimit
from mailhub.routing.expansion import MAX_ADDRESSES
from mailhub.store.memory import MemoryStore

from ..policy.test_check import Noting
from .test_sending import LendingDeliveries, SendingTestCase
from .test_submission import MESSAGE


class MailLoopTests(SendingTestCase):
    """Attack: A forwards to B, who forwards to A (RFC 5321, section 6.3)."""

    async def setUp(self):
        await super().setUp()
        await self.directory.set_forward("bob@example.org", ["b@far.example"])
        self.before = b"Delivered-To: bob@example.org\r\n" + MESSAGE

    async def test_mail_that_a_forward_sent_out_before_is_refused(self):
        sending = await self.sent("bob@example.org")
        returned = b"Received: from far\r\n" + sending.prefix + MESSAGE
        with self.assertRaises(RoutingLoop):
            await self.send("bob@example.org", message=returned)
        self.assertEqual(len(self.store.made), 1)

    async def test_case_and_place_in_the_header_do_not_matter(self):
        for line in (
            b"DELIVERED-to:bob@example.org", b"Delivered-To:  Bob@Example.ORG ",
        ):  # fmt: skip
            with self.assertRaises(RoutingLoop):
                message = b"Subject: x\r\n" + line + b"\r\n" + MESSAGE
                await self.send("bob@example.org", message=message)

    async def test_an_alias_on_the_way_counts_too(self):
        await self.directory.set_alias("team@example.org", ["bob@example.org"])
        with self.assertRaises(RoutingLoop):
            await self.send("team@example.org", message=self.before)

    async def test_other_addresses_and_bodies_do_not_count(self):
        for message in (
            b"Delivered-To: bobby@example.org\r\n" + MESSAGE,
            b"Subject: x\r\n\r\n" + self.before,
            b"X-Delivered-To: bob@example.org\r\n" + MESSAGE,
        ):
            await self.send("bob@example.org", message=message)

    async def test_mail_for_a_mailbox_may_have_been_anywhere(self):
        message = b"Delivered-To: ann@example.org\r\n" + MESSAGE
        await self.send("ann@example.org", message=message)

    async def test_lmtp_refuses_for_the_one_who_loops(self):
        outcomes = await self.send(
            "ann@example.org", "bob@example.org",
            message=self.before, one_by_one=True,
        )
        self.assertIsNone(outcomes[0])
        self.assertIsInstance(outcomes[1], RoutingLoop)

    async def test_a_message_with_too_many_hops_is_not_sent_on(self):
        self.use([HopLimit()])
        for hops, passes in ((MAX_HOPS, True), (MAX_HOPS + 1, False), (101, False)):
            message = b"Received: from x\r\n" * hops + MESSAGE
            if passes:
                await self.send("bob@example.org", message=message)
                continue
            with self.assertRaises(RoutingLoop):
                await self.send("bob@example.org", message=message)
        self.assertEqual(len(self.store.made), 1)

    async def test_an_alias_bomb_sends_nothing(self):
        targets = [f"n{number}@far.example" for number in range(MAX_ADDRESSES + 1)]
        await self.directory.set_alias("bomb@example.org", targets)
        await self.refused(RoutingLoop, "bomb@example.org")
        await self.directory.set_alias("bomb@example.org", targets[1:])
        sending = await self.sent("bomb@example.org")
        self.assertEqual(len(sending.recipients), MAX_ADDRESSES)


class NoBackscatterTests(SendingTestCase):
    """Attack: mail that is refused later, in a letter to a forged sender."""

    async def setUp(self):
        await super().setUp()
        full = MemoryStore()
        for name, quota in (("ann", 100), ("bob", None)):
            account = await full.directory.add_account(
                f"{name}@example.org", "", quota
            )
            self.ids[name] = account.account_id
        self.directory = full.directory
        self.store = full
        self.use()

    async def sized(self, size, recipient):
        envelope = self.envelope()
        envelope.parameters = replace(envelope.parameters, size=size)
        address = parse_mailbox(recipient.encode(), smtputf8=False)
        await self.avatar.recipient(envelope, address)

    async def test_an_unknown_recipient_is_refused_in_the_session(self):
        await self.refused(UnknownRecipient, "dave@example.org")

    async def test_a_message_too_large_for_a_mailbox_is_refused_in_the_session(self):
        await self.sized(100, "ann@example.org")
        with self.assertRaises(OverQuota):
            await self.sized(101, "ann@example.org")
        await self.sized(101, "bob@example.org")

    async def test_a_full_mailbox_is_refused_in_the_session(self):
        await self.sized(None, "ann@example.org")
        await self.send("ann@example.org", message=b"x" * 54)
        self.assertEqual(self.store.room_of(self.ids["ann"]), 0)
        with self.assertRaises(OverQuota):
            await self.sized(None, "ann@example.org")

    async def test_a_mailbox_that_gets_full_meanwhile_is_refused_in_the_session(self):
        with self.assertRaises(OverQuota):
            await self.send("ann@example.org", "bob@example.org", message=b"x" * 200)

    async def test_content_that_a_check_refuses_is_refused_in_the_session(self):
        self.store = LendingDeliveries(self.directory)
        refusal = Verdict(refusal=Refused("spam"))
        self.use([Noting([], {"message": refusal})])
        with self.assertRaises(Refused):
            await self.send("ann@example.org", "jo@in.example")
        self.assertEqual((self.store.made, self.outlet.taken), ([], []))
