"""Mail for mailboxes here that had to wait."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from mailhub.errors import LocalFault, OverQuota, UnknownRecipient
from mailhub.interfaces import IWayOut
from mailhub.mail.account import Target
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queued import Lease, Outcome, QueuedMessage, Waiting
from mailhub.routing.local_way import LocalWay
from mailhub.routing.router import Router
from mailhub.store.content import BytesContent

from .test_router import RouterTestCase
from .test_submission import Deliveries

NOW = 1_795_226_494


class LocalWayTests(RouterTestCase):
    """Each recipient has a result of its own."""

    async def setUp(self):
        await super().setUp()
        self.store = Deliveries(self.directory)
        self.way = LocalWay(self.store, Router(self.directory), lambda: NOW)

    async def send(self, *recipients, sender="x@example.com"):
        waiting = tuple(
            Waiting(number, recipient, "local:example.org", None, None, 0.0)
            for number, recipient in enumerate(recipients)
        )
        message = QueuedMessage(1, "Q", sender, None, MailParameters(), 3, 0.0, 9.0)
        lease = Lease(message, "local:example.org", waiting, 1, 9.0)
        return await self.way.send(lease, BytesContent(b"a: b\r\n"))

    async def outcome(self, recipient):
        [result] = await self.send(recipient)
        return result.outcome, result.status

    async def test_it_is_a_way_out(self):
        self.assertTrue(verifyObject(IWayOut, self.way))
        await self.way.stop()

    async def test_mailboxes_get_it_with_its_return_path(self):
        for sender in ("x@example.com", ""):
            [result] = await self.send("Ann+x@example.org", sender=sender)
            self.assertEqual(
                (result.outcome, result.status), (Outcome.DELIVERED, "2.0.0")
            )
            delivery = self.store.made[-1]
            account = await self.directory.find_account("ann@example.org")
            self.assertEqual(delivery.targets, (Target(account.account_id),))
            path = f"Return-Path: <{sender}>\r\n".encode()
            self.assertEqual(delivery.prefix, path)
            self.assertEqual(delivery.sendings, ())

    async def test_only_mailboxes_get_it(self):
        await self.alias("all@example.org", "ann@example.org", "x@example.com")
        await self.send("all@example.org")
        self.assertEqual(len(self.store.made[0].targets), 1)

    async def test_who_holds_it_does_not_hold_it_again(self):
        await self.alias("new@example.org", "hold:new", "ann@example.org")
        self.assertEqual((await self.outcome("new@example.org"))[0], Outcome.DELIVERED)

    async def test_who_has_gone_fails(self):
        for address in ("dave@example.org", "no address", "x@example.com"):
            outcome, status = await self.outcome(address)
            self.assertEqual(outcome, Outcome.FAILED)
            self.assertTrue(status.startswith("5."))

    async def test_what_may_pass_is_tried_again(self):
        for error, status in (
            (OverQuota("full"), "4.2.2"), (LocalFault("disk"), "4.3.0"),
        ):  # fmt: skip
            def answer(delivery, error=error):
                raise error

            self.store.answer = answer
            found = await self.outcome("ann@example.org")
            self.assertEqual(found, (Outcome.DEFERRED, status))

    async def test_one_who_is_full_keeps_nobody_else_waiting(self):
        bob = await self.directory.find_account("bob@example.org")

        def answer(delivery):
            if delivery.targets == (Target(bob.account_id),):
                raise UnknownRecipient("gone")

        self.store.answer = answer
        results = await self.send("bob@example.org", "ann@example.org")
        self.assertEqual(
            [result.outcome for result in results],
            [Outcome.FAILED, Outcome.DELIVERED],
        )
