"""The contract of a backend: an account and its mailboxes."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from mailhub.errors import (
    MailboxExists,
    MailboxInUse,
    NoSuchMailbox,
    NotPermitted,
    OverQuota,
)
from mailhub.mail.account import Target
from mailhub.mail.mailbox import Copied, MailboxInfo
from mailhub.store.content import BytesContent

from .fixture import (
    ALICE,
    BOB,
    SENT_AT,
    StoreFixture,
    fails,
    message,
    names_of,
    outcome,
    uids_of,
)


class AccountContract(StoreFixture):
    """:class:`mailhub.interfaces.IMailAccount`; RFC 3501, section 6.3."""

    async def info(self, name):
        """The row of *name* in Alice's listing, or ``None``."""
        infos = await (await self.account()).mailboxes()
        return {info.name: info for info in infos}.get(name)

    async def test_the_address_is_the_login_name(self):
        self.assertEqual((await self.account()).address, ALICE)

    # Listing, create, delete.

    async def test_a_created_mailbox_is_listed_in_order_and_empty(self):
        account = await self.account()
        await account.create("Work")
        names = names_of(await account.mailboxes())
        self.assertEqual(names, sorted(names))
        self.assertEqual(await self.info("Work"), MailboxInfo("Work"))
        status = await account.status("Work")
        self.assertEqual(status.name, "Work")
        self.assertEqual(
            (status.messages, status.unseen, status.recent, status.size), (0, 0, 0, 0)
        )
        self.assertEqual(status.uidnext, 1)
        self.assertTrue(1 <= status.uidvalidity < 2**32)
        self.assertGreater(status.modseq, 0)

    async def test_a_mailbox_can_be_created_with_its_use(self):
        await (await self.account()).create("Outgoing", "\\Sent")
        self.assertEqual((await self.info("Outgoing")).special_use, "\\Sent")

    async def test_create_makes_missing_parents(self):
        account = await self.account()
        await account.create("a/b/c")
        for name in ("a", "a/b", "a/b/c"):
            self.assertTrue((await self.info(name)).exists)
            self.assertEqual((await account.open(name)).name, name)

    async def test_a_taken_name_cannot_be_created(self):
        account = await self.account()
        await account.create("a/b")
        for name in ("INBOX", "Sent", "a", "a/b"):
            await fails(MailboxExists, account.create(name))

    async def test_a_missing_mailbox_is_missing_everywhere(self):
        account = await self.account()
        inbox = await account.open("INBOX")
        await self.deliver()
        for work in (
            account.open("None"),
            account.status("None"),
            account.delete("None"),
            account.rename("None", "Some"),
            account.append("None", [(BytesContent(b"x"), frozenset(), SENT_AT)]),
            inbox.copy([1], "None"),
            inbox.move([1], "None"),
        ):
            await fails(NoSuchMailbox, work)
        self.assertEqual((await inbox.status()).messages, 1)

    async def test_a_deleted_mailbox_is_gone_with_its_messages(self):
        account = await self.account()
        await account.create("Work")
        await self.append(message(), name="Work")
        await account.delete("Work")
        self.assertIsNone(await self.info("Work"))
        await account.create("Work")
        self.assertEqual((await account.status("Work")).messages, 0)

    async def test_inbox_cannot_be_deleted(self):
        await self.deliver()
        await fails(NotPermitted, (await self.account()).delete("INBOX"))
        self.assertEqual(await self.contents(), [message()])

    async def test_a_deleted_mailbox_with_children_stays_as_their_parent(self):
        account = await self.account()
        await account.create("a/b")
        await self.append(message(), name="a")
        await account.delete("a")
        self.assertEqual(await self.info("a"), MailboxInfo("a", exists=False))
        self.assertEqual(await self.info("a/b"), MailboxInfo("a/b"))
        await fails(NoSuchMailbox, account.open("a"))
        await fails(NoSuchMailbox, account.status("a"))
        await fails(NoSuchMailbox, account.delete("a"))
        await account.create("a")
        self.assertTrue((await self.info("a")).exists)
        self.assertEqual(await self.contents("a"), [])

    async def test_a_parent_goes_with_its_last_child(self):
        account = await self.account()
        await account.create("a/b")
        await account.delete("a")
        await account.delete("a/b")
        self.assertIsNone(await self.info("a"))

    async def test_a_mailbox_deleted_by_another_session_is_missing(self):
        account = await self.account()
        await account.create("Work")
        await self.append(message(), name="Work")
        opened = await self.open("Work")
        await account.delete("Work")
        for work in (
            opened.status(),
            opened.changes(0),
            opened.copy([1], "INBOX"),
            opened.expunge([1], deleted_only=False),
        ):
            await fails(NoSuchMailbox, work)

    # UIDVALIDITY: never the same pair with a UID for other octets.

    async def test_delete_and_create_in_one_moment_gives_a_higher_uidvalidity(self):
        account = await self.account()
        seen = []
        for _ in range(5):
            await account.create("Work")
            seen.append((await account.status("Work")).uidvalidity)
            await account.delete("Work")
        self.assertEqual(seen, sorted(set(seen)))

    async def test_renaming_inbox_and_back_never_repeats_a_pair(self):
        account = await self.account()
        pairs = {}

        async def look(name):
            mailbox = await account.open(name)
            for uid in uids_of(await mailbox.changes(0)):
                [data] = await self.contents(name)
                known = pairs.setdefault((name, mailbox.uidvalidity, uid), data)
                self.assertEqual(known, data)

        for turn in ("one", "two", "three"):
            await self.deliver(message(turn))
            await look("INBOX")
            await account.rename("INBOX", "Old")
            await look("Old")
            await account.delete("Old")
        self.assertEqual(len(pairs), 6)

    async def test_a_name_that_gets_an_older_mailbox_gets_a_higher_uidvalidity(self):
        """RFC 3501, section 2.3.1.1: a new value MUST be greater."""
        account = await self.account()
        await account.create("old")
        await account.create("new")
        before = (await account.status("new")).uidvalidity
        await account.delete("new")
        await account.rename("old", "new")
        self.assertGreater((await account.status("new")).uidvalidity, before)

    # Rename.

    async def test_a_renamed_mailbox_keeps_messages_flags_and_use(self):
        account = await self.account()
        await account.create("Work", "\\Archive")
        await self.append(message(), name="Work", flags=frozenset(["\\Seen", "$Done"]))
        before = await account.status("Work")
        await account.rename("Work", "Play")
        self.assertIsNone(await self.info("Work"))
        self.assertEqual((await self.info("Play")).special_use, "\\Archive")
        self.assertEqual(await self.contents("Play"), [message()])
        changes = await (await account.open("Play")).changes(0)
        self.assertEqual(uids_of(changes), [1])
        self.assertEqual(changes.entries.flags, [frozenset(["\\Seen", "$Done"])])
        after = await account.status("Play")
        self.assertEqual(after.uidvalidity, before.uidvalidity)
        self.assertEqual(after.uidnext, before.uidnext)

    async def test_children_move_along_and_namesakes_stay(self):
        account = await self.account()
        for name in ("a/b/c", "ab", "a%".replace("%", "-") + "/b"):
            await account.create(name)
        await account.rename("a", "x/y")
        names = set(names_of(await account.mailboxes()))
        self.assertTrue({"x", "x/y", "x/y/b", "x/y/b/c", "ab", "a-/b"} <= names)
        self.assertFalse({"a", "a/b", "a/b/c"} & names)

    async def test_names_that_look_like_patterns_are_plain_names(self):
        """``_`` and ``%`` mean something to LIKE, ``*`` and ``[`` to GLOB."""
        account = await self.account()
        for name in ("a_b/x", "aXb/x", "[ab]/x", "a/x", "A/x"):
            await account.create(name)
        await account.rename("a_b", "one")
        await account.rename("[ab]", "two")
        names = set(names_of(await account.mailboxes()))
        self.assertTrue({"one/x", "two/x", "aXb/x", "a/x", "A/x"} <= names)

    async def test_a_rename_onto_a_taken_name_changes_nothing(self):
        account = await self.account()
        await account.create("a/b")
        await account.create("c/b")
        await account.delete("c")
        before = names_of(await account.mailboxes())
        await fails(MailboxExists, account.rename("a", "Sent"))
        await fails(MailboxExists, account.rename("a", "c"))
        await fails(MailboxExists, account.rename("a", "INBOX"))
        await fails(MailboxExists, account.rename("a", "a"))
        self.assertEqual(names_of(await account.mailboxes()), before)

    async def test_a_mailbox_cannot_go_below_itself(self):
        account = await self.account()
        await account.create("a/b")
        await fails(NotPermitted, account.rename("a", "a/b/c"))
        self.assertTrue((await self.info("a/b")).exists)

    async def test_a_parent_without_a_mailbox_can_be_renamed(self):
        account = await self.account()
        await account.create("a/b")
        await account.delete("a")
        await account.rename("a", "c")
        names = names_of(await account.mailboxes())
        self.assertIn("c/b", names)
        self.assertNotIn("a/b", names)

    async def test_a_rename_back_and_forth_ends_where_it_began(self):
        account = await self.account()
        await account.create("a")
        await self.append(message(), name="a")
        await account.rename("a", "b")
        await account.rename("b", "a")
        self.assertEqual(await self.contents("a"), [message()])

    async def test_renaming_inbox_moves_its_messages_and_leaves_it_empty(self):
        account = await self.account()
        await account.create("INBOX/child")
        await self.append(message("1"), message("2"), flags=frozenset(["\\Seen"]))
        inbox = await account.open("INBOX")
        known = (await inbox.changes(0)).modseq
        uidnext = (await inbox.status()).uidnext
        await account.rename("INBOX", "old/mail")
        self.assertEqual(await self.subjects("old/mail"), ["1", "2"])
        self.assertEqual(await self.contents("INBOX"), [])
        self.assertTrue((await self.info("INBOX/child")).exists)
        status = await account.status("INBOX")
        self.assertEqual((status.messages, status.size), (0, 0))
        self.assertGreaterEqual(status.uidnext, uidnext)
        self.assertEqual((await inbox.changes(known)).vanished, [1, 2])
        moved = await (await account.open("old/mail")).changes(0)
        self.assertEqual(moved.entries.flags, [frozenset(["\\Seen"])] * 2)

    # Subscriptions.

    async def test_a_subscription_needs_no_mailbox(self):
        account = await self.account()
        await account.subscribe("later")
        await account.subscribe("later")
        self.assertEqual(
            await self.info("later"),
            MailboxInfo("later", exists=False, subscribed=True),
        )
        await account.unsubscribe("later")
        await account.unsubscribe("later")
        self.assertIsNone(await self.info("later"))

    async def test_a_subscription_outlives_its_mailbox(self):
        """RFC 3501, section 6.3.6: MUST NOT be removed unilaterally."""
        account = await self.account()
        await account.create("Work")
        await account.subscribe("Work")
        self.assertTrue((await self.info("Work")).subscribed)
        await account.delete("Work")
        self.assertEqual(
            await self.info("Work"), MailboxInfo("Work", exists=False, subscribed=True)
        )

    # Append.

    async def test_an_append_gives_uids_in_order_and_keeps_flags_and_date(self):
        flags = frozenset(["\\Flagged", "$Label"])
        await self.deliver()
        copied = await self.append(message("a"), message("b"), flags=flags, date=86_401)
        inbox = await self.open()
        self.assertEqual(copied, Copied(inbox.uidvalidity, [], [2, 3]))
        self.assertEqual(await self.subjects(), ["hello", "a", "b"])
        entries = (await inbox.changes(0)).entries
        self.assertEqual(entries.flags[1:], [flags, flags])

    async def test_an_append_of_nothing_stores_nothing(self):
        copied = await self.append()
        self.assertEqual((copied.uids, copied.new_uids), ([], []))
        self.assertEqual(await self.contents(), [])

    async def test_an_append_over_quota_stores_none_of_its_messages(self):
        data = message()
        await self.store.directory.add_account(BOB, "", quota=2 * len(data))
        account = await self.account(BOB)
        one = (BytesContent(data), frozenset(), SENT_AT)
        await account.append("INBOX", [one])
        await fails(OverQuota, account.append("INBOX", [one, one]))
        self.assertEqual((await account.status("INBOX")).messages, 1)
        await account.append("INBOX", [one])
        self.assertEqual((await account.status("INBOX")).messages, 2)

    # Quota.

    async def test_a_quota_is_full_at_its_octet_and_not_before(self):
        data = message()
        bob = await self.store.directory.add_account(BOB, "", quota=len(data) * 3 + 1)
        account = await self.account(BOB)
        one = (BytesContent(data), frozenset(), SENT_AT)
        await account.append("INBOX", [one, one])
        await account.append("Sent", [one])
        tiny, tinier = (BytesContent(b"xy"), frozenset(), SENT_AT), BytesContent(b"x")
        await fails(OverQuota, account.append("Sent", [tiny]))
        await account.append("Sent", [(tinier, frozenset(), SENT_AT)])
        self.assertEqual((await account.status("Sent")).messages, 2)
        self.assertEqual(bob.quota, len(data) * 3 + 1)

    async def test_a_quota_holds_against_many_at_once(self):
        """Attack: everybody sees room for one more, and all of them take it."""
        data = message()
        bob = await self.store.directory.add_account(BOB, "", quota=5 * len(data))
        account = await self.account(BOB)
        one = (BytesContent(data), frozenset(), SENT_AT)
        inbox = (Target(bob.account_id),)
        work = [
            each
            for _ in range(10)
            for each in (
                account.append("INBOX", [one]),
                self.deliver(data, targets=inbox),
            )
        ]
        outcomes = await gatherResults([outcome(each) for each in work])
        self.assertEqual(outcomes.count(OverQuota), len(work) - 5)
        status = await account.status("INBOX")
        self.assertEqual((status.messages, status.size), (5, 5 * len(data)))

    async def test_a_copy_takes_room_and_a_move_takes_none(self):
        data = message()
        await self.store.directory.add_account(BOB, "", quota=len(data))
        account = await self.account(BOB)
        await account.append("INBOX", [(BytesContent(data), frozenset(), SENT_AT)])
        inbox = await account.open("INBOX")
        await fails(OverQuota, inbox.copy([1], "Sent"))
        self.assertEqual((await account.status("Sent")).messages, 0)
        await inbox.move([1], "Sent")
        self.assertEqual((await account.status("Sent")).messages, 1)

    async def test_what_is_expunged_or_deleted_makes_room(self):
        data = message()
        await self.store.directory.add_account(BOB, "", quota=len(data))
        account = await self.account(BOB)
        one = (BytesContent(data), frozenset(), SENT_AT)
        await account.append("INBOX", [one])
        inbox = await account.open("INBOX")
        await inbox.expunge([1], deleted_only=False)
        await account.create("Work")
        await account.append("Work", [one])
        await account.delete("Work")
        await account.append("INBOX", [one])
        await account.rename("INBOX", "Old")
        await fails(OverQuota, account.append("INBOX", [one]))
        self.assertEqual((await account.status("Old")).messages, 1)

    # The maildrop's lock.

    async def test_the_maildrop_has_one_holder(self):
        first, second = await self.account(), await self.account()
        release = await first.lock_maildrop()
        await fails(MailboxInUse, second.lock_maildrop())
        await fails(MailboxInUse, first.lock_maildrop())
        release()
        release = await second.lock_maildrop()
        release()
        release()

    async def test_an_old_release_does_not_free_another_s_lock(self):
        first, second = await self.account(), await self.account()
        old = await first.lock_maildrop()
        old()
        release = await second.lock_maildrop()
        old()
        await fails(MailboxInUse, first.lock_maildrop())
        release()

    async def test_logging_out_frees_the_maildrop(self):
        first, second = await self.account(), await self.account()
        await first.lock_maildrop()
        second.logout()
        await fails(MailboxInUse, second.lock_maildrop())
        first.logout()
        release = await second.lock_maildrop()
        release()

    async def test_the_lock_is_one_account_s_and_stops_no_delivery(self):
        await self.store.directory.add_account(BOB, "")
        release = await (await self.account()).lock_maildrop()
        theirs = await (await self.account(BOB)).lock_maildrop()
        await self.deliver()
        self.assertEqual(await self.contents(), [message()])
        theirs()
        release()
