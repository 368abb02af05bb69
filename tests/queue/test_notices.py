"""Who is told what (RFC 3461, sections 4.1 and 5.2; RFC 5321, section 4.5.5)."""

from __future__ import annotations

import re

from mailhub.mail.dsn import Action
from mailhub.mail.envelope import DeliverBy, Notify
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queued import Outcome, Outgoing, Result

from .rig import (
    DAY,
    DEFERRED,
    DELIVERED,
    FAILED,
    HOUR,
    MESSAGE,
    SENDER,
    START,
)
from .test_scheduler import RigTestCase

RELAYED = Result(Outcome.RELAYED, "2.0.0", "250 ok", "mx.example.net")


class NoticeTests(RigTestCase):
    """What a sender has asked for, and what is usual."""

    limits = QueueLimits(returned_size=len(MESSAGE))

    def to(self, notify, destination="example.net", address="b@example.net"):
        return Outgoing(address, destination, notify, "rfc822;orig@example.com")

    def told(self, notify, result, **more):
        """The actions that the sender hears of, in a day."""
        self.rig.letters.clear()
        self.way.default = result
        self.rig.put(outgoing=(self.to(notify, **more),), fast=True)
        self.rig.run(DAY)
        return [
            next(
                str(block["Action"])
                for block in notice.get_payload()[1].get_payload()
                if block["Action"]
            )
            for notice in self.rig.notices()
        ]

    def test_failures_are_told_unless_nobody_wants_to_know(self):
        self.assertEqual(self.told(None, FAILED), ["failed"])
        self.assertEqual(self.told(Notify.FAILURE, FAILED), ["failed"])
        self.assertEqual(self.told(Notify.NEVER, FAILED), [])
        self.assertEqual(self.told(Notify.DELAY, FAILED), [])

    def test_delays_likewise_and_once(self):
        self.assertEqual(self.told(None, DEFERRED), ["delayed"])
        self.assertEqual(self.told(Notify.DELAY, DEFERRED), ["delayed"])
        self.assertEqual(self.told(Notify.FAILURE, DEFERRED), [])
        self.assertEqual(self.told(Notify.NEVER, DEFERRED), [])

    def test_a_success_is_told_to_who_asks_and_where_nobody_else_does(self):
        self.assertEqual(self.told(Notify.SUCCESS, DELIVERED), [])
        self.assertEqual(self.told(Notify.SUCCESS, RELAYED), ["relayed"])
        self.assertEqual(self.told(None, RELAYED), [])

    def test_where_a_mailbox_is_it_is_a_delivery(self):
        for destination, result, told in (
            ("function:f", DELIVERED, ["delivered"]),
            ("local:example.org", DELIVERED, ["delivered"]),
            ("lmtp:cellar", RELAYED, ["delivered"]),
            ("lmtp:cellar", DELIVERED, []),
            ("smtp:relay", DELIVERED, []),
            ("smtp:relay", RELAYED, ["relayed"]),
            ("[192.0.2.1]", RELAYED, ["relayed"]),
        ):
            found = self.told(Notify.SUCCESS, result, destination=destination)
            self.assertEqual(found, told, destination)

    def test_several_that_fail_together_are_one_notification(self):
        self.way.default = FAILED
        self.rig.put("a@example.net", "b@example.net", "c@example.com", fast=True)
        both, one = self.rig.letters
        self.assertEqual(both.octets.count(b"Action: failed"), 2)
        self.assertEqual(one.octets.count(b"Action: failed"), 1)

    def test_a_notification_has_all_that_the_sender_gave_it(self):
        self.way.default = FAILED
        self.rig.put(outgoing=(self.to(None),), fast=True, envid="my name")
        [letter] = self.rig.letters
        self.assertEqual((letter.sender, letter.recipient), ("", SENDER))
        for line in (
            b"Original-Envelope-Id: my name",
            b"Original-Recipient: rfc822; orig@example.com",
            b"Final-Recipient: rfc822; b@example.net",
            b"Remote-MTA: dns; mx.example.net",
            b"Diagnostic-Code: smtp; 550 5.1.1 nobody here",
            b"Last-Attempt-Date: Tue, 14 Nov 2023 22:13:20 +0000",
            b"Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000",
        ):
            self.assertIn(b"\r\n" + line + b"\r\n", letter.octets)

    def test_the_message_goes_back_unless_it_is_large_or_nobody_wants_it(self):
        self.way.default = FAILED
        self.rig.put("a@example.net", fast=True)
        self.rig.put("a@example.net", fast=True, ret="FULL")
        self.rig.put("a@example.net", fast=True, ret="HDRS")
        self.rig.put("a@example.net", fast=True, data=MESSAGE + b"x")
        whole = [b"hello\r\n" in letter.octets for letter in self.rig.letters]
        self.assertEqual(whole, [True, True, False, False])

    def test_a_delay_returns_the_header_only(self):
        self.told(None, DEFERRED)
        self.assertNotIn(b"hello", self.rig.letters[0].octets)

    def test_what_the_queue_alone_has_goes_back_too(self):
        self.way.default = FAILED
        self.rig.put("a@example.net")
        self.rig.run(1)
        self.assertIn(b"hello\r\n", self.rig.letters[0].octets)


class DeliverByTests(RigTestCase):
    """RFC 2852, sections 4.1.3, 4.1.4 and 5."""

    def told(self, result, notify=None, destination="example.net", **wish):
        """Action and status of each notification within a day."""
        self.rig.letters.clear()
        self.way.default = result
        wish = DeliverBy(self.rig.clock.seconds() + HOUR, **wish)
        outgoing = (Outgoing("b@example.net", destination, notify),)
        self.rig.put(outgoing=outgoing, fast=True, deliver_by=wish)
        self.rig.run(DAY)
        return [
            re.findall(r"(?m)^(?:Action|Status): (\S+)$", each.as_string())
            for each in self.rig.notices()
        ]

    def test_what_is_late_fails_or_is_delayed_by_the_sender_s_time(self):
        self.assertEqual(self.told(DEFERRED, returns=True), [["failed", "5.4.7"]])
        self.assertEqual(self.told(DEFERRED, returns=False), [["delayed", "4.4.7"]])

    def test_those_who_want_to_hear_nothing_hear_nothing(self):
        for notify in (Notify.NEVER, Notify.SUCCESS):
            for returns in (False, True):
                self.assertEqual(self.told(DEFERRED, notify, returns=returns), [])

    def test_each_step_of_what_is_traced_is_told(self):
        step = [["relayed", "2.0.0"]]
        for returns in (False, True):
            for notify in (None, Notify.FAILURE, Notify.SUCCESS):
                found = self.told(DELIVERED, notify, returns=returns, trace=True)
                self.assertEqual(found, step)
            found = self.told(DELIVERED, Notify.NEVER, returns=returns, trace=True)
            self.assertEqual(found, [])
        self.assertEqual(self.told(DELIVERED, returns=False), [])

    def test_a_mailbox_is_no_step(self):
        for way in ("local:example.net", "lmtp:cellar", "function:f"):
            found = self.told(DELIVERED, destination=way, returns=False, trace=True)
            self.assertEqual(found, [])

    def test_the_last_server_that_knows_of_the_time_is_told_of(self):
        """RFC 2852, section 4.1.4.2: a relay without DELIVERBY."""
        self.assertEqual(self.told(RELAYED, returns=False), [["relayed", "2.0.0"]])
        self.assertEqual(self.told(RELAYED, Notify.NEVER, returns=False), [])

    def test_it_says_when_the_message_came_and_when_it_was_wished_to_arrive(self):
        self.told(DEFERRED, returns=False)
        [letter] = self.rig.letters
        self.assertIn(
            b"\r\nArrival-Date: Tue, 14 Nov 2023 22:13:20 +0000"
            b"\r\nDeliver-By-Date: Tue, 14 Nov 2023 23:13:20 +0000\r\n",
            letter.octets,
        )
        self.assertIn(b"arrive by Tue, 14 Nov 2023 23:13:20 +0000.\r\n", letter.octets)

    def test_what_the_sender_has_held_is_told(self):
        """RFC 4865, section 5.1.2."""
        self.way.default = FAILED
        self.rig.put("a@example.net", fast=True, hold_until=START)
        [letter] = self.rig.letters
        line = b"\r\nFuture-Release-Request: until;2023-11-14T22:13:20Z\r\n"
        self.assertIn(line, letter.octets)


class RequireTLSTests(RigTestCase):
    """RFC 8689, section 5."""

    limits = QueueLimits(returned_size=len(MESSAGE))

    def test_what_comes_back_is_as_secret_and_has_the_header_only(self):
        self.way.default = FAILED
        self.rig.put("a@example.net", fast=True, ret="FULL", require_tls=True)
        [letter] = self.rig.letters
        self.assertTrue(letter.parameters.require_tls)
        self.assertIn(b"Subject: news", letter.octets)
        self.assertNotIn(b"hello", letter.octets)


class NullSenderTests(RigTestCase):
    """Nobody answers a notification (attack: bounces that bounce for ever)."""

    limits = QueueLimits(double_bounces="boss@example.org")

    def test_what_nobody_sent_goes_to_the_postmaster_when_it_fails(self):
        self.way.default = FAILED
        self.rig.put("a@example.net", sender="", fast=True)
        [letter] = self.rig.letters
        self.assertEqual((letter.sender, letter.recipient), ("", "boss@example.org"))

    def test_and_not_even_to_him_if_he_is_who_cannot_be_reached(self):
        self.way.default = FAILED
        self.rig.put("boss@example.org", sender="", fast=True)
        self.rig.put("Postmaster@example.net", sender="", fast=True)
        self.assertEqual(self.rig.letters, [])
        self.assertEqual(self.rig.waiting(), [])

    def test_nobody_hears_of_its_delay_or_success(self):
        self.way.default = DEFERRED
        self.rig.put("a@example.net", sender="", fast=True)
        self.rig.run(12 * HOUR)
        self.way.default = RELAYED
        wanted = Outgoing("a@example.net", "example.net", Notify.SUCCESS)
        self.rig.put(sender="", outgoing=(wanted,), fast=True)
        self.rig.run(12 * HOUR)
        self.assertEqual(self.rig.letters, [])


class CommitTests(RigTestCase):
    """A notification and the end of what it is about are one commit."""

    def test_the_notification_is_in_the_settlement(self):
        calls = []
        settle = self.rig.queue.settle

        async def watched(lease, settlements, deliveries=()):
            calls.append((len(settlements), len(deliveries)))
            return await settle(lease, settlements, deliveries)

        self.rig.queue.settle = watched
        self.way.default = FAILED
        self.rig.letters_leave = True
        self.rig.put("a@example.net", "b@example.net", fast=True)
        self.assertEqual(calls, [(2, 1)])
        [notice] = self.rig.waiting()
        self.assertEqual(notice.recipient, SENDER)
        self.assertEqual(self.rig.scheduler.notices.written[Action.FAILED], 1)
