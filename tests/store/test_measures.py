"""What the SQLite store tells about its own work."""

from __future__ import annotations

import sqlite3
import time

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailhub.errors import LocalFault, OverQuota
from mailhub.interfaces import IMeasuredStore
from mailhub.mail.account import Target
from mailhub.store.measures import Measures
from mailhub.store.sqlite import store as sqlite_store
from mailhub.store.sqlite.change import Change

from ..contracts.fixture import BOB, fails
from .sqlite_fixture import make_store
from .test_sqlite_writer import Connection, WriterFixture


class CommitTests(WriterFixture, TestCase):
    """Commits are counted by what they make durable."""

    async def test_deliveries_that_share_a_commit(self) -> None:
        before = self.store.measures.changes.total
        await gatherResults([Deferred.fromCoroutine(self.deliver()) for _ in range(5)])
        measures = self.store.measures
        self.assertEqual(measures.changes.total - before, 5)
        self.assertEqual(measures.changes.counts[3], 1)
        self.assertEqual(measures.seconds.count, measures.changes.count)

    async def test_a_commit_that_fails(self) -> None:
        before = self.store.measures.changes.count
        Connection.failing["commit"] = sqlite3.SQLITE_FULL
        await fails(LocalFault, self.deliver())
        self.assertEqual(self.store.measures.failed, 1)
        self.assertEqual(self.store.measures.changes.count, before)

    async def test_changes_that_were_all_refused_are_no_commit(self) -> None:
        bob = await self.store.directory.add_account(BOB, "", quota=1)
        before = self.store.measures.changes.count
        await fails(OverQuota, self.deliver(targets=(Target(bob.account_id),)))
        self.assertEqual(self.store.measures.changes.count, before)

    async def test_a_commit_with_nothing_to_write_is_no_proof(self) -> None:
        """On a disk that takes nothing, flags that are as they were are "stored"."""
        before = self.store.measures.changes.count
        await self.store._access.change(lambda change: None)
        self.assertEqual(self.store.measures.changes.count, before)

    async def test_a_change_that_the_disk_refuses_is_a_failure(self) -> None:
        def refused(change: Change) -> None:
            raise sqlite3.OperationalError("attempt to write a readonly database")

        await self.deliver()
        measures = self.store.measures
        self.assertTrue(measures.worked_within(60, time.monotonic()))
        await fails(LocalFault, self.store._access.change(refused))
        self.assertFalse(measures.worked_within(60, time.monotonic()))

    async def test_checkpoints_and_the_log(self) -> None:
        await self.deliver()
        self.assertGreater(self.store.log_octets(), 0)
        access = self.store._opened
        await access.change(
            lambda change: setattr(access._writer._upkeep, "written", 1 << 30)
        )
        await self.deliver()
        self.assertGreaterEqual(self.store.measures.checkpoints.count, 1)


class ProbeTests(WriterFixture, TestCase):
    """Whether something can be stored is found out by storing something."""

    def setUp(self):
        self.patch(sqlite_store, "PROOF_SECONDS", -1.0)
        return super().setUp()

    async def test_it_commits(self) -> None:
        before = self.store.measures.changes.count
        await self.store.probe()
        await self.store.probe()
        self.assertEqual(self.store.measures.changes.count, before + 2)

    async def test_a_commit_of_late_is_as_good(self) -> None:
        self.patch(sqlite_store, "PROOF_SECONDS", 60.0)
        await self.deliver()
        before = self.store.measures.changes.count
        await self.store.probe()
        self.assertEqual(self.store.measures.changes.count, before)

    async def test_it_tells_of_a_disk_that_takes_nothing(self) -> None:
        self.patch(sqlite_store, "PROOF_SECONDS", 60.0)
        Connection.failing["commit"] = sqlite3.SQLITE_IOERR
        await fails(LocalFault, self.deliver())
        await fails(LocalFault, self.store.probe())
        Connection.failing.clear()
        await self.store.probe()

    async def test_a_closed_store_takes_nothing(self) -> None:
        await self.store.stop()
        await fails(LocalFault, self.store.probe())

    async def test_it_provides_the_interface(self) -> None:
        self.assertTrue(verifyObject(IMeasuredStore, self.store))
        store = make_store(self.mktemp())
        self.assertTrue(IMeasuredStore.providedBy(store))


class MeasuresTests(SynchronousTestCase):
    """Commits and failures in time."""

    def test_a_failure_after_the_last_commit_counts(self) -> None:
        measures = Measures()
        self.assertFalse(measures.worked_within(10, 100.0))
        measures.committed(1, 99.0, 100.0)
        self.assertTrue(measures.worked_within(10, 110.0))
        self.assertFalse(measures.worked_within(10, 110.1))
        measures.failed_at(101.0)
        self.assertFalse(measures.worked_within(10, 102.0))
