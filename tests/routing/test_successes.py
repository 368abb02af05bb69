"""Notifications of mail that is in its mailboxes."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes

from mailhub.mail.address import parse_mailbox
from mailhub.mail.envelope import Envelope, MailParameters, Notify, Peer
from mailhub.mail.envelope import RecipientParameters as Wishes
from mailhub.routing.dispatching import Dispatching
from mailhub.routing.planning import Route
from mailhub.routing.router import Router
from mailhub.routing.successes import Successes
from mailhub.store.content import BytesContent

from .test_router import RouterTestCase

NOW = 1_795_226_494
MESSAGE = BytesContent(b"Message-ID: <1@example.com>\r\n\r\nhello\r\n")


class SuccessTests(RouterTestCase):
    """One letter for all recipients (RFC 3461, section 5.2.3; RFC 3464)."""

    async def setUp(self):
        await super().setUp()
        router = Router(self.directory)
        dispatching = Dispatching(router, "mx.example.org", now=lambda: NOW)
        self.successes = Successes("mx.example.org", dispatching.dispatch, lambda: NOW)
        peer = Peer("192.0.2.7", 1, "smtp", "mx.example.org")
        parameters = MailParameters(envid="QQ314159")
        self.envelope = Envelope("ID1", peer, None, None, parameters)
        self.envelope.sender = parse_mailbox(b"x@example.com", smtputf8=False)

    async def told(self, *recipients):
        addresses = [parse_mailbox(each, smtputf8=True) for each in recipients]
        return await self.successes(self.envelope, addresses, MESSAGE)

    async def test_the_sender_hears_of_all_recipients_in_one_letter(self):
        bob = parse_mailbox(b"bob@example.org", smtputf8=False)
        self.envelope.wishes[bob] = Wishes(Notify.SUCCESS, "rfc822;Bob@example.org")
        [delivery] = await self.told(b"ann@example.org", b"bob@example.org")
        [sending] = delivery.sendings
        self.assertEqual(sending.sender, "")
        self.assertEqual(sending.recipients[0].recipient, "x@example.com")
        octets = delivery.content.data
        for text in (
            b"Final-Recipient: rfc822;ann@example.org\r\n",
            b"Original-Recipient: rfc822;Bob@example.org\r\n",
            b"Action: delivered\r\n", b"Original-Envelope-Id: QQ314159\r\n",
            b"Status: 2.0.0\r\n",
        ):  # fmt: skip
            self.assertIn(text, octets.replace(b"rfc822; ", b"rfc822;"))

    async def test_the_header_alone_goes_back(self):
        [delivery] = await self.told(b"ann@example.org")
        [*_, returned] = message_from_bytes(delivery.content.data).get_payload()
        self.assertEqual(returned.get_content_type(), "text/rfc822-headers")
        self.assertEqual(returned.get_payload(), "Message-ID: <1@example.com>\r\n\r\n")

    async def test_it_is_as_urgent_and_as_secret_as_the_message(self):
        """RFC 6710, section 4.6; RFC 8689, section 5."""
        parameters = MailParameters(priority=-4, require_tls=True)
        self.envelope.parameters = parameters
        [delivery] = await self.told(b"ann@example.org")
        found = delivery.sendings[0].parameters
        self.assertEqual((found.priority, found.require_tls), (-4, True))

    async def test_a_sender_here_gets_it_into_the_mailbox(self):
        self.envelope.sender = parse_mailbox(b"ann@example.org", smtputf8=False)
        [delivery] = await self.told(b"bob@example.org")
        self.assertEqual((len(delivery.targets), delivery.sendings), (1, ()))

    async def test_what_was_sent_on_to_several_was_expanded(self):
        await self.alias("two@example.org", "x@far.example", "y@far.example")
        two = parse_mailbox(b"two@example.org", smtputf8=False)
        decision = await self.decide("two@example.org")
        self.envelope.routes[two] = Route(two, decision, {})
        deliveries = await self.told(b"two@example.org", b"ann@example.org")
        actions = [
            re.findall(rb"Action: (\w+)\r\n", delivery.content.data)
            for delivery in deliveries
        ]
        self.assertEqual(actions, [[b"expanded"], [b"delivered"]])

    async def test_a_list_has_taken_what_is_sent_to_it(self):
        await self.alias("list@example.org", "x@far.example")
        await self.alias("owner-list@example.org", "ann@example.org")
        address = parse_mailbox(b"list@example.org", smtputf8=False)
        decision = await self.decide("list@example.org")
        self.envelope.routes[address] = Route(address, decision, {})
        [delivery] = await self.told(b"list@example.org")
        self.assertIn(b"Action: delivered\r\n", delivery.content.data)

    async def test_utf_8_goes_only_to_who_understands_it(self):
        for knows in (False, True):
            parameters = replace(self.envelope.parameters, smtputf8=knows)
            self.envelope.parameters = parameters
            [delivery] = await self.told("änn@example.org".encode())
            self.assertEqual(delivery.content.data.isascii(), not knows)
