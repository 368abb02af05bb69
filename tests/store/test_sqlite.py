"""Tests for :mod:`mailhub.store.sqlite.store`: the contract, and what is its own."""

from __future__ import annotations

import os
import sqlite3
import stat

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailhub.errors import LimitReached, LocalFault, MailboxInUse, NotPermitted
from mailhub.mail.account import Target
from mailhub.mail.flags import FlagChange
from mailhub.mail.mailbox import Column
from mailhub.store.sqlite import fetching, live_directory, mailboxes, schema
from mailhub.store.sqlite.directory import Directory
from mailhub.store.sqlite.writer import Writer

from ..contracts.fixture import ALICE, BOB, fails, message, uids_of
from ..contracts.store import StoreContract
from .sqlite_fixture import (
    SQLiteFixture,
    database_of,
    make_store,
    python,
    read_file,
    write_file,
)

SEEN = frozenset(["\\Seen"])


class SQLiteStoreTests(SQLiteFixture, StoreContract, TestCase):
    """The contract of all backends."""


class RestartTests(SQLiteFixture, TestCase):
    """What was promised is there after a restart."""

    async def test_everything_is_there_again(self):
        account = await self.account()
        await account.create("Work/2026", "\\Archive")
        await account.subscribe("later")
        flags = frozenset(["\\Flagged", "$Work"])
        await self.append(message("kept"), name="Work/2026", flags=flags)
        await self.deliver(message(body="x" * 100_000), prefix=b"X: y\r\n")
        await (await self.open()).claim_recent()
        before = [await account.status(name) for name in ("INBOX", "Work/2026")]
        listing = await account.mailboxes()
        await self.restart()
        account = await self.account()
        self.assertEqual(await account.mailboxes(), listing)
        after = [await account.status(name) for name in ("INBOX", "Work/2026")]
        self.assertEqual(after, before)
        self.assertEqual(await self.subjects("Work/2026"), ["kept"])
        [data] = await self.contents()
        self.assertEqual(data, b"X: y\r\n" + message(body="x" * 100_000))
        changes = await (await self.open("Work/2026")).changes(0)
        self.assertEqual(changes.entries.flags, [flags])

    async def test_what_a_session_was_told_of_is_not_recent_after_a_restart(self):
        await self.deliver()
        self.assertEqual(await (await self.open()).claim_recent(), 1)
        await self.restart()
        self.assertEqual(await (await self.open()).claim_recent(), 2)

    async def test_a_stopped_store_answers_that_it_is_closed(self):
        account = await self.account()
        inbox = await account.open("INBOX")
        await self.store.stop()
        await fails(LocalFault, self.store.open_account(ALICE))
        await fails(LocalFault, self.deliver())
        await fails(LocalFault, inbox.expunge([1]))
        await fails(LocalFault, inbox.status())
        await self.store.stop()

    async def test_stopping_finishes_what_was_begun(self):
        work = [self.deliver(message(str(number))) for number in range(50)]
        done = gatherResults([Deferred.fromCoroutine(each) for each in work])
        await self.store.stop()
        await done
        await self.restart()
        self.assertEqual(len(await self.contents()), 50)


class OpeningTests(TestCase):
    """Which stores are served, and how they are kept from others."""

    def setUp(self):
        self.path = self.mktemp()

    def write_version(self, version):
        os.makedirs(self.path)
        schema.connect(database_of(self.path), create=True).close()
        connection = sqlite3.connect(database_of(self.path))
        connection.execute(f"pragma user_version={version}")
        connection.close()

    async def test_a_newer_store_is_refused_with_a_clear_text(self):
        self.write_version(schema.VERSION + 1)
        error = await fails(NotPermitted, make_store(self.path).start())
        self.assertIn(f"version {schema.VERSION + 1}", str(error))
        self.assertIn(database_of(self.path), str(error))

    async def test_the_present_version_is_served(self):
        self.write_version(schema.VERSION)
        store = make_store(self.path)
        await store.start()
        self.assertEqual(await store.directory.accounts(), [])
        await store.stop()

    async def test_an_sqlite_that_is_too_old_is_refused_with_a_clear_text(self):
        for version, allowed in (((3, 34, 1), False), ((3, 35, 0), True)):
            self.patch(sqlite3, "sqlite_version_info", version)
            store = make_store(self.path)
            if allowed:
                await store.start()
                await store.stop()
            else:
                error = await fails(NotPermitted, store.start())
                self.assertIn("older than 3.35", str(error))

    async def test_a_file_that_is_no_database_is_refused_and_left_alone(self):
        os.makedirs(self.path)
        diary = b"Dear diary, " * 1000
        write_file(database_of(self.path), diary)
        error = await fails(NotPermitted, make_store(self.path).start())
        self.assertIn("not a mail store", str(error))
        self.assertEqual(read_file(database_of(self.path)), diary)

    def test_a_store_that_is_not_there_is_not_made_unasked(self):
        with self.assertRaises(NotPermitted):
            schema.connect(database_of(self.path))
        self.assertFalse(os.path.exists(self.path))

    async def test_a_directory_that_cannot_be_made_is_a_fault_of_ours(self):
        write_file(self.path, b"")
        await fails(LocalFault, make_store(f"{self.path}/data").start())

    async def test_a_start_that_fails_leaves_nothing_open(self):
        store = make_store(self.path)
        fault = OSError("no descriptors left")

        def fail(self):
            raise fault

        self.patch(Writer, "start", fail)
        await fails(LocalFault, store.start())
        left = ["maildrops.lock", "turn"]
        self.assertEqual(sorted(os.listdir(f"{self.path}/run")), left)
        self.assertEqual(os.listdir(f"{self.path}/tmp"), [])
        await store.stop()

    def test_a_process_may_end_without_stopping_its_store(self):
        code = (
            "import sys\n"
            "from twisted.internet import reactor, task, defer\n"
            "from mailhub.net.spool import Spool\n"
            "from mailhub.store.content import BytesContent\n"
            "from mailhub.store.sqlite.store import SQLiteStore\n"
            "async def main(reactor):\n"
            "    store = SQLiteStore(sys.argv[1], reactor=reactor, spool=Spool)\n"
            "    await store.start()\n"
            "    await store.directory.add_account('a@b.c', '')\n"
            "    large = [(BytesContent(b'x' * 100_000), frozenset(), 1)]\n"
            "    await (await store.open_account('a@b.c')).append('INBOX', large)\n"
            "task.react(lambda r: defer.Deferred.fromCoroutine(main(r)))\n"
        )
        child = python(code, self.path)
        child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0)

    async def test_nobody_else_can_read_anything(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        store = make_store(self.path)
        await store.start()
        await store.directory.add_account(ALICE, "{PLAIN}secret")
        account = await store.open_account(ALICE)
        release = await account.lock_maildrop()
        spool = store.spool()
        spool.write(message(body="x" * 100_000))
        content = spool.finish()
        await account.append("INBOX", [(content, frozenset(), 0)])
        modes = {
            name: stat.S_IMODE(os.lstat(name).st_mode)
            for directory, names, files in os.walk(self.path)
            for name in [os.path.join(directory, name) for name in names + files]
        }
        content.close()
        release()
        await store.stop()
        self.assertGreater(len(modes), 256 + 6)
        self.assertEqual(
            {name: oct(mode) for name, mode in modes.items() if mode & 0o077}, {}
        )
        self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o700)


class LimitTests(SQLiteFixture, TestCase):
    """What one account may have, and no more of it."""

    async def test_mailboxes_have_their_limit_parents_included(self):
        self.patch(mailboxes, "MAX_MAILBOXES", 8)
        account = await self.account()
        await account.create("one")
        await fails(LimitReached, account.create("a/b"))
        await account.create("two")
        await fails(LimitReached, account.create("three"))
        await fails(LimitReached, account.rename("INBOX", "three"))
        await fails(LimitReached, account.rename("two", "three/four"))
        await account.rename("two", "three")
        names = [info.name for info in await account.mailboxes()]
        self.assertEqual(len(names), 8)
        self.assertIn("three", names)

    async def test_subscriptions_have_their_limit(self):
        self.patch(mailboxes, "MAX_SUBSCRIPTIONS", 7)
        account = await self.account()
        await account.subscribe("one")
        await account.subscribe("one")
        await fails(LimitReached, account.subscribe("two"))
        await account.unsubscribe("one")
        await account.subscribe("two")


class CommandLineTests(SQLiteFixture, TestCase):
    """The directory, also without the server and beside it."""

    def connect(self):
        connection = schema.connect(database_of(self.path))
        self.addCleanup(connection.close)
        return connection

    async def test_an_account_added_beside_the_server_can_be_used_at_once(self):
        added = Directory(self.connect()).add_account(BOB, "{PLAIN}x", 10**6)
        self.assertEqual(await self.store.directory.find_account(BOB), added)
        await self.deliver(targets=(Target(added.account_id),))
        self.assertEqual((await (await self.account(BOB)).status("INBOX")).messages, 1)

    async def test_what_the_server_adds_is_seen_beside_it(self):
        bob = await self.store.directory.add_account(BOB, "{PLAIN}x")
        self.assertEqual(Directory(self.connect()).accounts(), [self.alice, bob])

    async def test_a_caller_s_transaction_holds_all_its_changes_or_none(self):
        connection = self.connect()
        directory = Directory(connection)
        with self.assertRaises(ZeroDivisionError), schema.transaction(connection):
            directory.add_account(BOB, "")
            directory.add_domain("example.net")
            _ = 1 / 0
        self.assertIsNone(directory.find_account(BOB))
        self.assertEqual(directory.domains(), ["example.org"])

    async def test_a_removed_account_names_the_mailboxes_that_went(self):
        inbox = await self.open()
        directory = Directory(self.connect())
        self.assertTrue(directory.remove_account(ALICE))
        self.assertEqual(len(directory.touched), 6)
        self.assertIn(inbox._key, directory.touched)

    def test_neither_needs_twisted(self):
        code = (
            "import sys, mailhub.store.sqlite.directory, mailhub.store.sqlite.schema,"
            " mailhub.store.feed, mailhub.store.sqlite.purge;"
            " sys.exit('twisted' in sys.modules)"
        )
        child = python(code)
        child.communicate()
        self.assertEqual(child.returncode, 0)


class DirectoryVersionTests(SQLiteFixture, TestCase):
    """Answers are kept until somebody changes the directory, whoever it is."""

    async def test_what_another_connection_changes_is_seen_at_once(self) -> None:
        connection = schema.connect(database_of(self.path))
        self.addCleanup(connection.close)
        other, mine = Directory(connection), self.store.directory
        address = "carol@example.net"
        self.assertIsNone(await mine.find_account(address))
        self.assertFalse(await mine.is_local_domain("example.net"))
        other.add_account(address, "{PLAIN}one")
        self.assertTrue(await mine.is_local_domain("example.net"))
        other.set_password(address, "{PLAIN}two")
        self.assertEqual((await mine.find_account(address)).password, "{PLAIN}two")
        for targets in ("a@example.net",), ("b@example.net", "c@example.net"):
            other.set_alias("list@example.net", targets)
            alias = await mine.find_alias("list@example.net")
            self.assertEqual(alias.targets, targets)
        other.remove_alias("list@example.net")
        self.assertIsNone(await mine.find_alias("list@example.net"))
        other.remove_account(address)
        self.assertIsNone(await mine.find_account(address))
        other.remove_domain("example.net")
        self.assertFalse(await mine.is_local_domain("example.net"))

    async def test_mail_does_not_make_anybody_forget(self) -> None:
        mine = self.store.directory
        account = await mine.find_account(ALICE)
        await self.deliver()
        self.assertIs(await mine.find_account(ALICE), account)

    async def test_no_more_answers_are_kept_than_the_limit(self) -> None:
        mine = self.store.directory
        self.patch(live_directory, "MAX_ANSWERS", 3)
        for number in range(10):
            await mine.find_account(f"nobody{number}@example.org")
            self.assertLessEqual(len(mine._answers), 3)


class TwoProcessesTests(SQLiteFixture, TestCase):
    """Several stores in one place do not get in each other's way."""

    async def test_both_deliver_at_once_and_uids_are_each_used_once(self):
        other = await self.another()
        mine, theirs = self.store, other

        async def some(store, name):
            for number in range(20):
                self.store = store
                await self.deliver(message(f"{name} {number}"))

        works = some(mine, "m"), some(theirs, "t")
        await gatherResults([Deferred.fromCoroutine(work) for work in works])
        self.store = mine
        uids = uids_of(await (await self.open()).changes(0))
        self.assertEqual(uids, list(range(1, 41)))
        self.assertEqual(len(set(await self.subjects())), 40)

    async def test_the_maildrop_has_one_holder_in_all_processes(self):
        other = await self.another()
        theirs = await other.open_account(ALICE)
        release = await (await self.account()).lock_maildrop()
        await fails(MailboxInUse, theirs.lock_maildrop())
        release()
        release = await theirs.lock_maildrop()
        await fails(MailboxInUse, (await self.account()).lock_maildrop())
        theirs.logout()
        await (await self.account()).lock_maildrop()

    async def test_locks_need_no_files_and_no_descriptors_of_their_own(self):
        add = self.store.directory.add_account
        others = [await add(f"{name}@example.org", "") for name in "xy"]
        before = os.listdir(f"{self.path}/run"), os.listdir("/proc/self/fd")
        for address in (ALICE, *(each.address for each in others)):
            await (await self.store.open_account(address)).lock_maildrop()
        after = os.listdir(f"{self.path}/run"), os.listdir("/proc/self/fd")
        self.assertEqual(list(map(len, before)), list(map(len, after)))

    async def test_the_lock_of_a_process_that_died_is_free(self):
        code = (
            "import os, sys; from mailhub.store.sqlite.maildrop import MaildropLocks;"
            " release = MaildropLocks(sys.argv[1]).lock(int(sys.argv[2]));"
            " print('locked', flush=True); sys.stdin.read()"
        )
        child = python(code, f"{self.path}/run", str(self.alice.account_id))
        self.assertEqual(child.stdout.readline(), b"locked\n")
        await fails(MailboxInUse, (await self.account()).lock_maildrop())
        child.kill()
        child.communicate()
        await (await self.account()).lock_maildrop()


class FetchingTests(SQLiteFixture, TestCase):
    """Content beyond what is read at once is read when it is asked for."""

    async def fetch(self):
        uids = uids_of(await (await self.open()).changes(0))
        return await (await self.open()).fetch(uids, (Column.CONTENT, Column.SIZE))

    async def test_content_comes_at_once_up_to_the_limit_and_later_beyond(self):
        await self.append(message("1"), message("2"))
        for limit, kind in ((0, "BytesContent"), (-1, "RowMessage")):
            self.patch(fetching, "EAGER", 2 * len(message("1")) + limit)
            rows = await self.fetch()
            self.assertEqual([type(row[1]).__name__ for row in rows], [kind] * 2)
            self.assertEqual(
                [await row[1].read(0, 10**6) for row in rows],
                [message("1"), message("2")],
            )

    async def test_an_expunged_message_can_be_read_for_a_while(self):
        """A session that has not been told yet may still ask for it."""
        self.patch(fetching, "EAGER", 0)
        large = message(body="x" * 100_000)
        await self.append(message("small"), large)
        rows = await self.fetch()
        await (await self.open()).expunge([1, 2], deleted_only=False)
        contents = [await row[1].read(0, 10**6) for row in rows]
        self.assertEqual(contents, [message("small"), large])

    async def test_sparse_uids_are_found_like_dense_ones(self):
        await self.append(*[message(str(number)) for number in range(1, 41)])
        inbox = await self.open()
        for uids in ([1, 40], [3, 4, 39], list(range(1, 41, 2)), [7], [40, 50_000]):
            rows = await inbox.fetch(uids, (Column.SIZE,))
            self.assertEqual([row[0] for row in rows], [u for u in uids if u <= 40])
            changes = await inbox.set_flags(uids, FlagChange.ADD, SEEN)
            self.assertEqual(uids_of(changes), [u for u in uids if u <= 40])
