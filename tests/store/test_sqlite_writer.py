"""Tests for :mod:`mailhub.store.sqlite.writer`: groups, and what can go wrong."""

from __future__ import annotations

import sqlite3
import threading

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailhub.errors import LocalFault, OverQuota, StorageFull
from mailhub.mail.account import Target
from mailhub.store.sqlite import access, schema, upkeep, writer

from ..contracts.fixture import BOB, fails, message
from .sqlite_fixture import SQLiteFixture, database_of


class Connection(sqlite3.Connection):
    """A connection that counts statements, and fails when it is told to.

    :cvar failing: statements that fail from now on, and with which code.
    """

    performed: list[str] = []
    failing: dict[str, int] = {}

    def execute(self, statement, *values):
        Connection.performed.append(statement)
        code = Connection.failing.get(statement)
        if code is not None:
            error = sqlite3.OperationalError(f"injected {code}")
            error.sqlite_errorcode = code
            raise error
        return super().execute(statement, *values)


class WriterFixture(SQLiteFixture):
    """A store whose writer has a :class:`Connection`."""

    async def setUp(self):
        Connection.performed = []
        Connection.failing = {}
        self.patch(access.schema, "connect", self.connect)
        self.groups = []
        real = writer.Writer._commit

        def commit(self_, group):
            self.groups.append(len(group))
            return real(self_, group)

        self.patch(writer.Writer, "_commit", commit)
        await super().setUp()

    def connect(self, path, create=False):
        def make(*values, **options):
            return real(*values, factory=Connection, **options)

        real = sqlite3.connect
        sqlite3.connect = make
        try:
            return self.real_connect(path, create)
        finally:
            sqlite3.connect = real

    real_connect = staticmethod(schema.connect)

    async def hold_the_writer(self):
        """Keep the writer busy.  -> what lets it go on, and when it has"""
        gate, entered = threading.Event(), Deferred()

        def hold(change):
            reactor.callFromThread(entered.callback, None)
            gate.wait()

        held = self.store._opened.change(hold)
        await entered
        return gate.set, held.addErrback(lambda failure: None)

    async def in_one_group(self, *works):
        """Perform coroutines whose changes wait for the writer together.

        -> for each, ``None`` or the class of what it raised
        """
        go_on, held = await self.hold_the_writer()
        self.groups.clear()
        outcomes = [
            Deferred.fromCoroutine(work).addErrback(lambda failure: failure.type)
            for work in works
        ]
        await deferLater(reactor, 0)
        go_on()
        await held
        return await gatherResults(outcomes)


class GroupTests(WriterFixture, TestCase):
    """What waits is committed together; what fails, fails alone."""

    async def test_fifty_deliveries_take_one_commit(self):
        outcomes = await self.in_one_group(
            *[self.deliver(message(str(number))) for number in range(50)]
        )
        self.assertEqual(outcomes, [None] * 50)
        self.assertEqual(self.groups, [50])

    async def test_what_one_turn_of_the_reactor_brings_is_one_commit(self):
        self.groups.clear()
        await gatherResults(
            [Deferred.fromCoroutine(self.deliver()) for _ in range(30)]
        )
        self.assertEqual(self.groups, [30])

    async def test_turns_that_each_bring_more_are_waited_for_up_to_a_limit(self):
        handed = []
        real = writer.Writer._hand_over

        def hand_over(self_):
            handed.append(len(self_._gathered))
            real(self_)

        self.patch(writer.Writer, "_hand_over", hand_over)
        for turns, first in ((4, 4), (writer.MAX_TURNS + 5, writer.MAX_TURNS + 1)):
            handed.clear()
            deliveries = []
            for _ in range(turns):
                deliveries.append(Deferred.fromCoroutine(self.deliver()))
                await deferLater(reactor, 0)
            await gatherResults(deliveries)
            self.assertEqual(handed[0], first)
            self.assertEqual(sum(handed), turns)

    async def test_a_group_has_its_limit_and_the_rest_comes_next(self):
        self.patch(writer, "MAX_GROUP", 10)
        for number, groups in ((10, [10]), (11, [10, 1]), (21, [10, 10, 1])):
            await self.in_one_group(*[self.deliver() for _ in range(number)])
            self.assertEqual(self.groups, groups)

    async def test_a_change_that_is_refused_fails_alone(self):
        bob = await self.store.directory.add_account(BOB, "", quota=10)
        outcomes = await self.in_one_group(
            self.deliver(message("one")),
            self.deliver(message("two"), targets=(Target(bob.account_id),)),
            self.deliver(message("three")),
        )
        self.assertEqual(outcomes, [None, OverQuota, None])
        self.assertEqual(self.groups, [3])
        self.assertEqual(await self.subjects(), ["one", "three"])

    async def test_a_change_with_a_bug_fails_alone_and_is_undone(self):
        async def broken():
            def make(change):
                change.connection.execute("insert into domain values ('broken')")
                raise ZeroDivisionError

            await self.store._opened.change(make)

        async def wrong():
            await self.store._opened.change(
                lambda change: change.connection.execute("no such statement")
            )

        outcomes = await self.in_one_group(self.deliver(), broken(), wrong())
        self.assertEqual(outcomes, [None, ZeroDivisionError, LocalFault])
        self.assertEqual(await self.store.directory.domains(), ["example.org"])
        self.assertEqual(len(await self.contents()), 1)

    async def test_a_change_nobody_waits_for_any_more_harms_nobody(self):
        go_on, held = await self.hold_the_writer()
        given_up = Deferred.fromCoroutine(self.deliver(message("given up")))
        kept = Deferred.fromCoroutine(self.deliver(message("kept")))
        given_up.addErrback(lambda failure: None).cancel()
        await deferLater(reactor, 0)
        go_on()
        await held
        await kept
        self.assertIn("kept", await self.subjects())

    async def test_watchers_hear_of_a_group_once(self):
        calls = []
        (await self.open()).watch(lambda: calls.append(1))
        await self.in_one_group(*[self.deliver() for _ in range(20)])
        self.assertEqual(len(calls), 1)


class FaultTests(WriterFixture, TestCase):
    """A fault of ours is temporary, and nothing half done stays."""

    async def test_a_commit_that_fails_fails_all_of_it(self):
        Connection.failing["commit"] = sqlite3.SQLITE_IOERR
        calls = []
        (await self.open()).watch(lambda: calls.append(1))
        outcomes = await self.in_one_group(*[self.deliver() for _ in range(5)])
        self.assertEqual(outcomes, [LocalFault] * 5)
        Connection.failing.clear()
        self.assertEqual(await self.contents(), [])
        self.assertEqual(calls, [])
        await self.deliver()
        status = await (await self.open()).status()
        self.assertEqual((status.messages, status.uidnext), (1, 2))

    async def test_after_a_failed_commit_other_descriptors_are_used(self):
        before = self.store._opened._writer._connection
        Connection.failing["commit"] = sqlite3.SQLITE_IOERR
        await fails(LocalFault, self.deliver())
        Connection.failing.clear()
        await self.deliver()
        after = self.store._opened._writer._connection
        self.assertIsNot(after, before)
        with self.assertRaises(sqlite3.ProgrammingError):
            before.total_changes  # noqa: B018

    async def test_after_a_failed_checkpoint_other_descriptors_are_used(self):
        """What it could not flush, the kernel has dropped."""
        before = self.store._opened._writer._connection
        self.patch(upkeep, "_LONG_LOG", 0)
        Connection.failing["pragma wal_checkpoint(passive)"] = sqlite3.SQLITE_IOERR
        await self.deliver()
        # Behind the checkpoint that the first one brought.
        await self.deliver()
        self.assertIsNot(self.store._opened._writer._connection, before)

    async def test_a_full_disk_is_told_apart_and_is_temporary(self):
        for statement in ("commit", "insert into header values (?, ?, ?)"):
            Connection.failing = {statement: sqlite3.SQLITE_FULL}
            error = await fails(StorageFull, self.deliver())
            self.assertFalse(error.permanent)
        Connection.failing = {}
        await self.deliver()
        self.assertEqual(len(await self.contents()), 1)

    async def test_a_database_that_may_not_grow_refuses_and_goes_on_when_it_may(self):
        connection = self.store._opened._writer._connection
        [[pages]] = connection.execute("pragma page_count").fetchall()
        connection.execute(f"pragma max_page_count={pages}")
        data = message(body="x" * 60_000)
        await fails(StorageFull, self.deliver(data))
        await (await self.account()).subscribe("small")
        self.assertEqual(await self.contents(), [])
        connection.execute("pragma max_page_count=1000000")
        await self.deliver(data)
        self.assertEqual(await self.contents(), [data])

    async def test_a_store_that_another_process_holds_is_a_temporary_fault(self):
        self.patch(writer, "BUSY_SECONDS", 0.01)
        other = sqlite3.connect(database_of(self.path), isolation_level=None)
        self.addCleanup(other.close)
        other.execute("begin immediate")
        await fails(LocalFault, self.deliver())
        self.assertEqual((await (await self.open()).status()).messages, 0)
        other.execute("rollback")
        await self.deliver()
        self.assertEqual((await (await self.open()).status()).messages, 1)

    async def test_waiting_for_another_process_ends_when_it_is_done(self):
        other = sqlite3.connect(
            database_of(self.path), isolation_level=None, check_same_thread=False
        )
        self.addCleanup(other.close)
        other.execute("begin immediate")
        work = Deferred.fromCoroutine(self.deliver())
        threading.Timer(0.02, lambda: other.execute("commit")).start()
        await work
        self.assertEqual(len(await self.contents()), 1)

    async def test_nothing_is_answered_before_the_commit(self):
        order = []
        commit, finish = writer.Writer._commit, writer.Writer._finish

        def record_commit(self_, group):
            touched = commit(self_, group)
            order.append("committed")
            return touched

        def record_answer(self_, group, touched):
            order.append("answered")
            finish(self_, group, touched)

        self.patch(writer.Writer, "_commit", record_commit)
        self.patch(writer.Writer, "_finish", record_answer)
        await self.deliver()
        self.assertEqual(order, ["committed", "answered"])
