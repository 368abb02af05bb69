"""Routing, the queue and a way out together: what leaves arrives or comes back."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import RoutingLoop
from mailhub.mail.address import parse_mailbox
from mailhub.mail.envelope import Envelope, MailParameters, Peer
from mailhub.mail.mailbox import INBOX, Column
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queue_list import ALL, Alteration
from mailhub.queue.scheduler import Scheduler
from mailhub.routing.dispatching import Dispatching
from mailhub.routing.local_way import LocalWay
from mailhub.routing.planning import LOCAL_WAY
from mailhub.routing.router import Router
from mailhub.routing.srs import SRS
from mailhub.routing.submission import InboundSubmission
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.memory import MemoryStore

from ..queue.rig import FAILED, START, FakeWay

MESSAGE = b"From: al@far.example\r\nSubject: news\r\n\r\nhello\r\n"


class Waiting:
    """``FakeWay`` where domains' mail goes, with the leases as they were."""

    def __init__(self, clock):
        self.fake = FakeWay(clock)
        self.leases = []

    async def send(self, lease, content):
        self.leases.append(lease)
        return await self.fake.send(lease, content)

    async def stop(self):
        """Nothing is open."""


class Ways:
    """To mailboxes here, or away."""

    def __init__(self, local, away):
        self.local = local
        self.away = away

    async def send(self, lease, content):
        is_local = lease.destination.startswith(LOCAL_WAY)
        return await (self.local if is_local else self.away).send(lease, content)

    async def stop(self):
        """Nothing is open."""


class LeavingTests(SynchronousTestCase):
    """Jo and Al's servers; Jo's is here, and Kim forwards to Jo's other address."""

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(START)
        self.store = MemoryStore()
        self.directory = self.store.directory
        for name in ("jo", "kim", "postmaster"):
            self.now(self.directory.add_account(f"{name}@example.org", ""))
        self.router = Router(
            self.directory, srs=SRS(lambda: bytes(32)), now=self.clock.seconds,
            relay_domains=["in.example"],
        )  # fmt: skip
        limits = QueueLimits()
        dispatching = Dispatching(
            self.router, "mx.example.org", limits=limits, now=self.clock.seconds
        )
        self.away = Waiting(self.clock)
        local = LocalWay(self.store, self.router, self.clock.seconds)
        way = Ways(local, self.away)
        self.scheduler = Scheduler(
            self.store.queue, way, self.clock, limits, dispatching.dispatch,
            host_name="mx.example.org", keeper="me", now=self.clock.seconds,
            steady=self.clock.seconds, random=lambda: 0.0,
        )  # fmt: skip
        self.scheduler.start()
        self.avatar = InboundSubmission(
            self.store, self.router, (), outlet=self.scheduler, limits=limits,
            now=self.clock.seconds,
        )  # fmt: skip
        self.pass_time(1)

    def now(self, awaitable):
        return self.successResultOf(Deferred.fromCoroutine(awaitable))

    def pass_time(self, seconds):
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)

    def send(self, recipient, sender="al@far.example", data=MESSAGE, **parameters):
        peer = Peer("192.0.2.7", 1, "smtp", "mx.example.org")
        path = parse_mailbox(sender.encode(), smtputf8=False) if sender else None
        envelope = Envelope(
            f"ID{len(self.away.leases)}", peer, None, path, MailParameters(**parameters)
        )
        envelope.trace = b"Received: from far.example\r\n"
        self.now(self.avatar.sender(envelope))
        address = parse_mailbox(recipient.encode(), smtputf8=False)
        self.now(self.avatar.recipient(envelope, address))
        envelope.recipients.append(address)
        self.now(self.avatar.message(envelope, BytesContent(data)))
        self.pass_time(1)

    def inbox(self, name):
        async def read():
            account = await self.store.open_account(f"{name}@example.org")
            mailbox = await account.open(INBOX)
            uids = list((await mailbox.changes(0)).entries.uids)
            found = await mailbox.fetch(uids, (Column.CONTENT,))
            return [await octets_of(content) for _, content in found]

        return self.now(read())

    def entries(self):
        return self.now(self.store.queue.entries(ALL, 10))

    def forward(self, keeps=False):
        self.now(
            self.directory.set_forward("kim@example.org", ["kim@there.example"], keeps)
        )

    def test_forwarded_mail_leaves_at_once_with_all_its_lines(self):
        self.forward(keeps=True)
        self.send("kim@example.org")
        [lease] = self.away.leases
        self.assertEqual(lease.destination, "there.example")
        self.assertRegex(
            lease.message.sender, r"\ASRS0=\w+=\w+=far\.example=al@example\.org\Z"
        )
        trace = b"Received: from far.example\r\n"
        self.assertEqual(
            self.away.fake.octets,
            [b"Delivered-To: kim@example.org\r\n" + trace + MESSAGE],
        )
        path = b"Return-Path: <al@far.example>\r\n"
        self.assertEqual(self.inbox("kim"), [path + trace + MESSAGE])
        self.assertEqual(self.entries(), [])

    def test_what_cannot_be_forwarded_goes_back_to_its_sender(self):
        self.forward()
        self.away.fake.answers["kim@there.example"] = FAILED
        self.send("kim@example.org")
        forwarded, bounce = self.away.leases
        self.assertEqual(bounce.message.sender, "")
        self.assertEqual(bounce.recipients[0].recipient, "al@far.example")
        self.assertIn(b"kim@there.example", self.away.fake.octets[1])
        self.assertEqual(self.entries(), [])

    def test_the_bounce_of_another_server_goes_back_to_the_sender(self):
        self.forward()
        self.send("kim@example.org")
        self.send(self.away.leases[0].message.sender, sender="")
        bounce = self.away.leases[1]
        self.assertEqual(bounce.message.sender, "")
        self.assertEqual(bounce.recipients[0].recipient, "al@far.example")

    def test_a_bounce_that_bounces_goes_to_the_postmaster(self):
        self.forward()
        self.away.fake.default = FAILED
        self.send("kim@example.org")
        [letter] = self.inbox("postmaster")
        self.assertIn(b"al@far.example", letter)
        self.assertEqual(self.entries(), [])

    def test_mail_that_comes_round_again_is_refused(self):
        self.forward()
        self.send("kim@example.org")
        returned = b"Received: from there\r\n" + self.away.fake.octets[0]
        with self.assertRaises(self.failureException) as caught:
            self.send("kim@example.org", data=returned)
        self.assertIn(RoutingLoop.__name__, str(caught.exception))
        self.assertEqual(len(self.away.leases), 1)

    def test_a_list_s_bounces_tell_whom_they_are_about(self):
        self.away.fake.default = FAILED
        self.send("a@in.example", "jo@example.org", verp="+=")
        self.send("b@in.example", "jo@example.org", verp="-=")
        senders = [lease.message.sender for lease in self.away.leases]
        self.assertEqual(
            senders, ["jo+a=in.example@example.org", "jo-b=in.example@example.org"]
        )
        self.assertIsNone(self.away.leases[0].message.parameters.verp)
        [bounce] = self.inbox("jo")
        self.assertIn(b"To: jo+a=in.example@example.org\r\n", bounce)

    def test_mail_for_later_comes_to_mailboxes_later(self):
        self.send("jo@example.org", hold_until=START + 3600.0)
        self.assertEqual(self.inbox("jo"), [])
        self.pass_time(3600)
        [octets] = self.inbox("jo")
        trace = b"Received: from far.example\r\n"
        self.assertEqual(
            octets, b"Return-Path: <al@far.example>\r\n" + trace + MESSAGE
        )
        self.assertEqual(self.entries(), [])

    def test_held_mail_comes_when_a_person_releases_it(self):
        targets = ["hold:new", "jo@example.org", "x@in.example"]
        self.now(self.directory.set_alias("new@example.org", targets))
        self.send("new@example.org")
        self.pass_time(600)
        self.assertEqual((self.inbox("jo"), self.away.leases), ([], []))
        now = self.clock.seconds()
        self.now(self.store.queue.alter(ALL, Alteration(hold=""), now))
        self.pass_time(60)
        self.assertEqual(len(self.inbox("jo")), 1)
        [lease] = self.away.leases
        self.assertEqual(lease.recipients[0].recipient, "x@in.example")
        self.assertEqual(self.entries(), [])
