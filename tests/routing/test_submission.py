"""The avatars behind SMTP: who may send what to whom, and one delivery for all."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailhub.errors import (
    LocalFault,
    NoRouteYet,
    OverQuota,
    Refused,
    RelayDenied,
    RoutingLoop,
    StorageFull,
    UnknownRecipient,
)
from mailhub.interfaces import ISubmission
from mailhub.mail.account import Target
from mailhub.mail.address import Address, parse_mailbox
from mailhub.mail.envelope import Envelope, MailParameters, Peer
from mailhub.policy.check import Verdict
from mailhub.routing.router import Router
from mailhub.routing.submission import InboundSubmission, UserSubmission
from mailhub.store.content import BytesContent, MemorySpool
from mailhub.store.memory import MemoryStore

from ..policy.test_check import Noting

#: 2026-11-21 02:01:34 UTC.
NOW = 1_795_226_494
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


class Deliveries:
    """A store that keeps the deliveries, or waits, or fails."""

    spool = MemorySpool

    def __init__(self, directory):
        self.directory = directory
        self.made = []
        self.answer = lambda delivery: None

    async def deliver(self, delivery):
        self.made.append(delivery)
        answer = self.answer(delivery)
        if answer is not None:
            await answer


def failing(error):
    """An answer of the store."""

    def answer(delivery):
        raise error

    return answer


class SubmissionTestCase(TestCase):
    """Ann, Bob and Carol; an avatar; a transaction."""

    sender = "x@example.com"

    async def setUp(self):
        directory = MemoryStore().directory
        self.ids = {}
        for name in ("ann", "bob", "carol"):
            account = await directory.add_account(f"{name}@example.org", "")
            self.ids[name] = account.account_id
        await directory.set_alias("team@example.org", ["ann@example.org"])
        await directory.set_alias("out@example.org", ["x@example.com"])
        self.directory = directory
        self.store = Deliveries(directory)
        self.avatar = self.make_avatar()

    def make_avatar(self, checks=None):
        more = {} if checks is None else {"checks": checks}
        return InboundSubmission(
            self.store, Router(self.directory), now=lambda: NOW, **more
        )

    def envelope(self, sender=None, one_by_one=False):
        sender = self.sender if sender is None else sender
        peer = Peer("192.0.2.7", 54321, "smtp", "mx.example.org")
        return Envelope(
            "ID1",
            peer,
            None,
            parse_mailbox(sender.encode(), smtputf8=False) if sender else None,
            MailParameters(),
            one_by_one=one_by_one,
            trace=b"Received: here\r\n",
        )

    async def transaction(self, *recipients, sender=None, one_by_one=False):
        """Everything before the message."""
        envelope = self.envelope(sender, one_by_one)
        await self.avatar.sender(envelope)
        for recipient in recipients:
            address = parse_mailbox(recipient.encode(), smtputf8=False)
            await self.avatar.recipient(envelope, address)
            envelope.recipients.append(address)
        return envelope

    async def send(self, *recipients, message=MESSAGE, **options):
        envelope = await self.transaction(*recipients, **options)
        return await self.avatar.message(envelope, BytesContent(message))

    async def refused(self, kind, recipient, **options):
        with self.assertRaises(kind) as caught:
            await self.transaction(recipient, **options)
        return caught.exception

    def targets(self, *names):
        return tuple(Target(self.ids[name]) for name in names)


class InboundTests(SubmissionTestCase):
    """Mail from other servers (RFC 5321, section 3.6)."""

    def test_it_is_an_avatar_of_smtp(self):
        self.assertTrue(verifyObject(ISubmission, self.avatar))

    async def test_one_message_for_many_is_one_delivery(self):
        outcomes = await self.send("ann@example.org", "bob@example.org")
        self.assertEqual(outcomes, [None, None])
        [delivery] = self.store.made
        self.assertEqual(delivery.targets, self.targets("ann", "bob"))
        self.assertEqual(delivery.internal_date, NOW)
        self.assertEqual(
            delivery.prefix,
            b"Return-Path: <x@example.com>\r\nReceived: here\r\n",
        )

    async def test_an_account_gets_one_copy_however_it_was_meant(self):
        await self.send(
            "ann@example.org", "Ann+tag@example.org", "team@example.org",
            "ann@example.org", "bob@example.org",
        )
        [delivery] = self.store.made
        self.assertEqual(delivery.targets, self.targets("ann", "bob"))

    async def test_addresses_that_lead_to_one_mailbox_share_what_is_kept(self):
        envelope = await self.transaction(
            *[f"{name}+{n}@example.org" for n in range(9) for name in ("ann", "bob")]
        )
        kept = {id(route) for route in envelope.routes.values()}
        # The first recipient's, which costs nothing more, and one for each mailbox.
        self.assertEqual(len(kept), 3)
        self.assertEqual(len({id(each.domain) for each in envelope.recipients}), 1)

    async def test_the_null_sender_is_kept(self):
        await self.send("ann@example.org", sender="")
        self.assertTrue(self.store.made[0].prefix.startswith(b"Return-Path: <>\r\n"))

    async def test_mail_for_elsewhere_is_refused(self):
        await self.refused(RelayDenied, "victim@example.com")
        await self.refused(RelayDenied, "ann@example.com", sender="ann@example.org")
        await self.refused(RelayDenied, "ann@[127.0.0.1]")

    async def test_relaying_in_old_spellings_reaches_nobody_elsewhere(self):
        for local in ("v%other.example", "other.example!v", '"v@other.example"'):
            await self.refused(UnknownRecipient, f"{local}@example.org")

    async def test_what_cannot_be_reached_is_refused_for_now(self):
        await self.refused(UnknownRecipient, "dave@example.org")
        await self.refused(NoRouteYet, "out@example.org")

    async def test_a_message_in_circles_is_refused(self):
        message = b"Received: a\r\n" * 51 + MESSAGE
        with self.assertRaises(RoutingLoop):
            await self.send("ann@example.org", message=message)
        self.assertEqual(self.store.made, [])

    async def test_a_fault_of_the_store_is_passed_on(self):
        for error in (StorageFull("full"), OverQuota("ann")):
            self.store.answer = failing(error)
            with self.assertRaises(type(error)):
                await self.send("ann@example.org", "bob@example.org")

    async def test_an_account_that_went_meanwhile_is_no_permanent_error(self):
        self.store.answer = failing(UnknownRecipient("gone"))
        with self.assertRaises(LocalFault):
            await self.send("ann@example.org", "bob@example.org")

    async def test_checks_may_refuse_at_each_moment_and_add_lines(self):
        for moment in ("connection", "sender", "recipient", "message"):
            check = Noting([], {moment: Verdict(refusal=Refused(moment))})
            self.avatar = self.make_avatar([check])
            with self.assertRaises(Refused):
                await self.send("ann@example.org")
        self.assertEqual(self.store.made, [])
        check = Noting([], {"message": Verdict(header=b"X-Check: 1\r\n")})
        self.avatar = self.make_avatar([check])
        await self.send("ann@example.org")
        self.assertEqual(
            self.store.made[0].prefix,
            b"Return-Path: <x@example.com>\r\nX-Check: 1\r\nReceived: here\r\n",
        )


class OneByOneTests(SubmissionTestCase):
    """LMTP: recipients fail singly (RFC 2033, section 4.2)."""

    async def test_each_recipient_has_an_outcome(self):
        full = OverQuota("bob")

        def answer(delivery):
            if delivery.targets == self.targets("bob"):
                raise full
            if delivery.targets == self.targets("carol"):
                raise ZeroDivisionError

        self.store.answer = answer
        outcomes = await self.send(
            "ann@example.org", "bob@example.org", "carol@example.org",
            one_by_one=True,
        )
        self.assertEqual(outcomes[:2], [None, full])
        self.assertIsInstance(outcomes[2], LocalFault)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_all_deliveries_are_begun_before_one_ends(self):
        gates = []

        def answer(delivery):
            gates.append(Deferred())
            return gates[-1]

        self.store.answer = answer
        sending = Deferred.fromCoroutine(
            self.send("ann@example.org", "bob@example.org", one_by_one=True)
        )
        self.assertEqual(len(gates), 2)
        self.assertNoResult(sending)
        for gate in gates:
            gate.callback(None)
        self.assertEqual(self.successResultOf(sending), [None, None])


class UserTests(SubmissionTestCase):
    """Mail from a user (RFC 6409)."""

    sender = "ann@example.org"

    def make_avatar(self, checks=None):
        return UserSubmission(
            self.store,
            Router(self.directory),
            checks or (),
            login="ann@example.org",
            now=lambda: NOW,
        )

    def test_it_is_an_avatar_of_smtp(self):
        self.assertTrue(verifyObject(ISubmission, self.avatar))

    async def test_the_sender_is_the_user_or_leads_to_the_user(self):
        for sender in ("Ann@example.org", "ann+x@example.org", "team@example.org", ""):
            await self.send("bob@example.org", sender=sender)
        self.assertEqual(len(self.store.made), 4)

    async def test_submission_sender_forgery_is_refused(self):
        for sender in (
            "bob@example.org", "dave@example.org", "ann@example.com",
            "out@example.org", '"ann@example.org"@example.com',
        ):
            with self.assertRaises(Refused):
                await self.transaction(sender=sender)

    async def test_the_envelope_names_the_user(self):
        envelope = await self.transaction("bob@example.org")
        self.assertEqual(envelope.user, "ann@example.org")

    async def test_mail_for_elsewhere_has_no_route_yet(self):
        await self.refused(NoRouteYet, "x@example.com")
        await self.refused(UnknownRecipient, "dave@example.org")

    async def test_date_and_message_id_are_added_where_missing(self):
        date = b"Date: Sat, 21 Nov 2026 02:01:34 +0000\r\n"
        ident = b"Message-ID: <1795226494.ID1@mx.example.org>\r\n"
        for message, added in (
            (b"Subject: x\r\n\r\nDate: y\r\n", date + ident),
            (b"DATE: y\r\n\r\n", ident),
            (b"Message-Id: y\r\nX: z\r\n\r\n", date),
            (b"A: b\r\nMessage-ID: y\r\nDate: z\r\n\r\n", b""),
            (b"X: Date: y\r\n message-id: z\r\n\r\n", date + ident),
            (b"", date + ident),
        ):
            await self.send("bob@example.org", message=message)
            prefix = self.store.made[-1].prefix
            head = b"Return-Path: <ann@example.org>\r\nReceived: here\r\n"
            self.assertEqual(prefix, head + added)

    async def test_an_address_without_a_domain_sends_nothing(self):
        envelope = self.envelope()
        envelope.sender = Address("postmaster", "")
        self.avatar.login = "carol@example.org"
        with self.assertRaises(Refused):
            await self.avatar.sender(envelope)
