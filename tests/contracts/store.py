"""The contract of a backend: all of it, and delivery."""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from mailhub.errors import LimitReached, OverQuota, UnknownRecipient
from mailhub.interfaces import (
    IContent,
    IDirectory,
    IMailAccount,
    IMailbox,
    IMailStore,
    ISpool,
)
from mailhub.mail.account import Delivery, Target
from mailhub.mail.flags import MAX_KEYWORDS
from mailhub.mail.mailbox import Column
from mailhub.powers import IQuotaStore
from mailhub.store.content import BytesContent, octets_of

from .account import AccountContract
from .content import ContentContract
from .directory import DirectoryContract
from .fixture import (
    ALICE,
    BOB,
    SENT_AT,
    StoreFixture,
    fails,
    message,
    outcome,
    uids_of,
)
from .mailbox import MailboxContract
from .names import NamesContract
from .search import SearchContract


class DeliveryContract(StoreFixture):
    """:class:`mailhub.interfaces.IMailStore`."""

    async def test_everything_provides_its_interface(self):
        account = await self.account()
        await self.deliver()
        mailbox = await account.open("INBOX")
        [(_, content)] = await mailbox.fetch([1], (Column.CONTENT,))
        verifyObject(IMailStore, self.store)
        verifyObject(IDirectory, self.store.directory)
        verifyObject(IMailAccount, account)
        verifyObject(IMailbox, mailbox)
        verifyObject(IContent, content)
        verifyObject(ISpool, self.store.spool())

    async def test_an_unknown_account_cannot_be_opened(self):
        await fails(UnknownRecipient, self.store.open_account(BOB))

    async def test_a_delivered_message_is_the_prefix_and_the_content(self):
        await self.deliver(message(), prefix=b"Received: by test\r\n")
        [data] = await self.contents()
        self.assertEqual(data, b"Received: by test\r\n" + message())

    async def test_one_delivery_reaches_every_target_with_its_flags(self):
        bob = await self.store.directory.add_account(BOB, "")
        await self.deliver(
            targets=(
                Target(self.alice.account_id),
                Target(self.alice.account_id, "Junk", frozenset(["\\Seen", "$Junk"])),
                Target(bob.account_id),
            )
        )
        self.assertEqual(await self.contents("INBOX"), [message()])
        self.assertEqual(await self.contents("Junk"), [message()])
        junk = await (await self.open("Junk")).changes(0)
        self.assertEqual(junk.entries.flags, [frozenset(["\\Seen", "$Junk"])])
        theirs = await (await self.account(BOB)).status("INBOX")
        self.assertEqual(theirs.messages, 1)

    async def test_a_delivery_that_names_a_mailbox_twice_arrives_twice(self):
        inbox = Target(self.alice.account_id)
        await self.deliver(targets=(inbox, inbox))
        self.assertEqual(await self.contents(), [message(), message()])

    async def test_a_delivery_without_targets_stores_nothing(self):
        await self.deliver(targets=())
        self.assertEqual(await self.contents(), [])

    async def test_mail_for_a_mailbox_that_has_gone_comes_to_inbox(self):
        await (await self.account()).delete("Junk")
        await self.deliver(targets=(Target(self.alice.account_id, "Junk"),))
        self.assertEqual(await self.contents(), [message()])

    async def test_one_full_target_means_that_no_target_is_served(self):
        bob = await self.store.directory.add_account(BOB, "", quota=10)
        targets = (Target(self.alice.account_id), Target(bob.account_id))
        error = await fails(OverQuota, self.deliver(targets=targets))
        self.assertFalse(error.permanent)
        self.assertEqual(await self.contents(), [])

    async def test_room_is_known_before_a_delivery(self):
        self.assertTrue(IQuotaStore.providedBy(self.store))
        bob = await self.store.directory.add_account(BOB, "", quota=1_000)
        self.assertEqual(self.store.room_of(bob.account_id), 1_000)
        await self.deliver(targets=(Target(bob.account_id),))
        left = 1_000 - len(message())
        self.assertEqual(self.store.room_of(bob.account_id), left)
        for without in (self.alice.account_id, 999_999):
            self.assertGreater(self.store.room_of(without), 1 << 60)

    async def test_one_unknown_target_means_that_no_target_is_served(self):
        targets = (Target(self.alice.account_id), Target(999_999))
        await fails(UnknownRecipient, self.deliver(targets=targets))
        self.assertEqual(await self.contents(), [])

    async def test_one_target_without_room_for_keywords_means_none_is_served(self):
        many = frozenset(f"word{number}" for number in range(MAX_KEYWORDS))
        await self.append(message(), name="Junk", flags=many)
        one_more = Target(self.alice.account_id, "Junk", frozenset(["another"]))
        targets = (Target(self.alice.account_id), one_more)
        await fails(LimitReached, self.deliver(targets=targets))
        self.assertEqual(await self.contents(), [])

    async def test_a_refused_delivery_does_not_harm_those_that_wait_with_it(self):
        bob = await self.store.directory.add_account(BOB, "", quota=10)
        alices, bobs = Target(self.alice.account_id), Target(bob.account_id)
        outcomes = await gatherResults(
            [
                outcome(self.deliver(message("one"), targets=(alices,))),
                outcome(self.deliver(message("two"), targets=(alices, bobs))),
                outcome(self.deliver(message("three"), targets=(alices,))),
            ]
        )
        self.assertEqual(outcomes, [None, OverQuota, None])
        self.assertEqual(sorted(await self.subjects()), ["one", "three"])

    async def test_a_hundred_deliveries_at_once_all_arrive_with_their_own_uids(self):
        subjects = [f"message {number}" for number in range(100)]
        await gatherResults(
            [
                Deferred.fromCoroutine(self.deliver(message(subject)))
                for subject in subjects
            ]
        )
        self.assertEqual(sorted(await self.subjects()), sorted(subjects))
        inbox = await self.open()
        changes = await inbox.changes(0)
        self.assertEqual(uids_of(changes), list(range(1, 101)))
        status = await inbox.status()
        self.assertEqual((status.messages, status.uidnext), (100, 101))

    async def test_deliveries_of_one_session_keep_their_order(self):
        for subject in ("first", "second", "third"):
            await self.deliver(message(subject))
        self.assertEqual(await self.subjects(), ["first", "second", "third"])

    async def test_the_internal_date_is_the_delivery_s(self):
        await self.deliver()
        rows = await (await self.open()).fetch([1], (Column.INTERNAL_DATE,))
        self.assertEqual(rows, [(1, SENT_AT)])

    async def test_two_accounts_see_nothing_of_each_other(self):
        bob = await self.store.directory.add_account(BOB, "")
        await self.deliver(targets=(Target(bob.account_id),))
        theirs = await self.account(BOB)
        await theirs.create("secret")
        await theirs.subscribe("plan")
        ours = await self.account(ALICE)
        names = [info.name for info in await ours.mailboxes()]
        self.assertNotIn("secret", names)
        self.assertNotIn("plan", names)
        self.assertEqual((await ours.status("INBOX")).messages, 0)
        self.assertEqual((await theirs.status("INBOX")).messages, 1)

    async def test_the_content_may_be_closed_after_the_delivery(self):
        content = BytesContent(message())
        targets = (Target(self.alice.account_id),)
        await self.store.deliver(Delivery(content, b"", targets, SENT_AT))
        content.close()
        self.assertEqual(await self.contents(), [message()])

    async def test_what_was_spooled_can_be_delivered(self):
        for size in (10, 70_000, 1_000_000):
            data = message(body="x" * size)
            spool = self.store.spool()
            for start in range(0, len(data), 8192):
                spool.write(data[start : start + 8192])
            self.assertEqual(spool.size, len(data))
            content = spool.finish()
            self.assertEqual(content.size, len(data))
            targets = (Target(self.alice.account_id),)
            await self.store.deliver(Delivery(content, b"X: y\r\n", targets, SENT_AT))
            content.close()
            content.close()
            self.assertEqual((await self.contents())[-1], b"X: y\r\n" + data)

    async def test_a_spool_that_is_thrown_away_leaves_nothing(self):
        spool = self.store.spool()
        spool.write(b"x" * 100_000)
        spool.close()
        spool.close()
        self.assertEqual(await self.contents(), [])

    async def test_an_account_that_is_removed_takes_its_mail_along(self):
        await self.deliver()
        await self.store.directory.remove_account(ALICE)
        targets = (Target(self.alice.account_id),)
        await fails(UnknownRecipient, self.deliver(targets=targets))
        await fails(UnknownRecipient, self.store.open_account(ALICE))
        again = await self.store.directory.add_account(ALICE, "")
        self.assertNotEqual(again.account_id, self.alice.account_id)
        self.assertEqual(await self.contents(), [])

    async def test_an_address_that_comes_back_has_other_uidvalidities(self):
        await self.deliver()
        before = (await self.open()).uidvalidity
        await self.store.directory.remove_account(ALICE)
        await self.store.directory.add_account(ALICE, "")
        self.assertGreater((await self.open()).uidvalidity, before)

    async def test_what_was_read_is_the_same_octets_in_pieces(self):
        data = message(body="line\r\n" * 100_000)
        await self.deliver(data)
        [(_, content)] = await (await self.open()).fetch([1], (Column.CONTENT,))
        self.assertEqual(await octets_of(content), data)
        self.assertEqual(await content.read(100, 200), data[100:200])
        self.assertEqual(await content.read(len(data) - 5, len(data) + 9), data[-5:])
        self.assertEqual(await content.read(len(data), len(data) + 9), b"")


class StoreContract(
    DeliveryContract,
    DirectoryContract,
    AccountContract,
    NamesContract,
    MailboxContract,
    ContentContract,
    SearchContract,
):
    """Everything; a backend subclasses this (see :class:`StoreFixture`)."""
