"""Tests for :mod:`mailhub.store.sqlite.outline`: all is known without reading all."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import NoSuchMailbox
from mailhub.mail.flags import DELETED, NO_FLAGS, SEEN, FlagChange
from mailhub.powers import IOutlinedMailbox
from mailhub.store.sqlite import outline

from ..contracts.fixture import fails, message, uids_of
from .sqlite_fixture import SQLiteFixture, database_of

SEEN_ONLY = frozenset((SEEN,))
TODO = frozenset((SEEN, "todo"))


class OutlineTests(SQLiteFixture, TestCase):
    """:class:`mailhub.powers.IOutlinedMailbox`."""

    async def fill(self, count):
        await self.append(*[message(str(number)) for number in range(count)])
        return await self.open()

    async def uids(self, inbox):
        ranges = (await inbox.outline()).ranges
        return [uid for first, last in ranges for uid in range(first, last + 1)]

    def forget_what_has_gone(self):
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            connection.execute("delete from vanished")
            connection.commit()

    async def test_an_empty_mailbox_has_no_ranges(self):
        found = await (await self.open()).outline()
        self.assertEqual(found.ranges, ())
        self.assertIsNone(found.first_unseen)
        self.assertEqual(found.keywords, NO_FLAGS)

    async def test_it_is_provided(self):
        self.assertTrue(IOutlinedMailbox.providedBy(await self.open()))

    async def test_a_mailbox_that_lost_nothing_is_one_range(self):
        found = await (await self.fill(5)).outline()
        self.assertEqual(found.ranges, ((1, 5),))

    async def test_messages_that_have_gone_leave_gaps(self):
        inbox = await self.fill(9)
        for gone in [1, 2], [5], [4], [8, 9]:
            await inbox.expunge(gone, deleted_only=False)
        found = await inbox.outline()
        self.assertEqual(found.ranges, ((3, 3), (6, 7)))
        self.assertEqual(found.modseq, (await inbox.changes(0)).modseq)
        await self.append(message("10"))
        self.assertEqual((await inbox.outline()).ranges, ((3, 3), (6, 7), (10, 10)))
        await inbox.move([3, 6], "Sent")
        self.assertEqual(await self.uids(inbox), uids_of(await inbox.changes(0)))

    async def test_where_more_has_gone_than_is_left_the_messages_are_read(self):
        inbox = await self.fill(9)
        for gone in 2, 4, 6, 9:
            await inbox.expunge([gone], deleted_only=False)
        for few in -9, -1, 0:
            self.patch(outline, "_FEW", few)
            self.assertEqual(await self.uids(inbox), [1, 3, 5, 7, 8])

    async def test_where_it_is_not_kept_what_has_gone_the_messages_are_read(self):
        inbox = await self.fill(500)
        gone = [*range(100, 300, 7), 500]
        await inbox.expunge(gone, deleted_only=False)
        self.forget_what_has_gone()
        left = [uid for uid in range(1, 501) if uid not in gone]
        self.assertEqual(await self.uids(inbox), left)
        await inbox.expunge(left, deleted_only=False)
        self.assertEqual(await self.uids(inbox), [])

    async def test_keywords_that_messages_carry_are_among_those_told(self):
        inbox = await self.fill(2)
        await inbox.set_flags([2], FlagChange.REPLACE, TODO)
        self.assertIn("todo", (await inbox.outline()).keywords)

    async def test_the_first_unseen_message_is_found_from_both_ends(self):
        inbox = await self.fill(8)
        await inbox.set_flags([1, 2, 3, 7], FlagChange.ADD, SEEN_ONLY)
        for within, first in (4, 4), (3, None), (5, 4), (8, 4):
            # From the end, UID 4 is the fifth.
            self.patch(outline, "_UNSEEN_WITHIN", within)
            self.assertEqual((await inbox.outline()).first_unseen, first, within)
        await inbox.set_flags([4, 5], FlagChange.ADD, SEEN_ONLY)
        for within, first in (2, None), (3, 6), (8, 6):
            self.patch(outline, "_UNSEEN_WITHIN", within)
            self.assertEqual((await inbox.outline()).first_unseen, first, within)
        await inbox.set_flags([6, 8], FlagChange.ADD, SEEN_ONLY)
        self.assertIsNone((await inbox.outline()).first_unseen)

    async def test_flags_are_what_most_have_and_the_others(self):
        inbox = await self.fill(6)
        await inbox.set_flags([3], FlagChange.REPLACE, TODO)
        await inbox.set_flags([5, 6], FlagChange.REPLACE, frozenset((DELETED,)))
        for first, last in (0, 255), (1, 6), (2, 4), (3, 3), (5, 5), (7, 99):
            usual, others = await inbox.flags_between(first, last)
            known = dict(others)
            entries = (await inbox.changes(0)).entries
            for uid, flags in zip(entries.uids, entries.flags, strict=True):
                if first <= uid <= last:
                    self.assertEqual(known.get(uid, usual), flags, (first, last, uid))
                else:
                    self.assertNotIn(uid, known)

    async def test_a_deleted_mailbox_has_neither(self):
        account = await self.account()
        await account.create("Old")
        old = await account.open("Old")
        await account.delete("Old")
        await fails(NoSuchMailbox, old.outline())
        await fails(NoSuchMailbox, old.flags_between(1, 9))


class WhatIsLeft(SynchronousTestCase):
    """All UIDs without some."""

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(1, 40),
        st.lists(st.tuples(st.integers(1, 39), st.integers(0, 5)), max_size=8),
    )
    def test_it_is_what_a_set_would_say(self, uidnext, spans):
        gone = sorted(
            (first, min(first + more, uidnext - 1))
            for first, more in spans if first < uidnext
        )
        left = set(range(1, uidnext))
        for first, last in gone:
            left -= set(range(first, last + 1))
        ranges = outline._without(uidnext, gone)
        found = [uid for first, last in ranges for uid in range(first, last + 1)]
        self.assertEqual(found, sorted(left))
