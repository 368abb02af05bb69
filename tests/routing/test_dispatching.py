"""Where the server's own letters go."""

from __future__ import annotations

from mailhub.errors import LocalFault
from mailhub.mail.account import Target
from mailhub.mail.address import Address
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queued import Letter, Outgoing
from mailhub.routing.dispatching import Dispatching, random_id
from mailhub.routing.router import Router
from mailhub.routing.srs import SRS

from .test_router import RouterTestCase

NOW = 1_795_226_494.0
OCTETS = b"Subject: no\r\n\r\nno\r\n"


class DispatchingTests(RouterTestCase):
    """Each letter becomes one delivery, which nobody begins to send at once."""

    async def setUp(self):
        await super().setUp()
        self.use()

    def use(self, **settings):
        self.router = Router(self.directory, now=lambda: NOW, **settings)
        self.dispatching = Dispatching(
            self.router, "mx.example.org", limits=QueueLimits(9.0, 100.0),
            now=lambda: NOW, new_id=lambda: "ID7",
        )  # fmt: skip

    async def dispatch(self, recipient, sender="", **parameters):
        letter = Letter(sender, recipient, OCTETS, MailParameters(**parameters))
        return await self.dispatching.dispatch(letter)

    async def target(self, name):
        account = await self.directory.find_account(f"{name}@example.org")
        return Target(account.account_id)

    async def test_who_is_here_gets_it_into_the_mailbox(self):
        delivery = await self.dispatch("Ann+x@example.org")
        self.assertEqual(delivery.content.data, OCTETS)
        self.assertEqual(delivery.prefix, b"Return-Path: <>\r\n")
        self.assertEqual(delivery.targets, (await self.target("ann"),))
        self.assertEqual((delivery.internal_date, delivery.sendings), (NOW, ()))

    async def test_who_is_elsewhere_gets_it_by_the_queue(self):
        delivery = await self.dispatch("X@example.com", smtputf8=True)
        self.assertEqual(delivery.targets, ())
        [sending] = delivery.sendings
        self.assertEqual((sending.queue_id, sending.sender), ("ID7", ""))
        self.assertEqual(
            sending.recipients, (Outgoing("X@example.com", "example.com"),)
        )
        self.assertTrue(sending.parameters.smtputf8)
        self.assertEqual(sending.prefix, b"")
        self.assertIsNone(sending.keeper)
        self.assertEqual(sending.expires, NOW + 100)

    async def test_what_a_forward_made_of_the_sender_is_undone(self):
        srs = SRS(lambda: bytes(32))
        self.use(srs=srs)
        await self.directory.set_forward("ann@example.org", ["a@example.com"])
        [departure] = (await self.decide("ann@example.org")).departures
        sender = Address("al", "far.example")
        signed = await self.router.forwarder(sender, departure)
        delivery = await self.dispatch(signed)
        [outgoing] = delivery.sendings[0].recipients
        self.assertEqual(outgoing.recipient, "al@far.example")

    async def test_what_nobody_takes_goes_to_the_postmaster(self):
        self.use(postmaster="bob@example.org")
        await self.alias("loop@example.org", "loop@example.org")
        for recipient in ("dave@example.org", "loop@example.org", "not an address", ""):
            delivery = await self.dispatch(recipient)
            self.assertEqual(delivery.targets, (await self.target("bob"),), recipient)

    async def test_a_postmaster_elsewhere_gets_it_by_the_queue(self):
        await self.alias("postmaster@example.net", "pm@example.com")
        delivery = await self.dispatch("dave@example.org")
        [outgoing] = delivery.sendings[0].recipients
        self.assertEqual(outgoing.recipient, "pm@example.com")

    async def test_without_a_postmaster_there_is_nothing_to_deliver(self):
        for account in await self.directory.accounts():
            await self.directory.remove_account(account.address)
        delivery = await self.dispatch("dave@example.org")
        self.assertEqual((delivery.targets, delivery.sendings), ((), ()))

    async def test_a_directory_that_cannot_tell_is_asked_again_later(self):
        async def fail(address):
            raise LocalFault("disk")

        self.directory.find_alias = fail
        with self.assertRaises(LocalFault):
            await self.dispatch("dave@example.org")

    def test_names_are_those_of_transactions(self):
        self.assertRegex(random_id(), r"\A[0-9A-F]{12}\Z")
