"""Tests for :mod:`mailhub.store.sqlite.search`: turns, bounds, large messages."""

from __future__ import annotations

import os
from datetime import date

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.mail.query import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    InternalDate,
    Larger,
    Not,
    Or,
    SentDate,
    Text,
    UidSet,
    When,
)
from mailhub.store.sqlite import search
from mailhub.store.sqlite.search import Joined

from ..contracts.fixture import message
from .sqlite_fixture import SQLiteFixture, blob_files, write_file


class BoundsTests(SynchronousTestCase):
    """UIDs that cannot match are not looked at."""

    def test_bounds_are_those_of_uid_sets_that_must_hold(self):
        everything = (1, 2**32 - 1)
        low, high = UidSet(((5, 6), (8, 20))), UidSet(((7, 30),))
        for query, bounds in (
            (All(), everything),
            (low, (5, 20)),
            (And((low, Text("x"))), (5, 20)),
            (And((low, high)), (7, 20)),
            (And((All(), And((low, Not(high))))), (5, 20)),
            (Or((low, high)), everything),
            (Not(low), everything),
            (And(()), everything),
            (UidSet(((9, 2**70),)), (9, 2**32 - 1)),
            (UidSet(()), (1, 0)),
        ):
            self.assertEqual((query, search._bounds(query)), (query, bounds))

    def test_a_prefix_and_a_file_are_sliced_as_one(self):
        path = self.mktemp()
        write_file(path, b"456789")
        with open(path, "rb") as file:
            joined = Joined(b"0123", file.fileno(), 6)
            self.assertEqual(len(joined), 10)
            for start in range(12):
                for stop in range(12):
                    self.assertEqual(joined[start:stop], b"0123456789"[start:stop])
            self.assertEqual((joined[:], joined[-3:]), (b"0123456789", b"789"))


class SearchTests(SQLiteFixture, TestCase):
    """What the contract does not say: how it gets there."""

    async def find(self, query):
        return await (await self.open()).search(query)

    async def test_pages_do_not_show(self):
        self.patch(search, "_PAGE", 3)
        search._statement.cache_clear()
        self.addCleanup(search._statement.cache_clear)
        bodies = ["apple" if number % 2 else "pear" for number in range(10)]
        await self.append(*[message(str(n), body) for n, body in enumerate(bodies)])
        odd = [2, 4, 6, 8, 10]
        for query, uids in (
            (All(), list(range(1, 11))),
            (Body("apple"), odd),
            (And((Body("apple"), Not(Header("Subject", "3")))), [2, 6, 8, 10]),
            (And((UidSet(((3, 9),)), Text("apple"))), [4, 6, 8]),
            (SentDate(When.ON, date(2026, 11, 21)), list(range(1, 11))),
            (
                Or((HasFlag("\\Seen"), Header("Subject", "4"), Body("apple"))),
                sorted([*odd, 5]),
            ),
            (And((InternalDate(When.SINCE, date(2026, 1, 1)), Larger(10**6))), []),
        ):
            self.assertEqual((query, await self.find(query)), (query, uids))

    async def test_others_get_their_turn(self):
        """An expensive search holds up nobody."""
        self.patch(search, "SLICE", -1.0)
        await self.append(*[message(str(number)) for number in range(5)])
        turns = []
        real = search.deferLater

        def wait(clock, delay):
            turns.append(delay)
            return real(clock, delay)

        self.patch(search, "deferLater", wait)
        self.assertEqual(await self.find(Body("Hi")), [1, 2, 3, 4, 5])
        self.assertEqual(turns, [0] * 5)
        turns.clear()
        self.assertEqual(await self.find(Header("Subject", "3")), [4])
        self.assertEqual(turns, [0])

    async def test_a_search_that_nobody_waits_for_any_more_ends(self):
        self.patch(search, "SLICE", -1.0)
        await self.append(*[message(str(number)) for number in range(5)])
        looked = []
        real = search._content_matches
        self.patch(
            search,
            "_content_matches",
            lambda *arguments: looked.append(1) or real(*arguments),
        )
        work = Deferred.fromCoroutine(self.find(Body("Hi")))
        outcome = work.addErrback(lambda failure: failure.check(CancelledError))
        work.cancel()
        self.assertIs(await outcome, CancelledError)
        self.assertLess(len(looked), 5)

    async def test_a_large_message_behind_its_prefix_is_searched_to_its_end(self):
        large = message(body="line\r\n" * 20_000 + "needle\r\n")
        await self.deliver(large, prefix=b"X-Trace: straw\r\n")
        await self.append(large)
        for query, uids in (
            (Body("needle"), [1, 2]),
            (Text("straw"), [1]),
            (Body("straw"), []),
        ):
            self.assertEqual((query, await self.find(query)), (query, uids))

    async def test_a_message_that_is_removed_meanwhile_matches_nothing(self):
        await self.append(message(body="needle\r\n" * 20_000), message(body="needle"))
        [name] = blob_files(self.path)
        os.unlink(f"{self.path}/blobs/{name[:2]}/{name}")
        self.assertEqual(await self.find(Body("needle")), [2])
