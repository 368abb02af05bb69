"""The contract of a backend: an open mailbox and its changes."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailhub.errors import LimitReached, ReadOnlyMailbox
from mailhub.mail.flags import MAX_KEYWORDS, FlagChange
from mailhub.mail.mailbox import Copied

from .fixture import StoreFixture, fails, flags_of, message, uids_of

SEEN = frozenset(["\\Seen"])
DELETED = frozenset(["\\Deleted"])


class ChangesContract(StoreFixture):
    """``IMailbox.status``, ``changes``, ``claim_recent`` and ``watch``."""

    async def test_the_counters_count(self):
        await self.append(message("1"), message("2"), message("3"))
        await self.append(message("4"), flags=SEEN)
        inbox = await self.open()
        status = await inbox.status()
        self.assertEqual((status.messages, status.unseen, status.uidnext), (4, 3, 5))
        self.assertEqual(status.size, 4 * len(message("1")))
        self.assertEqual(status.uidvalidity, inbox.uidvalidity)
        await inbox.set_flags([1, 4], FlagChange.REPLACE, SEEN)
        await inbox.set_flags([4], FlagChange.REMOVE, SEEN)
        await inbox.expunge([2, 4], deleted_only=False)
        status = await inbox.status()
        self.assertEqual((status.messages, status.unseen, status.uidnext), (2, 1, 5))
        self.assertEqual(status.size, 2 * len(message("1")))
        self.assertEqual(status, await (await self.account()).status("INBOX"))

    async def test_changes_from_zero_are_every_message_in_uid_order(self):
        await self.append(*[message(str(number)) for number in range(5)])
        inbox = await self.open()
        await inbox.set_flags([2], FlagChange.ADD, SEEN)
        await inbox.expunge([4], deleted_only=False)
        changes = await inbox.changes(0)
        self.assertEqual(uids_of(changes), [1, 2, 3, 5])
        self.assertEqual(changes.entries.flags[1], SEEN)
        self.assertEqual(changes.modseq, (await inbox.status()).modseq)
        self.assertEqual(max(changes.entries.modseqs[:2]), changes.entries.modseqs[1])
        self.assertTrue(all(modseq > 0 for modseq in changes.entries.modseqs))

    async def test_equal_flag_sets_are_one_object(self):
        await self.append(message("1"), message("2"), flags=SEEN | {"$A"})
        await self.append(message("3"), flags=frozenset(["$A", "\\Seen"]))
        first, second, third = (await (await self.open()).changes(0)).entries.flags
        self.assertIs(first, second)
        self.assertIs(first, third)

    async def test_nothing_new_is_no_change(self):
        await self.deliver()
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        again = await inbox.changes(known)
        self.assertEqual((again.modseq, uids_of(again)), (known, []))
        self.assertEqual(again.vanished, [])

    async def test_changes_are_what_came_changed_and_went_since(self):
        await self.append(*[message(str(number)) for number in range(6)])
        inbox, other = await self.open(), await self.open()
        known = (await inbox.changes(0)).modseq
        await other.set_flags([5], FlagChange.ADD, SEEN)
        await other.set_flags([2], FlagChange.ADD, SEEN)
        await other.expunge([6], deleted_only=False)
        await other.expunge([1, 3], deleted_only=False)
        await self.deliver()
        changes = await inbox.changes(known)
        self.assertEqual(flags_of(changes), {2: SEEN, 5: SEEN, 7: set()})
        self.assertEqual(changes.vanished, [1, 3, 6])
        self.assertGreater(changes.modseq, known)
        self.assertTrue(
            all(known < modseq <= changes.modseq for modseq in changes.entries.modseqs)
        )
        later = await inbox.changes(changes.modseq)
        self.assertEqual((uids_of(later), later.vanished), ([], []))

    async def test_each_step_can_be_followed_singly(self):
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        seen = []
        for step in (
            self.deliver(),
            self.deliver(),
            inbox.set_flags([1], FlagChange.ADD, SEEN),
            inbox.expunge([2], deleted_only=False),
        ):
            await step
            changes = await inbox.changes(known)
            self.assertGreater(changes.modseq, known)
            known = changes.modseq
            seen.append((uids_of(changes), changes.vanished))
        self.assertEqual(seen, [([1], []), ([2], []), ([1], []), ([], [2])])

    async def test_a_flag_that_is_set_already_changes_nothing(self):
        await self.append(message(), flags=SEEN)
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        await inbox.set_flags([1], FlagChange.ADD, SEEN)
        await inbox.set_flags([1], FlagChange.REMOVE, DELETED)
        await inbox.set_flags([1], FlagChange.REPLACE, SEEN)
        self.assertEqual((await inbox.changes(known)).modseq, known)

    async def test_modseqs_of_one_account_only_grow(self):
        account = await self.account()
        seen = []
        for name in ("INBOX", "Sent", "INBOX", "Junk"):
            await self.append(message(), name=name)
            seen.append((await account.status(name)).modseq)
        self.assertEqual(seen, sorted(set(seen)))

    async def test_a_change_in_one_mailbox_is_none_in_another(self):
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        await self.append(message(), name="Sent")
        changes = await inbox.changes(known)
        self.assertEqual((uids_of(changes), changes.vanished), ([], []))

    # Recent.

    async def test_a_message_is_recent_for_the_first_who_asks(self):
        await self.append(message("1"), message("2"))
        first, second = await self.open(), await self.open()
        self.assertEqual((await first.status()).recent, 2)
        self.assertEqual(await first.claim_recent(), 1)
        self.assertEqual((await first.status()).recent, 0)
        self.assertEqual(await second.claim_recent(), 3)
        await self.deliver()
        self.assertEqual((await first.status()).recent, 1)
        self.assertEqual(await second.claim_recent(), 3)
        self.assertEqual(await first.claim_recent(), 4)

    async def test_reading_only_claims_nothing(self):
        """RFC 3501, section 6.3.2: EXAMINE MUST NOT cause loss of \\Recent."""
        await self.deliver()
        examined = await self.open(read_only=True)
        self.assertEqual(await examined.claim_recent(), 1)
        self.assertEqual((await examined.status()).recent, 1)
        self.assertEqual(await (await self.open()).claim_recent(), 1)

    async def test_an_expunged_message_is_not_recent(self):
        await self.append(message("1"), message("2"), message("3"))
        inbox = await self.open()
        await inbox.claim_recent()
        await self.append(message("4"), message("5"))
        await inbox.expunge([2, 4], deleted_only=False)
        self.assertEqual((await inbox.status()).recent, 1)

    # Watching.

    async def test_a_watcher_is_called_after_each_kind_of_change(self):
        await self.append(message("1"), message("2"), message("3"))
        inbox, other = await self.open(), await self.open()
        bell = Bell()
        inbox.watch(bell.ring)
        account = await self.account()
        for change in (
            lambda: self.deliver(),
            lambda: self.append(message()),
            lambda: other.set_flags([1], FlagChange.ADD, SEEN),
            lambda: other.copy([1], "INBOX"),
            lambda: other.move([2], "Sent"),
            lambda: other.expunge([3], deleted_only=False),
            lambda: account.rename("INBOX", "Old"),
        ):
            heard = bell.next()
            await change()
            await heard

    async def test_a_watcher_that_looks_sees_the_change(self):
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        looks = []
        bell = Bell()

        def look():
            looks.append(Deferred.fromCoroutine(inbox.changes(known)))
            bell.ring()

        inbox.watch(look)
        heard = bell.next()
        await self.deliver()
        await heard
        self.assertEqual(uids_of(await looks[0]), [1])

    async def test_a_watcher_that_ended_hears_nothing_more(self):
        inbox = await self.open()
        calls = []
        bell = Bell()
        end = inbox.watch(lambda: calls.append(1))
        inbox.watch(bell.ring)
        end()
        end()
        heard = bell.next()
        await self.deliver()
        await heard
        self.assertEqual(calls, [])

    async def test_a_watcher_hears_nothing_of_other_mailboxes(self):
        inbox, sent = await self.open(), await self.open("Sent")
        calls = []
        bell = Bell()
        inbox.watch(lambda: calls.append(1))
        sent.watch(bell.ring)
        heard = bell.next()
        await self.append(message(), name="Sent")
        await heard
        self.assertEqual(calls, [])

    async def test_a_watcher_is_told_that_its_mailbox_is_gone(self):
        account = await self.account()
        await account.create("Work")
        bell = Bell()
        (await self.open("Work")).watch(bell.ring)
        heard = bell.next()
        await account.delete("Work")
        await heard

    async def test_a_watcher_that_fails_stops_neither_the_change_nor_others(self):
        inbox = await self.open()
        bell = Bell()
        inbox.watch(lambda: 1 / 0)
        inbox.watch(bell.ring)
        heard = bell.next()
        await self.deliver()
        await heard
        self.assertEqual(await self.contents(), [message()])
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    async def test_a_watcher_may_end_itself(self):
        inbox = await self.open()
        ends = []
        bell = Bell()
        ends.append(inbox.watch(lambda: ends.pop()()))
        inbox.watch(bell.ring)
        for _ in range(2):
            heard = bell.next()
            await self.deliver()
            await heard
        self.assertEqual(ends, [])


class Bell:
    """A watcher that a test can wait for."""

    def __init__(self):
        self._waiting = []

    def ring(self):
        """The callback."""
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def next(self):
        """-> a Deferred that fires with the next call"""
        deferred = Deferred()
        self._waiting.append(deferred)
        return deferred


class FlagsContract(StoreFixture):
    """``IMailbox.set_flags``; RFC 3501, section 6.4.6."""

    async def test_flags_are_replaced_added_and_removed(self):
        await self.append(message("1"), message("2"), flags=frozenset(["\\Draft"]))
        inbox = await self.open()
        changes = await inbox.set_flags([1, 2], FlagChange.ADD, SEEN | {"$Work"})
        self.assertEqual(
            flags_of(changes),
            {uid: {"\\Draft", "\\Seen", "$Work"} for uid in (1, 2)},
        )
        changes = await inbox.set_flags([2], FlagChange.REMOVE, SEEN | DELETED)
        self.assertEqual(flags_of(changes), {2: {"\\Draft", "$Work"}})
        changes = await inbox.set_flags([1], FlagChange.REPLACE, DELETED)
        self.assertEqual(flags_of(changes), {1: {"\\Deleted"}})
        changes = await inbox.changes(0)
        self.assertEqual(flags_of(changes), {1: {"\\Deleted"}, 2: {"\\Draft", "$Work"}})

    async def test_all_that_were_named_come_back_even_unchanged(self):
        await self.append(message("1"), message("2"))
        inbox = await self.open()
        await inbox.set_flags([1], FlagChange.ADD, SEEN)
        changes = await inbox.set_flags([1, 2], FlagChange.ADD, SEEN)
        self.assertEqual(flags_of(changes), {1: SEEN, 2: SEEN})
        self.assertEqual(changes.modseq, (await inbox.status()).modseq)

    async def test_messages_that_have_gone_are_left_out(self):
        await self.append(message("1"), message("2"), message("3"))
        inbox = await self.open()
        await inbox.expunge([2], deleted_only=False)
        changes = await inbox.set_flags([2, 3, 9], FlagChange.ADD, SEEN)
        self.assertEqual(flags_of(changes), {3: SEEN})
        changes = await inbox.set_flags([], FlagChange.ADD, SEEN)
        self.assertEqual(uids_of(changes), [])

    async def test_keywords_compare_without_case_and_keep_their_first_spelling(self):
        await self.append(message("1"), message("2"), flags=frozenset(["$Junk"]))
        inbox = await self.open()
        changes = await inbox.set_flags([1], FlagChange.ADD, frozenset(["$JUNK"]))
        self.assertEqual(flags_of(changes), {1: {"$Junk"}})
        changes = await inbox.set_flags([1], FlagChange.REMOVE, frozenset(["$junk"]))
        self.assertEqual(flags_of(changes), {1: set()})
        await self.append(message("3"), flags=frozenset(["$jUNK"]))
        changes = await inbox.changes(0)
        self.assertEqual(flags_of(changes), {1: set(), 2: {"$Junk"}, 3: {"$Junk"}})

    async def test_a_mailbox_takes_its_limit_of_keywords_and_no_more(self):
        await self.append(message("1"), message("2"))
        inbox = await self.open()
        many = frozenset(f"word{number}" for number in range(MAX_KEYWORDS))
        await inbox.set_flags([1], FlagChange.ADD, many)
        more = frozenset(["another"])
        await fails(LimitReached, inbox.set_flags([2], FlagChange.ADD, more))
        self.assertEqual(flags_of(await inbox.changes(0)), {1: many, 2: set()})
        await inbox.set_flags([2], FlagChange.ADD, many)
        await inbox.set_flags([2], FlagChange.REMOVE, more)
        self.assertEqual(flags_of(await inbox.changes(0)), {1: many, 2: many})


class MovingContract(StoreFixture):
    """``IMailbox.copy``, ``move`` and ``expunge``."""

    async def test_a_copy_keeps_octets_flags_and_date(self):
        flags = SEEN | {"$Work"}
        await self.append(message("1"), message("2"), message("3"), flags=flags, date=7)
        await self.append(message("0"), name="Sent")
        inbox = await self.open()
        copied = await inbox.copy([1, 3, 99], "Sent")
        sent = await self.open("Sent")
        self.assertEqual(copied, Copied(sent.uidvalidity, [1, 3], [2, 3]))
        self.assertEqual(await self.subjects("Sent"), ["0", "1", "3"])
        self.assertEqual(await self.subjects(), ["1", "2", "3"])
        entries = (await sent.changes(0)).entries
        self.assertEqual(entries.flags[1:], [flags, flags])
        self.assertEqual((await sent.status()).unseen, 1)
        self.assertEqual((await sent.status()).size, 3 * len(message("1")))

    async def test_a_copy_into_its_own_mailbox_doubles_it(self):
        await self.append(message("1"), message("2"))
        inbox = await self.open()
        copied = await inbox.copy([1, 2], "INBOX")
        self.assertEqual(copied, Copied(inbox.uidvalidity, [1, 2], [3, 4]))
        self.assertEqual(await self.subjects(), ["1", "2", "1", "2"])

    async def test_a_copy_lives_on_when_its_source_goes(self):
        data = message(body="x" * 200_000)
        await self.append(data)
        inbox = await self.open()
        await inbox.copy([1], "Sent")
        await inbox.expunge([1], deleted_only=False)
        self.assertEqual(await self.contents("Sent"), [data])

    async def test_a_move_is_gone_here_and_there_at_once(self):
        flags = frozenset(["\\Flagged"])
        await self.append(message("1"), message("2"), message("3"), flags=flags, date=7)
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        moved = await inbox.move([1, 3, 50], "Archive")
        archive = await self.open("Archive")
        self.assertEqual(moved, Copied(archive.uidvalidity, [1, 3], [1, 2]))
        self.assertEqual(await self.subjects(), ["2"])
        self.assertEqual(await self.subjects("Archive"), ["1", "3"])
        self.assertEqual((await archive.changes(0)).entries.flags, [flags, flags])
        self.assertEqual((await inbox.changes(known)).vanished, [1, 3])
        self.assertEqual((await inbox.status()).size, len(message("1")))

    async def test_a_move_into_its_own_mailbox_gives_new_uids(self):
        await self.append(message("1"), message("2"))
        inbox = await self.open()
        moved = await inbox.move([1], "INBOX")
        self.assertEqual(moved, Copied(inbox.uidvalidity, [1], [3]))
        self.assertEqual(await self.subjects(), ["2", "1"])
        self.assertEqual((await inbox.status()).messages, 2)

    async def test_nothing_to_copy_or_move_is_no_change(self):
        await self.deliver()
        inbox = await self.open()
        for work in (inbox.copy([], "Sent"), inbox.move([7], "Sent")):
            done = await work
            self.assertEqual((done.uids, done.new_uids), ([], []))
        self.assertEqual(await self.contents(), [message()])
        self.assertEqual(await self.contents("Sent"), [])

    async def test_an_expunge_takes_what_is_marked_and_named(self):
        await self.append(*[message(str(number)) for number in range(1, 6)])
        inbox = await self.open()
        await inbox.set_flags([2, 3, 5], FlagChange.ADD, DELETED)
        self.assertEqual(await inbox.expunge([1, 2, 3, 9]), [2, 3])
        self.assertEqual(uids_of(await inbox.changes(0)), [1, 4, 5])
        self.assertEqual(await inbox.expunge([4], deleted_only=False), [4])
        self.assertEqual(await inbox.expunge([4], deleted_only=False), [])
        self.assertEqual(await inbox.expunge([]), [])
        self.assertEqual(await self.subjects(), ["1", "5"])

    async def test_a_uid_never_comes_back(self):
        """Not even when the newest message of all has gone."""
        await self.append(message("1"), message("2"))
        inbox = await self.open()
        await inbox.expunge([1, 2], deleted_only=False)
        self.assertEqual((await inbox.status()).uidnext, 3)
        self.assertEqual((await self.append(message("3"))).new_uids, [3])
        await inbox.move([3], "Sent")
        await self.deliver()
        self.assertEqual(uids_of(await inbox.changes(0)), [4])

    async def test_a_mailbox_open_for_reading_is_never_changed(self):
        await self.append(message("1"), flags=DELETED)
        inbox = await self.open(read_only=True)
        self.assertTrue(inbox.read_only)
        self.assertFalse((await self.open()).read_only)
        for work in (
            inbox.set_flags([1], FlagChange.ADD, SEEN),
            inbox.expunge([1]),
            inbox.move([1], "Sent"),
        ):
            await fails(ReadOnlyMailbox, work)
        self.assertEqual((await inbox.copy([1], "Sent")).new_uids, [1])
        self.assertEqual(flags_of(await inbox.changes(0)), {1: DELETED})


class MailboxContract(ChangesContract, FlagsContract, MovingContract):
    """:class:`mailhub.interfaces.IMailbox`, but for content and search."""
