"""Tests for :mod:`mailhub.store.sqlite.migrations`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import LocalFault, NotPermitted
from mailhub.mail.mailbox import INBOX, Column
from mailhub.store.content import octets_of
from mailhub.store.sqlite import migrations, schema
from mailhub.store.sqlite.migrations import Step, version_of
from mailhub.store.sqlite.verify.checking import Wish, verify
from mailhub.store.sqlite.verify.findings import Kind

from ..contracts.fixture import ALICE, fails
from ..contracts.queueing import DAY, ME, NET, NOW, gone, names
from ..programs import require
from .sqlite_fixture import SQLiteFixture, database_of, make_store
from .versions.loading import BODIES, VERSIONS, load
from .versions.steps import STEPS, bring_up, content_of

ROOT = Path(__file__).resolve().parent.parent.parent
#: Calls that change what a loss of power would leave.
CALLS = ("pwrite64", "fdatasync", "fsync")
#: Of each call, about so many are tried here.
_TRIED = 8


class OldStoreTests(TestCase):
    """A store that each version left behind opens, and has lost nothing."""

    async def test_mail_of_every_version_is_read(self):
        for version in VERSIONS:
            path = self.mktemp()
            load(path, version)
            store = make_store(path)
            await store.start()
            account = await store.open_account(ALICE)
            inbox = await account.open(INBOX)
            uids = (await inbox.changes(0)).entries.uids
            self.assertEqual(len(uids), 21)
            [(_, content)] = await inbox.fetch([25], (Column.CONTENT,))
            data = await octets_of(content)
            self.assertEqual(data, b"Received: twice, 0\r\n" + BODIES[0])
            content.close()
            await store.stop()
            # What is derived from messages may have become better since.
            self.assertLessEqual(verify(path, Wish()).counts.keys(), {Kind.SUMMARY})

    async def test_what_waits_in_the_queue_of_every_version_leaves(self):
        for version in VERSIONS[1:]:
            path = self.mktemp()
            load(path, version)
            store = make_store(path)
            await store.start()
            queue, now = store.queue, NOW + DAY
            self.assertEqual(
                {each.destination for each in await queue.ready(now, 9)},
                {NET, "example.com"},
            )
            leases = await queue.lease(NET, 9, ME, now, now + 60)
            self.assertEqual(sorted(names(leases)), ["A1", "A2", "A5", "A6", "A7"])
            for lent in leases:
                content = await queue.open(lent.message.message_id)
                self.assertEqual(len(await octets_of(content)), lent.message.size)
                content.close()
                self.assertTrue(await queue.settle(lent, gone(lent)))
            await store.stop()
            self.assertLessEqual(verify(path, Wish()).counts.keys(), {Kind.SUMMARY})

    def test_there_is_a_dump_of_every_version(self):
        self.assertEqual(VERSIONS, list(range(1, schema.VERSION + 1)))

    def test_a_store_brought_up_to_date_has_the_tables_of_a_new_one(self):
        for version in VERSIONS:
            path = self.mktemp()
            schema.connect(load(path, version)).close()
            self.assertNotIn(Kind.SCHEMA, verify(path, Wish()).counts)


class StepTests(SynchronousTestCase):
    """Each step is one transaction with its version, or several that go on."""

    def setUp(self):
        self.path = self.mktemp()
        self.database = load(self.path, 1)
        self.lines = []
        observe = self.observe
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def observe(self, event):
        if event["log_namespace"] == migrations.__name__:
            text = formatEvent(event)
            self.lines.append(text.removeprefix(f"{os.path.abspath(self.path)}: "))

        # As if those that are tried here were the program's.
        self.patch(schema, "VERSION", 1)

    def version(self):
        with closing(sqlite3.connect(self.database)) as connection:
            return version_of(connection)

    def test_all_steps_are_taken_and_told(self):
        bring_up(self.path)
        self.assertEqual(self.version(), 4)
        self.assertEqual(
            self.lines,
            [
                "from store version 1 to 2: names to show",
                "store version 2 is reached after 1 slices",
                "from store version 2 to 3: octets of what is not content",
                "store version 3 is reached after 5 slices",
                "from store version 3 to 4: when files became garbage",
                "store version 4 is reached after 1 slices",
            ],
        )

    def test_a_store_of_the_latest_version_takes_none(self):
        bring_up(self.path)
        before = content_of(self.path)
        self.lines.clear()
        bring_up(self.path)
        self.assertEqual(self.lines, [])
        self.assertEqual(content_of(self.path), before)

    def test_steps_may_be_taken_one_program_after_the_other(self):
        other = self.mktemp()
        load(other, 1)
        bring_up(other)
        for number in range(1, len(STEPS) + 1):
            bring_up(self.path, STEPS[:number])
            self.assertEqual(self.version(), number + 1)
        self.assertEqual(content_of(self.path), content_of(other))

    def test_a_step_that_fails_changes_nothing(self):
        def fail(connection):
            connection.execute("delete from message")
            raise sqlite3.OperationalError("no")

        before = content_of(self.path)
        step = Step("one that fails", fail)
        self.assertRaises(sqlite3.OperationalError, bring_up, self.path, (step,))
        self.assertEqual(content_of(self.path), before)

    def test_slices_before_a_fault_stay_and_the_rest_goes_on(self):
        calls = []

        def make(connection):
            calls.append(1)
            if len(calls) == 3:
                raise sqlite3.OperationalError("no")
            return STEPS[1].make(connection)

        step = Step("in slices", make)
        self.assertRaises(sqlite3.OperationalError, bring_up, self.path, (step,))
        self.assertEqual(self.version(), 1)
        bring_up(self.path, (step,))
        self.assertEqual(self.version(), 2)
        self.assertEqual(len(calls), 3 + 3)

    def test_a_store_is_brought_up_to_date_when_it_is_opened(self):
        self.patch(migrations, "STEPS", STEPS)
        self.patch(schema, "VERSION", 4)
        schema.connect(self.database).close()
        self.assertEqual(self.version(), 4)

    def test_a_newer_store_is_refused_and_left_alone(self):
        bring_up(self.path)
        before = content_of(self.path)
        error = self.assertRaises(NotPermitted, schema.connect, self.database)
        self.assertEqual(
            str(error),
            f"{self.database} has version 4; this program knows up to 1: use the newer"
            " program",
        )
        self.assertEqual(content_of(self.path), before)


class TogetherTests(TestCase):
    """Programs that start together, or while another one works."""

    async def test_one_takes_the_steps_and_the_others_wait(self):
        path = self.mktemp()
        load(path, 1)
        begun, waiting, released = (threading.Event() for _ in range(3))
        calls = []

        def make(connection):
            calls.append(connection)
            begun.set()
            released.wait(30)
            return len(calls) == 3

        def observe(event):
            ours = event["log_namespace"] == migrations.__name__
            if ours and "waiting" in event["log_format"]:
                waiting.set()

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        step = Step("slow", make)
        first = deferToThread(bring_up, path, (step,))
        await deferToThread(begun.wait, 30)
        second = deferToThread(bring_up, path, (step,))
        await deferToThread(waiting.wait, 30)
        released.set()
        await first
        await second
        self.assertEqual(len(calls), 3)
        self.assertEqual(len(set(map(id, calls))), 1)


class OvertakenTests(SQLiteFixture, TestCase):
    """A store that a newer program takes over under the feet of this one."""

    async def test_nothing_is_changed_any_more(self):
        await self.deliver()
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            connection.execute("pragma user_version=77")
            fault = await fails(LocalFault, self.deliver())
            self.assertIn("has version 77 by now", str(fault))
            with self.assertRaises(LocalFault), schema.transaction(connection):
                self.fail("it could be changed")
            connection.execute(f"pragma user_version={schema.VERSION}")
        await self.deliver()
        self.assertEqual(len(await self.subjects()), 2)


class KilledTests(SynchronousTestCase):
    """A program that dies on its way (SIGKILL as it makes the N-th call)."""

    def strace(self, path, *arguments, how=()):
        """Bring the store in *path* up to date.  -> the exit status"""
        program = require("strace")
        process = subprocess.run(
            [
                program, "-f", "-qqq", "-o", f"{path}.calls", *arguments,
                sys.executable, "-m", "tests.store.versions.steps", path, *how,
            ],
            cwd=ROOT, stderr=subprocess.PIPE, check=False,
        )
        return process.returncode

    def kill_everywhere(self, *how, steps=STEPS):
        """-> the points tried, and those after which the next program fails"""
        template, place = (os.path.abspath(self.mktemp()) for _ in range(2))
        load(template, 1)
        shutil.copytree(template, place)
        status = self.strace(place, "-e", f"trace={','.join(CALLS)}", how=how)
        self.assertEqual(status, 0)
        expected = content_of(place)
        calls = re.findall(r"(\w+)\(", Path(f"{place}.calls").read_text())
        tried, failed = [], []
        for call in CALLS:
            number = calls.count(call)
            for at in range(1, number + 1, max(number // _TRIED, 1)):
                shutil.rmtree(place)
                shutil.copytree(template, place)
                kill = f"inject={call}:signal=SIGKILL:when={at}"
                status = self.strace(place, "-e", f"trace={call}", "-e", kill, how=how)
                self.assertEqual(status, -signal.SIGKILL, f"{call} {at}")
                tried.append((call, at))
                if not self.goes_on(place, expected, steps):
                    failed.append((call, at))
        return tried, failed

    def goes_on(self, place, expected, steps):
        """Whether the next program ends where the first one would have ended."""
        self.assertEqual(content_of(place)[1], "ok")
        try:
            bring_up(place, steps)
        except sqlite3.Error:
            return False
        return content_of(place) == expected

    def test_the_next_one_ends_where_it_would_have_ended(self):
        tried, failed = self.kill_everywhere()
        self.assertEqual(failed, [])
        self.assertGreater(len(tried), _TRIED)

    def test_so_does_the_next_one_that_takes_the_program_s_own_steps(self):
        tried, failed = self.kill_everywhere("--real", steps=migrations.STEPS)
        self.assertEqual(failed, [])
        self.assertGreater(len(tried), _TRIED)

    def test_a_version_that_is_written_later_would_be_noticed(self):
        """The control: some points have to be found that do not recover."""
        _, failed = self.kill_everywhere("--careless")
        self.assertNotEqual(failed, [])
