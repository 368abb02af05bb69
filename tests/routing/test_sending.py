"""Mail that leaves: who may send it, what goes into the queue, who sends at once."""

from __future__ import annotations

from dataclasses import replace

from mailhub.errors import (
    NoRouteYet,
    Refused,
    RelayDenied,
    UnknownRecipient,
)
from mailhub.mail.account import Delivery
from mailhub.mail.address import parse_mailbox
from mailhub.mail.envelope import DeliverBy, Notify, Order, RecipientParameters
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queued import Lease, Outgoing, QueuedMessage
from mailhub.policy.check import Verdict
from mailhub.routing.planning import InTurn
from mailhub.routing.rewriting import Rewriting
from mailhub.routing.router import Router
from mailhub.routing.srs import SRS
from mailhub.routing.submission import InboundSubmission, UserSubmission
from mailhub.store.content import BytesContent

from ..policy.test_check import Noting
from .test_submission import MESSAGE, NOW, Deliveries, SubmissionTestCase

TRACE = b"Received: here\r\n"
DAY = 86_400


class Outlet:
    """A scheduler that notes what it is given."""

    keeper = "me"
    has_room = True

    def __init__(self):
        self.taken = []

    def kept_until(self):
        return NOW + 60

    def take(self, leases, content):
        self.taken.append((list(leases), content))


class LendingDeliveries(Deliveries):
    """Lends each message to its keeper, as stores do."""

    async def deliver(self, delivery):
        await super().deliver(delivery)
        return [
            Lease(
                QueuedMessage(number, each.queue_id, each.sender, each.user,
                              each.parameters, 0, each.arrived, each.expires),
                "x", (), number, each.kept_until,
            )
            for number, each in enumerate(delivery.sendings)
            if each.keeper is not None
        ]  # fmt: skip


class SendingTestCase(SubmissionTestCase):
    """Somebody sends what leaves."""

    login = None
    notices = None

    async def setUp(self):
        await super().setUp()
        self.store = LendingDeliveries(self.directory)
        self.outlet = Outlet()
        self.settings = {"relay_domains": ["in.example"]}
        self.use()

    def use(self, checks=(), **settings):
        self.settings.update(settings)
        router = Router(self.directory, now=lambda: NOW, **self.settings)
        more = {
            "outlet": self.outlet, "now": lambda: NOW,
            "limits": QueueLimits(5 * DAY), "tell_success": self.notices,
        }  # fmt: skip
        if self.login is None:
            self.avatar = InboundSubmission(self.store, router, checks, **more)
        else:
            self.avatar = UserSubmission(
                self.store, router, checks, login=self.login, **more
            )

    async def sent(self, *recipients, **options):
        """The one message in the queue."""
        await self.send(*recipients, **options)
        [sending] = self.store.made[-1].sendings
        return sending


class RelayRuleTests(SendingTestCase):
    """Strangers reach what is here, where that leads, and relay domains."""

    async def test_strangers_do_not_reach_elsewhere(self):
        await self.refused(RelayDenied, "x@example.com")
        await self.refused(RelayDenied, "x@example.com", sender="")
        await self.refused(RelayDenied, "x@example.com", sender="ann@example.org")

    async def test_strangers_reach_relay_domains(self):
        sending = await self.sent("Jo@in.example")
        self.assertEqual(sending.recipients, (Outgoing("Jo@in.example", "in.example"),))
        self.assertEqual((sending.sender, sending.user), ("x@example.com", None))
        self.assertEqual(self.store.made[-1].targets, ())

    async def test_strangers_reach_where_aliases_lead(self):
        sending = await self.sent("out@example.org")
        self.assertEqual(
            sending.recipients, (Outgoing("x@example.com", "example.com"),)
        )

    async def test_a_check_may_let_a_stranger_through(self):
        check = Noting([], {"connection": Verdict(order=Order.RELAY)})
        self.use([check])
        await self.sent("x@example.com")
        check = Noting([], {"recipient": Verdict(order=Order.RELAY)})
        self.use([check])
        await self.sent("x@example.com")
        check = Noting([], {"recipient": Verdict(order=Order.HOLD)})
        self.use([check])
        await self.refused(RelayDenied, "x@example.com")

    async def test_lists_of_one_message_lead_to_so_many_at_most(self):
        """Attack: all long lists of a server in one transaction."""
        names = [f"list{number}@example.org" for number in range(11)]
        for name in names:
            local = name.partition("@")[0]
            members = [f"{local}.{number}@far.example" for number in range(1_000)]
            await self.directory.set_alias(name, members)
        envelope = await self.transaction(*names[:10])
        last = parse_mailbox(names[10].encode(), smtputf8=False)
        with self.assertRaises(Refused) as caught:
            await self.avatar.recipient(envelope, last)
        self.assertEqual(caught.exception.code, 452)
        ann = parse_mailbox(b"ann@example.org", smtputf8=False)
        await self.avatar.recipient(envelope, ann)

    async def test_an_order_to_relay_makes_nobody_exist(self):
        check = Noting([], {"connection": Verdict(order=Order.RELAY)})
        self.use([check])
        await self.refused(UnknownRecipient, "dave@example.org")

    async def test_without_anybody_who_sends_nothing_leaves(self):
        self.outlet = None
        self.use()
        await self.refused(NoRouteYet, "jo@in.example")
        await self.refused(NoRouteYet, "out@example.org")
        await self.refused(RelayDenied, "x@example.com")
        await self.send("ann@example.org")


class BounceTests(SendingTestCase):
    """Addresses that this server has signed take only what comes back."""

    async def setUp(self):
        await super().setUp()
        self.use(srs=SRS(lambda: bytes(32)))
        sending = await self.sent("out@example.org", sender="al@far.example")
        self.signed = sending.sender

    async def test_a_bounce_goes_back(self):
        self.assertTrue(self.signed.startswith("SRS0="))
        sending = await self.sent(self.signed, sender="")
        self.assertEqual(sending.sender, "")
        self.assertEqual(
            sending.recipients, (Outgoing("al@far.example", "far.example"),)
        )

    async def test_anything_else_does_not(self):
        """Attack: the signed address of a victim as a way through this server."""
        await self.refused(Refused, self.signed)
        await self.refused(Refused, self.signed, sender="ann@example.org")


class QueuedMailTests(SendingTestCase):
    """What goes into the queue, and how."""

    login = "ann@example.org"
    sender = "ann@example.org"

    async def test_users_reach_everything_with_one_delivery(self):
        await self.send("bob@example.org", "X@example.com", "y@example.net")
        [delivery] = self.store.made
        self.assertEqual(delivery.targets, self.targets("bob"))
        [sending] = delivery.sendings
        self.assertEqual(sending.queue_id, "ID1")
        self.assertEqual(sending.user, "ann@example.org")
        self.assertEqual(
            sending.recipients,
            (Outgoing("X@example.com", "example.com"),
             Outgoing("y@example.net", "example.net")),
        )
        times = sending.arrived, sending.due, sending.expires
        self.assertEqual(times, (NOW, NOW, NOW + 5 * DAY))

    async def test_mailboxes_get_a_return_path_and_others_do_not(self):
        await self.send("bob@example.org", "x@example.com")
        [delivery] = self.store.made
        [sending] = delivery.sendings
        self.assertTrue(delivery.prefix.startswith(b"Return-Path: <ann@example.org>"))
        self.assertTrue(sending.prefix.startswith(TRACE))
        self.assertNotIn(b"Return-Path", sending.prefix)
        self.assertIn(b"Message-ID", sending.prefix)

    async def test_an_address_elsewhere_gets_one_copy(self):
        sending = await self.sent("x@example.com", "X@example.com", "out@example.org")
        self.assertEqual(len(sending.recipients), 1)

    async def test_each_sender_has_a_message_of_its_own(self):
        await self.directory.set_alias("list@example.org", ["l@example.com"])
        await self.directory.set_alias("owner-list@example.org", ["bob@example.org"])
        await self.send("x@example.com", "list@example.org")
        first, second = self.store.made[-1].sendings
        self.assertEqual(first.sender, "ann@example.org")
        self.assertEqual(second.sender, "owner-list@example.org")
        self.assertEqual(second.recipients, (Outgoing("l@example.com", "example.com"),))
        self.assertEqual(len({first.queue_id, second.queue_id}), 2)
        self.assertTrue(second.queue_id.isalnum())

    async def test_what_an_alias_sends_on_says_where_it_was(self):
        sending = await self.sent("out@example.org")
        line = b"Delivered-To: out@example.org\r\n"
        self.assertTrue(sending.prefix.startswith(line + TRACE))

    async def test_bounces_have_no_sender_whatever_sends_them_on(self):
        await self.directory.set_alias("list@example.org", ["l@example.com"])
        await self.directory.set_alias("owner-list@example.org", ["bob@example.org"])
        sending = await self.sent("list@example.org", sender="")
        self.assertEqual(sending.sender, "")

    async def test_who_has_room_gets_it_at_once_with_its_octets(self):
        sending = await self.sent("x@example.com")
        self.assertEqual((sending.keeper, sending.kept_until), ("me", NOW + 60))
        [(leases, content)] = self.outlet.taken
        self.assertEqual([lease.message.queue_id for lease in leases], ["ID1"])
        self.assertEqual(content.data, sending.prefix + MESSAGE)

    async def test_each_message_is_given_with_its_own_octets(self):
        await self.send("y@example.com", "out@example.org")
        contents = [content.data for _, content in self.outlet.taken]
        sendings = self.store.made[-1].sendings
        self.assertEqual(contents, [each.prefix + MESSAGE for each in sendings])

    async def test_large_mail_is_in_the_store_only(self):
        class Large(BytesContent):
            """Has no octets at hand."""

            data = None

            def __init__(self, octets):
                self._octets = octets
                self.size = len(octets)

            async def read(self, start, stop):
                return self._octets[start:stop]

        envelope = await self.transaction("x@example.com")
        await self.avatar.message(envelope, Large(MESSAGE))
        [(_, content)] = self.outlet.taken
        self.assertIsNone(content)

    async def test_without_room_it_waits_its_turn(self):
        self.outlet.has_room = False
        sending = await self.sent("x@example.com")
        self.assertEqual((sending.keeper, sending.kept_until), (None, 0.0))
        self.assertEqual(self.outlet.taken, [])

    async def test_where_another_process_sends_it_waits_its_turn(self):
        self.outlet = InTurn()
        self.use()
        sending = await self.sent("x@example.com")
        self.assertIsNone(sending.keeper)

    async def test_mail_for_mailboxes_only_makes_no_message_in_the_queue(self):
        await self.send("bob@example.org", "carol@example.org")
        self.assertEqual(self.store.made[-1].sendings, ())
        self.assertEqual(self.outlet.taken, [])

    async def test_a_sender_is_rewritten(self):
        self.use(senders=Rewriting([("ann@example.org", "Ann.A@example.org")]))
        sending = await self.sent("x@example.com")
        self.assertEqual(sending.sender, "Ann.A@example.org")

    async def test_a_name_of_the_machine_may_become_one_s_own(self):
        self.use(senders=Rewriting([("@mx.example.org", "@example.org")]))
        sending = await self.sent("x@example.com", sender="ann@mx.example.org")
        self.assertEqual(sending.sender, "ann@example.org")
        with self.assertRaises(Refused):
            await self.transaction(sender="bob@mx.example.org")


class WishesTests(SendingTestCase):
    """What senders ask for: later, with notifications, or not at all."""

    login = "ann@example.org"
    sender = "ann@example.org"

    async def setUp(self):
        self.told = []
        self.notice = []
        await super().setUp()

    async def notices(self, envelope, addresses, content):
        self.told.append([str(address) for address in addresses])
        return self.notice

    async def wishing(self, wishes, **parameters):
        envelope = self.envelope()
        envelope.parameters = replace(envelope.parameters, **parameters)
        await self.avatar.sender(envelope)
        for recipient, wish in wishes.items():
            address = parse_mailbox(recipient.encode(), smtputf8=False)
            await self.avatar.recipient(envelope, address)
            envelope.recipients.append(address)
            if wish is not None:
                envelope.wishes[address] = wish
        await self.avatar.message(envelope, BytesContent(MESSAGE))
        return self.store.made[0]

    async def test_wishes_go_along(self):
        notify = Notify.SUCCESS | Notify.DELAY
        wish = RecipientParameters(notify, "rfc822;X@example.com")
        delivery = await self.wishing({"x@example.com": wish})
        [outgoing] = delivery.sendings[0].recipients
        self.assertEqual(outgoing.notify, notify)
        self.assertEqual(outgoing.original, "rfc822;X@example.com")
        self.assertEqual(self.told, [])

    async def test_success_here_is_told(self):
        success = RecipientParameters(Notify.SUCCESS)
        self.notice = [notice := Delivery(BytesContent(b""), b"", (), NOW)]
        await self.wishing({
            "bob@example.org": success,
            "carol@example.org": RecipientParameters(Notify.FAILURE),
            "team@example.org": None,
            "x@example.com": success,
        })  # fmt: skip
        self.assertEqual(self.told, [["bob@example.org"]])
        self.assertEqual(self.store.made[1:], [notice])

    async def test_a_notice_that_fails_changes_nothing(self):
        async def fail(envelope, addresses, content):
            raise ZeroDivisionError

        self.notices = fail
        self.use()
        await self.wishing({"bob@example.org": RecipientParameters(Notify.SUCCESS)})
        self.assertEqual(len(self.store.made), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_one_of_several_is_no_success_for_all(self):
        """RFC 3461, section 5.2.7.2: the sender hears that there are several."""
        await self.directory.set_alias(
            "two@example.org", ["x@example.com", "bob@example.org"]
        )
        wish = RecipientParameters(Notify.SUCCESS | Notify.FAILURE, "rfc822;two@x")
        for address, expected in (
            ("two@example.org", Notify.FAILURE),
            ("out@example.org", Notify.SUCCESS | Notify.FAILURE),
        ):
            self.store.made.clear()
            delivery = await self.wishing({address: wish})
            [outgoing] = delivery.sendings[0].recipients
            self.assertEqual(outgoing.notify, expected)
            self.assertEqual(outgoing.original, "rfc822;two@x")
        self.assertEqual(self.told, [["two@example.org"]])

    async def test_a_list_has_taken_what_is_sent_to_it(self):
        await self.directory.set_alias("list@example.org", ["l@example.com"])
        await self.directory.set_alias("owner-list@example.org", ["bob@example.org"])
        wish = RecipientParameters(Notify.SUCCESS | Notify.FAILURE, "rfc822;list@x")
        delivery = await self.wishing({"list@example.org": wish})
        [outgoing] = delivery.sendings[0].recipients
        self.assertEqual((outgoing.notify, outgoing.original), (None, None))
        self.assertEqual(self.told, [["list@example.org"]])

    async def test_a_list_s_members_get_nothing_of_what_its_sender_wished(self):
        """RFC 3461, section 5.2.7.1; RFC 6710, section 4.4; RFC 8689, section 6."""
        await self.directory.set_alias("list@example.org", ["l@example.com"])
        await self.directory.set_alias("owner-list@example.org", ["bob@example.org"])
        delivery = await self.wishing(
            {"list@example.org": None, "x@example.com": None},
            ret="FULL", envid="E1", priority=3, require_tls=True,
            deliver_by=DeliverBy(NOW + 60, returns=True),
        )  # fmt: skip
        found = {
            each.sender: (each.parameters.envid, each.parameters.ret,
                          each.parameters.deliver_by is None, each.expires - NOW,
                          each.parameters.priority, each.parameters.require_tls)
            for each in delivery.sendings
        }  # fmt: skip
        expected = {
            "owner-list@example.org": (None, None, True, 5 * DAY, 3, True),
            "ann@example.org": ("E1", "FULL", False, 60, 3, True),
        }
        self.assertEqual(found, expected)

    async def test_mail_for_later_waits_for_everybody(self):
        """RFC 4865, section 4: mailboxes here included."""
        later = NOW + 3600.0
        wish = RecipientParameters(Notify.SUCCESS)
        delivery = await self.wishing(
            {"bob@example.org": wish, "team@example.org": None, "x@example.com": None},
            hold_until=later,
        )
        self.assertEqual(delivery.targets, ())
        [sending] = delivery.sendings
        self.assertEqual(
            sending.recipients,
            (Outgoing("bob@example.org", "local:example.org", Notify.SUCCESS),
             Outgoing("team@example.org", "local:example.org"),
             Outgoing("x@example.com", "example.com")),
        )
        self.assertEqual((sending.due, sending.expires), (later, later + 5 * DAY))
        self.assertIsNone(sending.keeper)
        self.assertEqual((self.outlet.taken, self.told), ([], []))

    async def test_what_checks_order_is_no_success_unless_it_is_there(self):
        success = RecipientParameters(Notify.SUCCESS)
        for order, told in (
            (Order.RELAY, [["bob@example.org"]]), (Order.HOLD, []), (Order.DISCARD, []),
        ):  # fmt: skip
            self.use([Noting([], {"connection": Verdict(order=order)})])
            self.store.made = [None]
            self.told = []
            await self.wishing({"bob@example.org": success})
            self.assertEqual(self.told, told)

    async def test_a_time_that_has_passed_is_now(self):
        delivery = await self.wishing({"bob@example.org": None}, hold_until=NOW - 1.0)
        self.assertEqual(delivery.targets, self.targets("bob"))
