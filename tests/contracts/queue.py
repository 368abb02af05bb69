"""The contract of a queue: what comes in, is lent, and ends."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from mailhub.errors import NoSuchMessage, OverQuota, UnknownRecipient
from mailhub.interfaces import IContent, IQueue
from mailhub.mail.account import Delivery, Target
from mailhub.mail.envelope import DeliverBy, MailParameters, Notify
from mailhub.mail.queue_list import Selection
from mailhub.mail.queued import (
    Backlog,
    Disposal,
    Outgoing,
    QueuedMessage,
    Sending,
    Settlement,
    Waiting,
)
from mailhub.store.content import BytesContent, octets_of

from .fixture import BOB, SENT_AT, fails, message
from .queue_faults import FaultContract
from .queue_order import OrderContract, WatchContract
from .queueing import (
    DAY,
    ME,
    NET,
    NOW,
    QueueFixture,
    addresses,
    gone,
    later,
    names,
    sending,
)

EVERYTHING = MailParameters(
    size=4096, body="BINARYMIME", smtputf8=True, ret="HDRS", envid="a b",
    hold_until=NOW + 60, deliver_by=DeliverBy(NOW + 600, returns=True, trace=True),
    priority=-3, require_tls=True,
)


class QueuedContract(QueueFixture):
    """What is put into the queue comes out as it was."""

    async def test_the_queue_provides_its_interface(self):
        verifyObject(IQueue, self.queue)

    async def test_a_message_comes_out_as_it_went_in(self):
        outgoing = Outgoing(
            "r@Example.NET", NET, Notify.FAILURE | Notify.DELAY, "rfc822;x@example.org"
        )
        put = Sending(
            "AbC1", "a@example.org", "user@example.org", EVERYTHING, (outgoing,),
            NOW, NOW, NOW + DAY,
        )
        data = message("one")
        self.assertEqual(await self.put(put, data=data, prefix=b"X: y\r\n"), [])
        [lent] = await self.lease(until=NOW + 77)
        number = lent.message.message_id
        self.assertEqual(
            lent.message,
            QueuedMessage(
                number, "AbC1", "a@example.org", "user@example.org", EVERYTHING,
                len(data) + 6, NOW, NOW + DAY,
            ),
        )
        [waiting] = lent.recipients
        self.assertEqual(
            waiting,
            Waiting(
                waiting.recipient_id, "r@Example.NET", NET,
                Notify.FAILURE | Notify.DELAY, "rfc822;x@example.org", NOW,
            ),
        )
        self.assertEqual((lent.destination, lent.until), (NET, NOW + 77))
        content = await self.queue.open(number)
        verifyObject(IContent, content)
        self.assertEqual(await octets_of(content), b"X: y\r\n" + data)
        content.close()

    async def test_never_notify_is_not_the_same_as_no_word(self):
        every = (None, Notify.NEVER, Notify.SUCCESS)
        outgoing = tuple(
            Outgoing(f"r{number}@{NET}", NET, notify)
            for number, notify in enumerate(every)
        )
        await self.put(replace(sending("A"), recipients=outgoing))
        [lent] = await self.lease()
        self.assertEqual(tuple(each.notify for each in lent.recipients), every)

    async def test_a_large_message_comes_out_as_it_went_in(self):
        data = message(body="x" * 70_000)
        for prefix in (b"", b"X: y\r\n"):
            await self.put(sending("A"), data=data, prefix=prefix)
            [lent] = await self.lease()
            content = await self.queue.open(lent.message.message_id)
            self.assertEqual(content.size, lent.message.size)
            self.assertEqual(await octets_of(content), prefix + data)
            content.close()
            self.assertTrue(await self.queue.settle(lent, gone(lent)))

    async def test_a_mailbox_and_the_queue_get_a_message_in_one_delivery(self):
        target = Target(self.alice.account_id)
        delivery = Delivery(
            BytesContent(message()), b"X: y\r\n", (target,), SENT_AT,
            (sending("A"), sending("B", sender="other@example.org")),
        )
        await self.store.deliver(delivery)
        [stored] = await self.contents()
        self.assertEqual(stored, b"X: y\r\n" + message())
        leases = await self.lease()
        self.assertEqual(
            [lent.message.sender for lent in leases],
            ["s@example.org", "other@example.org"],
        )
        for lent in leases:
            content = await self.queue.open(lent.message.message_id)
            self.assertEqual(await octets_of(content), b"X: y\r\n" + message())
            await self.queue.settle(lent, gone(lent))
        self.assertEqual(len(await self.contents()), 1)

    async def test_messages_of_one_delivery_may_have_lines_of_their_own(self):
        own = (b"Delivered-To: a@example.org\r\nX: y\r\n", b"", None)
        sendings = tuple(replace(sending("A"), prefix=each) for each in own)
        content = BytesContent(message())
        await self.store.deliver(Delivery(content, b"X: y\r\n", (), SENT_AT, sendings))
        for lent, prefix in zip(await self.lease(), own, strict=True):
            content = await self.queue.open(lent.message.message_id)
            expected = (b"X: y\r\n" if prefix is None else prefix) + message()
            self.assertEqual(await octets_of(content), expected)
            self.assertEqual(len(expected), lent.message.size)

    async def test_a_target_that_is_full_keeps_all_of_it_out_of_the_queue(self):
        bob = await self.store.directory.add_account(BOB, "", quota=10)
        targets = (Target(bob.account_id),)
        await fails(OverQuota, self.put(sending("A"), targets=targets))
        targets = (Target(999_999),)
        await fails(UnknownRecipient, self.put(sending("A"), targets=targets))
        self.assertEqual(await self.waiting(), [])

    async def test_a_message_without_recipients_is_none(self):
        await self.put(replace(sending("A"), recipients=()))
        self.assertEqual(await self.queue.entries(Selection(), 10), [])

    async def test_deliveries_of_all_kinds_at_once_all_arrive(self):
        inbox, junk = (
            Target(self.alice.account_id, name) for name in ("INBOX", "Junk")
        )

        def deliver(number, targets, *sendings):
            content = BytesContent(message(f"message {number}"))
            return Deferred.fromCoroutine(
                self.store.deliver(
                    Delivery(content, b"X: y\r\n", targets, SENT_AT, sendings)
                )
            )

        leases = await gatherResults(
            [
                deliver(
                    number,
                    [(), (inbox,), (inbox, junk)][number % 3],
                    *[
                        sending(
                            f"N{number}x{each}", f"a{number}@{NET}", "b@example.com",
                            keeper=ME if number % 2 else None, kept_until=NOW + 60,
                        )
                        for each in range(number % 4)
                    ],
                )
                for number in range(60)
            ]
        )
        self.assertEqual(len(await self.contents()), 40)
        self.assertEqual(len(await self.contents("Junk")), 20)
        self.assertEqual(
            [len(each) for each in leases],
            [2 * (number % 4) * (number % 2) for number in range(60)],
        )
        tokens = [lent.token for each in leases for lent in each]
        self.assertEqual(len(set(tokens)), len(tokens))
        found = await self.queue.entries(Selection(), 1000)
        self.assertEqual(len(found), 15 * (1 + 2 + 3))
        for entry in found:
            content = await self.queue.open(entry.message.message_id)
            number = entry.message.queue_id[1:].partition("x")[0]
            self.assertEqual(
                await octets_of(content), b"X: y\r\n" + message(f"message {number}")
            )
            content.close()

    async def test_what_one_of_many_at_once_is_refused_harms_no_other(self):
        bob = await self.store.directory.add_account(BOB, "", quota=10)
        results = await gatherResults(
            [
                Deferred.fromCoroutine(self.put(sending("A"))),
                Deferred.fromCoroutine(
                    fails(
                        OverQuota,
                        self.put(sending("B"), targets=(Target(bob.account_id),)),
                    )
                ),
                Deferred.fromCoroutine(
                    self.put(sending("C", keeper=ME, kept_until=NOW + 60))
                ),
            ]
        )
        self.assertEqual(results[0], [])
        self.assertEqual(names(results[2]), ["C"])
        self.assertEqual(await self.waiting(), [f"a@{NET}", f"c@{NET}"])

    async def test_content_goes_with_the_last_who_needs_it(self):
        data = message("the same")
        await self.put(sending("A"), sending("B"), data=data)
        one, two = await self.lease()
        await self.queue.settle(one, gone(one))
        await fails(NoSuchMessage, self.queue.open(one.message.message_id))
        content = await self.queue.open(two.message.message_id)
        self.assertEqual(await octets_of(content), data)
        await self.queue.settle(two, gone(two))
        await fails(NoSuchMessage, self.queue.open(two.message.message_id))

    async def test_numbers_of_messages_are_never_given_again(self):
        seen = set()
        for _ in range(3):
            await self.put(sending("A", f"a@{NET}", f"b@{NET}"))
            [lent] = await self.lease()
            self.assertNotIn(lent.message.message_id, seen)
            seen.add(lent.message.message_id)
            await self.queue.settle(lent, gone(lent))


class LeaseContract(QueueFixture):
    """What one has a lease of, no other gets."""

    async def test_a_keeper_has_leases_from_the_start(self):
        put = sending(
            "A", f"a@{NET}", "b@example.com", f"c@{NET}", keeper=ME,
            kept_until=NOW + 60,
        )
        leases = await self.put(put)
        self.assertEqual(
            addresses(leases), [[f"a@{NET}", f"c@{NET}"], ["b@example.com"]]
        )
        self.assertEqual([lent.until for lent in leases], [NOW + 60] * 2)
        self.assertEqual(await self.queue.ready(NOW, 10), [])
        self.assertEqual(await self.lease(), [])
        [entry] = await self.queue.entries(Selection(), 10)
        self.assertEqual(entry.message, leases[0].message)
        self.assertEqual(
            {each.recipient_id: each for each in entry.recipients},
            {each.recipient_id: each for lent in leases for each in lent.recipients},
        )
        self.assertEqual(
            entry.lent, {each.recipient_id for each in entry.recipients}
        )
        for lent in leases:
            self.assertTrue(await self.queue.settle(lent, gone(lent)))
        self.assertEqual(await self.waiting(), [])

    async def test_what_is_held_has_no_keeper(self):
        put = sending("A", keeper=ME, kept_until=NOW + 60, hold="look at it")
        self.assertEqual(await self.put(put), [])
        self.assertEqual(await self.queue.ready(NOW, 10), [])
        self.assertEqual(await self.lease(), [])
        self.assertIsNone(await self.queue.next_due(NOW))

    async def test_no_two_get_the_same_recipients(self):
        await self.put(*[sending(f"M{number}") for number in range(20)])
        parts = await gatherResults(
            [
                Deferred.fromCoroutine(self.lease(7, keeper=f"keeper {number}"))
                for number in range(4)
            ]
        )
        self.assertEqual(sorted(map(len, parts)), [0, 6, 7, 7])
        every = [each for part in parts for each in names(part)]
        self.assertEqual(len(set(every)), 20)

    async def test_recipients_of_a_message_come_together_a_hundred_at_most(self):
        many = [f"r{number}@{NET}" for number in range(250)]
        await self.put(sending("A", *many), sending("B"))
        leases = await self.lease()
        self.assertEqual([len(lent.recipients) for lent in leases], [100, 100, 50, 1])
        self.assertEqual(sum(addresses(leases), []), [*many, f"b@{NET}"])
        self.assertEqual(len({lent.token for lent in leases}), 4)

    async def test_no_more_than_the_limit_are_lent(self):
        many = [f"r{number}@{NET}" for number in range(30)]
        await self.put(sending("A", *many), sending("B", *many, sender="t@example.org"))
        for limit, expected in ((1, 1), (7, 7), (40, 40), (40, 12), (40, 0)):
            leases = await self.lease(limit)
            self.assertEqual(sum(len(lent.recipients) for lent in leases), expected)

    async def test_a_lease_that_ended_is_another_s(self):
        await self.put(sending("A"))
        [old] = await self.lease(until=NOW + 60)
        self.assertEqual(await self.queue.next_due(NOW), NOW + 60)
        self.assertEqual(await self.lease(now=NOW + 59.5), [])
        self.assertEqual(await self.queue.ready(NOW + 59.5, 9), [])
        self.assertEqual(await self.queue.ready(NOW + 60, 9), [Backlog(NET, NOW)])
        [new] = await self.lease(now=NOW + 60, keeper="another")
        self.assertEqual(new.recipients, old.recipients)
        self.assertNotEqual(new.token, old.token)

    async def test_a_token_that_is_stale_changes_nothing(self):
        """A process that was frozen while its lease ended (a fence)."""
        await self.put(sending("A"))
        [old] = await self.lease(until=NOW + 60)
        [new] = await self.lease(now=NOW + 60, keeper="another")
        notice = Delivery(
            BytesContent(message("failed")), b"", (Target(self.alice.account_id),),
            SENT_AT, (sending("N"),),
        )
        before = await self.queue.entries(Selection(), 10)
        for settlements in (gone(old), later(old, NOW + DAY)):
            self.assertFalse(await self.queue.settle(old, settlements, [notice]))
        self.assertIsNone(await self.queue.renew(old, NOW + 600))
        self.assertEqual(await self.queue.entries(Selection(), 10), before)
        self.assertEqual(await self.contents(), [])
        self.assertTrue(await self.queue.settle(new, gone(new)))
        self.assertFalse(await self.queue.settle(new, gone(new)))

    async def test_a_token_is_stale_once_the_end_of_a_lease_was_noticed(self):
        await self.put(sending("A"))
        [old] = await self.lease(until=NOW + 60)
        await self.queue.ready(NOW + 60, 1)
        self.assertFalse(await self.queue.settle(old, gone(old)))
        self.assertEqual(await self.waiting(), [f"a@{NET}"])

    async def test_a_lease_can_be_renewed(self):
        await self.put(sending("A", f"a@{NET}", f"b@{NET}"))
        [old] = await self.lease(until=NOW + 60)
        new = await self.queue.renew(old, NOW + 120)
        self.assertEqual(new, replace(old, until=NOW + 120))
        self.assertEqual(await self.lease(now=NOW + 100), [])
        self.assertEqual(await self.queue.next_due(NOW), NOW + 120)
        self.assertTrue(await self.queue.settle(new, gone(new)))

    async def test_leases_of_a_dead_keeper_can_be_ended(self):
        await self.put(sending("A", keeper=ME, kept_until=NOW + DAY))
        await self.put(sending("B", keeper="another", kept_until=NOW + DAY))
        await self.put(sending("C"))
        [_] = await self.lease(until=NOW + DAY)
        calls = []
        self.addCleanup(self.queue.watch(lambda: calls.append(1)))
        self.assertEqual(await self.queue.free(ME), 2)
        self.assertNotEqual(calls, [])
        self.assertEqual(await self.queue.free(ME), 0)
        self.assertEqual(sorted(names(await self.lease())), ["A", "C"])


class SettleContract(QueueFixture):
    """The end of an attempt is one commit."""

    async def test_recipients_end_each_in_its_own_way(self):
        await self.put(sending("A", *(f"r{number}@{NET}" for number in range(4))))
        [lent] = await self.lease()
        numbers = [each.recipient_id for each in lent.recipients]
        settlements = [
            Settlement(numbers[0], Disposal.GONE),
            Settlement(
                numbers[1], Disposal.LATER, due=NOW + 60, status="4.4.1",
                reply="no answer", warned=True,
            ),
            Settlement(
                numbers[2], Disposal.HELD, status="4.3.0", reply="it crashes",
                hold="poison", attempted=False,
            ),
        ]
        self.assertTrue(await self.queue.settle(lent, settlements))
        [entry] = await self.queue.entries(Selection(), 10)
        one, two, three = lent.recipients[1:]
        self.assertEqual(
            entry.recipients,
            (
                replace(
                    one, due=NOW + 60, attempts=1, warned=True, status="4.4.1",
                    reply="no answer",
                ),
                replace(two, status="4.3.0", reply="it crashes", hold="poison"),
                three,
            ),
        )
        self.assertEqual(entry.lent, {numbers[3]})
        self.assertEqual(await self.lease(now=NOW + 59), [])
        self.assertEqual(addresses(await self.lease(now=NOW + 60)), [[f"r1@{NET}"]])
        last = [Settlement(numbers[3], Disposal.GONE)]
        self.assertTrue(await self.queue.settle(lent, last))
        self.assertFalse(await self.queue.settle(lent, last))

    async def test_who_was_warned_once_stays_warned(self):
        await self.put(sending("A"))
        [lent] = await self.lease()
        await self.queue.settle(lent, later(lent, NOW + 1, warned=True))
        [lent] = await self.lease(now=NOW + 1)
        await self.queue.settle(lent, later(lent, NOW + 2, attempted=False))
        [lent] = await self.lease(now=NOW + 2)
        [waiting] = lent.recipients
        self.assertEqual((waiting.warned, waiting.attempts), (True, 1))

    async def test_notifications_are_delivered_in_the_same_commit(self):
        await self.put(sending("A"))
        [lent] = await self.lease()
        target = Target(self.alice.account_id)
        notices = [
            Delivery(BytesContent(message("local")), b"", (target,), SENT_AT),
            Delivery(
                BytesContent(message("both", "x" * 70_000)), b"X: y\r\n", (target,),
                SENT_AT, (sending("N", sender="", keeper=ME, kept_until=NOW + DAY),),
            ),
        ]
        self.assertTrue(await self.queue.settle(lent, gone(lent), notices))
        self.assertEqual(await self.subjects(), ["local", "both"])
        # Nobody was told of a lease.
        [lent] = await self.lease()
        self.assertEqual((lent.message.queue_id, lent.message.sender), ("N", ""))
        content = await self.queue.open(lent.message.message_id)
        self.assertEqual(
            await octets_of(content), b"X: y\r\n" + message("both", "x" * 70_000)
        )
        content.close()

    async def test_a_notification_that_cannot_be_made_leaves_the_lease(self):
        bob = await self.store.directory.add_account(BOB, "", quota=10)
        notices = [
            Delivery(BytesContent(message()), b"", (Target(number),), SENT_AT)
            for number in (self.alice.account_id, bob.account_id)
        ]
        await self.put(sending("A"))
        [lent] = await self.lease()
        await fails(OverQuota, self.queue.settle(lent, gone(lent), notices))
        self.assertEqual(await self.contents(), [])
        self.assertTrue(await self.queue.settle(lent, gone(lent)))

    async def test_many_leases_settled_at_once_all_end(self):
        await self.put(*[sending(f"M{number}") for number in range(60)])
        leases = await self.lease()
        target = Target(self.alice.account_id)

        def notices(number):
            if number % 5:
                return ()
            content = BytesContent(message(f"notice {number}"))
            return (Delivery(content, b"", (target,), SENT_AT),)

        outcomes = await gatherResults(
            [
                Deferred.fromCoroutine(
                    self.queue.settle(
                        lent if number % 7 else replace(lent, token=-1),
                        gone(lent) if number % 3 else later(lent, NOW + 60),
                        notices(number),
                    )
                )
                for number, lent in enumerate(leases)
            ]
        )
        self.assertEqual(outcomes, [bool(number % 7) for number in range(60)])
        self.assertEqual(
            sorted(await self.subjects()),
            sorted(f"notice {n}" for n in range(60) if n % 7 and not n % 5),
        )
        self.assertEqual(
            await self.waiting(Selection(deferred=True)),
            [f"m{n}@{NET}" for n in range(60) if n % 7 and not n % 3],
        )
        self.assertEqual(
            await self.waiting(Selection(deferred=False)),
            [f"m{n}@{NET}" for n in range(60) if not n % 7],
        )

    async def test_a_lease_settled_twice_at_once_is_settled_once(self):
        await self.put(sending("A"))
        [lent] = await self.lease()
        outcomes = await gatherResults(
            [
                Deferred.fromCoroutine(self.queue.settle(lent, gone(lent)))
                for _ in range(3)
            ]
        )
        self.assertEqual(outcomes, [True, False, False])


class QueueContract(
    QueuedContract, LeaseContract, SettleContract, FaultContract, OrderContract,
    WatchContract,
):
    """All of it, but for what people ask."""
