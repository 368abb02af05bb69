"""Tests for messages in the database: ranges, flags as numbers, history.

What they do together is compared with the memory store, which does it plainly.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import LimitReached
from mailhub.mail.flags import FlagChange
from mailhub.mail.mailbox import Column
from mailhub.store.content import BytesContent
from mailhub.store.memory import MemoryStore
from mailhub.store.sqlite import flagbits, history, messages
from mailhub.store.sqlite.messages import ranges_of

from ..contracts.fixture import SENT_AT, fails, flags_of, message, uids_of
from .sqlite_fixture import SQLiteFixture

SEEN = frozenset(["\\Seen"])


class RangesTests(SynchronousTestCase):
    """``ranges_of``: few ranges that hold what is chosen, and nothing else."""

    def test_ranges_span_what_is_not_there(self):
        for chosen, present, ranges in (
            ([], [], []),
            ([], [1, 2], []),
            ([5], [5], [(5, 5)]),
            ([1, 2, 9], [1, 2, 9], [(1, 9)]),
            ([1, 2, 9], [1, 2, 5, 9], [(1, 2), (9, 9)]),
            ([2, 9], [1, 2, 9, 10], [(2, 9)]),
            ([1, 10], [1, 5, 10], [(1, 1), (10, 10)]),
            ([1, 2, 9], None, [(1, 2), (9, 9)]),
            ([4], None, [(4, 4)]),
        ):
            self.assertEqual((chosen, ranges_of(chosen, present)), (chosen, ranges))

    @given(st.sets(st.integers(1, 60)), st.data())
    @settings(max_examples=200, deadline=None)
    def test_every_range_holds_only_what_is_chosen(self, present, data):
        chosen = data.draw(st.sets(st.sampled_from(sorted(present) or [0])))
        chosen &= present
        for known in (sorted(present), None):
            ranges = ranges_of(sorted(chosen), known)
            held = [uid for first, last in ranges for uid in range(first, last + 1)]
            self.assertEqual(held, sorted(set(held)))
            self.assertEqual(set(held) & present, chosen)


class FlagLimitTests(SQLiteFixture, TestCase):
    """Distinct keyword sets of an account have their limit."""

    async def test_the_limit_can_be_reached_and_not_passed(self):
        self.patch(flagbits, "MAX_KEYWORD_SETS", 3)
        for number in range(3):
            await self.append(message(), flags=frozenset([f"word{number}"]))
        await fails(LimitReached, self.append(message(), flags=frozenset(["more"])))
        inbox = await self.open()
        more = frozenset(["more"])
        await fails(LimitReached, inbox.set_flags([1, 2], FlagChange.ADD, more))
        await self.append(message(), flags=frozenset(["word1", "\\Seen"]))
        self.assertEqual(uids_of(await inbox.changes(0)), [1, 2, 3, 4])

    async def test_sets_that_nothing_carries_any_more_make_room(self):
        self.patch(flagbits, "MAX_KEYWORD_SETS", 3)
        await self.append(message(), message())
        inbox = await self.open()
        for number in range(20):
            words = frozenset([f"word{number}"])
            await inbox.set_flags([1], FlagChange.REPLACE, words)
            self.assertEqual(flags_of(await inbox.changes(0))[1], words)
        await inbox.expunge([1], deleted_only=False)
        sets = [frozenset(["a"]), frozenset(["b"]), frozenset(["a", "b"])]
        new = [(BytesContent(message()), flags, SENT_AT) for flags in sets]
        await (await self.account()).append("INBOX", new)
        self.assertEqual((await inbox.changes(0)).entries.flags[1:], sets)

    async def test_what_was_read_is_forgotten_when_it_becomes_too_much(self):
        self.patch(flagbits, "_REMEMBERED", 40)
        sets = [frozenset([f"word{number}"]) for number in range(60)]
        new = [(BytesContent(message()), flags, SENT_AT) for flags in sets]
        await (await self.account()).append("INBOX", new)
        inbox = await self.open()
        for uid in range(1, 61):
            await inbox.set_flags([uid], FlagChange.ADD, SEEN)
        entries = (await inbox.changes(0)).entries
        self.assertEqual(entries.flags, [flags | SEEN for flags in sets])

    async def test_many_different_flags_change_at_once(self):
        sets = [frozenset([f"word{number % 30}"]) for number in range(100)]
        new = [(BytesContent(message()), flags, SENT_AT) for flags in sets]
        await (await self.account()).append("INBOX", new)
        inbox = await self.open()
        changes = await inbox.set_flags(range(1, 101), FlagChange.ADD, SEEN)
        self.assertEqual(changes.entries.flags, [flags | SEEN for flags in sets])
        self.assertEqual((await inbox.changes(0)).entries.flags, changes.entries.flags)
        self.assertEqual((await inbox.status()).unseen, 0)


class HistoryTests(SQLiteFixture, TestCase):
    """``changes(since)`` is right from however long ago one asks."""

    async def test_more_changes_than_are_remembered(self):
        await self.append(*[message() for _ in range(10)])
        inbox = await self.open()
        known = [(await inbox.changes(0)).modseq]
        for number in range(history.RING + 10):
            change = FlagChange.ADD if number % 2 else FlagChange.REPLACE
            flags = frozenset([f"w{number % 3}"])
            await inbox.set_flags([number % 7 + 1], change, flags)
            known.append((await inbox.status()).modseq)
        now = flags_of(await inbox.changes(0))
        entries = (await inbox.changes(0)).entries
        modseqs = dict(zip(entries.uids, entries.modseqs, strict=True))
        for since in known:
            expected = {uid: now[uid] for uid in now if modseqs[uid] > since}
            found = flags_of(await inbox.changes(since))
            self.assertEqual((since, found), (since, expected))

    async def test_the_ring_is_full_at_its_size_and_not_before(self):
        await self.append(message())
        inbox = await self.open()
        start = (await inbox.status()).modseq
        for number in range(history.RING + 1):
            await inbox.set_flags([1], FlagChange.REPLACE, frozenset([f"w{number}"]))
            changes = await inbox.changes(start)
            self.assertEqual(flags_of(changes), {1: {f"w{number}"}})

    async def test_many_new_messages_are_found_from_the_end(self):
        self.patch(history, "_STEP", 3)
        await self.append(*[message() for _ in range(5)])
        inbox = await self.open()
        for number in (1, 2, 3, 4, 7):
            known = (await inbox.status()).modseq
            new = (await self.append(*[message() for _ in range(number)])).new_uids
            self.assertEqual(uids_of(await inbox.changes(known)), new)


class SameAsMemoryTests(SQLiteFixture, TestCase):
    """Whatever is done, in whatever order, both stores tell the same."""

    async def test_a_long_story_reads_the_same(self):
        for seed in range(6):
            await self.tell(random.Random(seed))

    async def tell(self, choose):
        stores = [MemoryStore(), await self.another()]
        accounts = []
        for store in stores:
            address = f"{choose.random()}@example.org"
            if store is stores[1]:
                address = f"sql{choose.random()}@example.org"
            await store.directory.add_account(address, "")
            accounts.append(await store.open_account(address))
        known = {name: [[0, 0]] for name in ("INBOX", "Sent")}
        for _ in range(60):
            name, other = choose.sample(["INBOX", "Sent"], 2)
            steps = await self.step(choose, accounts, name, other)
            self.assertEqual(steps[0], steps[1])
            for each in known:
                await self.compare(accounts, each, known[each], choose)

    async def step(self, choose, accounts, name, other):
        """Do one random thing with both.  -> what came back"""
        boxes = [await account.open(name) for account in accounts]
        uids = uids_of(await boxes[0].changes(0))
        share = choose.choice((0.1, 0.5, 1.0))
        some = [uid for uid in uids if choose.random() < share]
        words = [choose.choice(("$A", "$a")), choose.choice(("$b", "$B")), "c"]
        flags = frozenset(choose.sample(["\\Seen", "\\Deleted", *words], 2))
        how = choose.choice(list(FlagChange))
        number = choose.randrange(4)
        kind = choose.randrange(7)
        answers = []
        for account, box in zip(accounts, boxes, strict=True):
            match kind:
                case 0 | 1:
                    new = [(BytesContent(message()), flags, 1)] * number
                    answers.append((await account.append(name, new)).new_uids)
                case 2 | 3:
                    answers.append(folded(await box.set_flags(some, how, flags)))
                case 4:
                    copied = await box.copy(some, other)
                    answers.append((copied.uids, copied.new_uids))
                case 5:
                    moved = await box.move(some, other)
                    answers.append((moved.uids, moved.new_uids))
                case 6:
                    answers.append(await box.expunge(some, choose_deleted(share)))
        return answers

    async def compare(self, accounts, name, known, choose):
        told = []
        boxes = [await account.open(name) for account in accounts]
        pair = choose.choice(known)
        for box, since in zip(boxes, pair, strict=True):
            status = await box.status()
            changes = await box.changes(since)
            rows = await box.fetch(uids_of(changes), (Column.SIZE,))
            counters = (
                status.uidnext, status.messages, status.unseen, status.recent,
                status.size,
            )
            told.append((counters, folded(changes), changes.vanished, rows))
        self.assertEqual(told[0], told[1])
        known.append([(await box.status()).modseq for box in boxes])


def folded(changes):
    """Flags by UID, in lower case: which spelling is first may differ."""
    return {
        uid: {flag.lower() for flag in flags}
        for uid, flags in flags_of(changes).items()
    }


def choose_deleted(share):
    """Whether to expunge only what is marked."""
    return share < 1.0


class SelectionTests(SQLiteFixture, TestCase):
    """Lists and ranges of UIDs find the same rows."""

    async def test_dense_and_sparse_choices_find_the_same(self):
        await self.append(*[message() for _ in range(60)])
        inbox = await self.open()
        await inbox.expunge(range(5, 60, 7), deleted_only=False)
        present = uids_of(await inbox.changes(0))
        with self.store._opened.reading() as connection:
            for chosen in ([1], [1, 60], list(range(1, 61)), [2, 4, 30], [5], [99]):
                for dense in (0, 4, 1000):
                    self.patch(messages, "_DENSE", dense)
                    rows, _ = messages.select(connection, "uid", inbox._key, chosen)
                    self.assertEqual(
                        [uid for (uid,) in rows], sorted(set(chosen) & set(present))
                    )
