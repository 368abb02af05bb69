"""Tests for large bodies as files, and for removing what nothing refers to."""

from __future__ import annotations

import errno
import os
import sqlite3

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import LocalFault, OverQuota, StorageFull
from mailhub.mail.account import Target
from mailhub.mail.flags import NO_FLAGS
from mailhub.store.content import BytesContent
from mailhub.store.sqlite import durable, incoming, purge, schema
from mailhub.store.sqlite.files import IN_ROW, BlobFiles

from ..contracts.fixture import BOB, SENT_AT, fails, message
from .sqlite_fixture import (
    SQLiteFixture,
    blob_files,
    count,
    database_of,
    read_file,
    write_file,
)

LARGE = message(body="large\r\n" * 20_000)


class FilesFixture(SQLiteFixture):
    """A store whose garbage is removed when a test says so."""

    async def purge(self, store=None):
        """Remove all garbage, as the writer does in its pauses."""
        def step(change):
            purge.step(change, grace=-1)
            return purge.has_work(change.connection, change.now, grace=-1)

        while await (store or self.store)._opened.change(step):
            pass

    async def sweep(self, store=None):
        """Look for files without a row, as the writer does after its start."""
        def sweep(change):
            for number in range(256):
                purge.sweep(change, number)

        await (store or self.store)._opened.change(sweep)

    def tables(self):
        """Rows in the tables that purging empties."""
        names = (
            "message", "item", "header", "blob", "shared_item", "shared_blob",
            "garbage", "doomed_mailbox", "doomed_file",
        )
        return {name: number for name in names if (number := count(self.path, name))}


class PlaceTests(FilesFixture, TestCase):
    """What lies in a row, and what in a file."""

    async def test_content_up_to_the_limit_lies_in_a_row_and_beyond_in_a_file(self):
        for size, files in ((IN_ROW, 0), (IN_ROW + 1, 1)):
            data = message().ljust(size, b"x")
            await self.append(data)
            self.assertEqual(len(blob_files(self.path)), files)
            self.assertEqual((await self.contents())[-1], data)

    async def test_a_spooled_file_is_linked_and_not_copied(self):
        spool = self.store.spool()
        spool.write(LARGE)
        content = spool.finish()
        inode = os.stat(content.path).st_ino
        await (await self.account()).append("INBOX", [(content, frozenset(), SENT_AT)])
        content.close()
        [name] = blob_files(self.path)
        self.assertEqual(os.stat(f"{self.path}/blobs/{name[:2]}/{name}").st_ino, inode)
        self.assertEqual(await self.contents(), [LARGE])

    async def test_a_file_that_others_may_read_or_that_cannot_be_linked_is_copied(self):
        path = self.mktemp()
        write_file(path, LARGE)
        content = BytesContent(LARGE)
        content.path = path
        os.chmod(path, 0o644)
        await (await self.account()).append("INBOX", [(content, frozenset(), SENT_AT)])
        os.chmod(path, 0o600)
        self.patch(os, "link", _fails(OSError(errno.EXDEV, "another volume")))
        other = BytesContent(LARGE + b"!")
        other.path = path
        write_file(path, LARGE + b"!")
        await (await self.account()).append("INBOX", [(other, frozenset(), SENT_AT)])
        os.unlink(path)
        self.assertEqual(await self.contents(), [LARGE, LARGE + b"!"])

    async def test_one_content_is_kept_once(self):
        bob = await self.store.directory.add_account(BOB, "")
        both = (Target(self.alice.account_id), Target(bob.account_id))
        for data in (message(), LARGE):
            await self.deliver(data, targets=both)
            await self.deliver(data, prefix=b"X: 1\r\n", targets=both)
            await self.append(data)
        self.assertEqual(len(blob_files(self.path)), 1)
        self.assertEqual(count(self.path, "blob"), 2)
        self.assertEqual(count(self.path, "item"), 6)
        self.assertEqual(count(self.path, "message"), 10)

    async def test_the_same_large_content_many_times_at_once_is_kept_once(self):
        await gatherResults(
            [Deferred.fromCoroutine(self.deliver(LARGE)) for _ in range(10)]
        )
        self.assertEqual(len(blob_files(self.path)), 1)
        self.assertEqual(await self.contents(), [LARGE] * 10)
        self.assertEqual(os.listdir(self.store._opened.workplace.temporary), [])


class OrderTests(FilesFixture, TestCase):
    """Everything is on the disk before the row that points to it."""

    def record(self):
        """-> a list that fills with what is flushed, and the commits"""
        done = []
        sync_file, sync_directory = durable.sync_file, durable.sync_directory

        def record_file(descriptor):
            sync_file(descriptor)
            done.append("file")

        def record_directory(path):
            sync_directory(path)
            done.append(os.path.relpath(path, self.path))

        self.patch(durable, "sync_file", record_file)
        self.patch(durable, "sync_directory", record_directory)
        self.store._opened._writer._connection.set_trace_callback(
            lambda text: done.append(text) if text == "commit" else None
        )
        return done

    async def test_file_then_name_then_commit(self):
        done = self.record()
        await self.append(LARGE)
        [name] = blob_files(self.path)
        self.assertEqual(done, ["file", f"blobs/{name[:2]}", "commit"])

    async def test_a_small_message_is_one_commit_and_no_other_flush(self):
        done = self.record()
        await self.append(message())
        self.assertEqual(done, ["commit"])

    async def test_all_directories_and_their_parents_are_flushed_at_the_start(self):
        await self.store.stop()
        flushed = []
        self.patch(durable, "sync_directory", flushed.append)
        top = self._top()
        self.path = f"{top}/a/b"
        store = await self.another()
        for path in (top, f"{top}/a", self.path, f"{self.path}/blobs"):
            self.assertIn(path, flushed)
        self.assertEqual(len(os.listdir(f"{self.path}/blobs")), 256)
        await store.stop()

    def _top(self):
        top = os.path.abspath(self.mktemp())
        os.makedirs(top)
        return top

    async def test_a_commit_waits_for_the_disk(self):
        connection = self.store._opened._writer._connection
        self.assertEqual(connection.execute("pragma synchronous").fetchone(), (2,))
        self.assertEqual(connection.execute("pragma journal_mode").fetchone(), ("wal",))

    async def test_a_flush_that_fails_is_a_temporary_fault_and_not_repeated(self):
        for name in ("sync_file", "sync_directory"):
            calls = []
            fault = _fails(OSError(errno.EIO, "input/output error"), calls)
            self.patch(durable, name, fault)
            error = await fails(LocalFault, self.append(LARGE))
            self.assertFalse(error.permanent)
            self.assertEqual(len(calls), 1)
            self.assertEqual(await self.contents(), [])
            self.patch(durable, name, lambda _: None)

    async def test_a_full_volume_is_told_apart(self):
        self.patch(durable, "sync_file", _fails(OSError(errno.ENOSPC, "full")))
        await fails(StorageFull, self.append(LARGE))
        self.assertEqual(blob_files(self.path), [])
        self.assertEqual(os.listdir(self.store._opened.workplace.temporary), [])


class PurgeTests(FilesFixture, TestCase):
    """What nothing refers to is removed, and nothing else."""

    async def test_what_is_expunged_is_removed_with_its_last_reference(self):
        data = [message(), LARGE]
        await self.append(*data)
        inbox = await self.open()
        await inbox.copy([1, 2], "Sent")
        await inbox.expunge([1, 2], deleted_only=False)
        await self.purge()
        self.assertEqual(await self.contents("Sent"), data)
        self.assertEqual(len(blob_files(self.path)), 1)
        sent = await self.open("Sent")
        await sent.copy([1, 2], "Sent")
        await sent.expunge([1, 2], deleted_only=False)
        await self.purge()
        self.assertEqual(await self.contents("Sent"), data)
        await sent.expunge([3, 4], deleted_only=False)
        await self.purge()
        self.assertEqual(self.tables(), {})
        self.assertEqual(blob_files(self.path), [])

    async def test_a_blob_outlives_its_first_item(self):
        await self.deliver(LARGE, prefix=b"X: 1\r\n")
        await self.deliver(LARGE, prefix=b"X: 2\r\n")
        inbox = await self.open()
        await inbox.expunge([1], deleted_only=False)
        await self.purge()
        self.assertEqual(await self.contents(), [b"X: 2\r\n" + LARGE])
        await inbox.expunge([2], deleted_only=False)
        await self.purge()
        self.assertEqual(self.tables(), {})
        self.assertEqual(blob_files(self.path), [])

    async def test_a_move_keeps_its_references(self):
        await self.append(LARGE)
        await (await self.open()).move([1], "Archive")
        await (await self.account()).rename("INBOX", "Old")
        await self.purge()
        self.assertEqual(await self.contents("Archive"), [LARGE])

    async def test_one_delivery_to_many_is_removed_after_the_last(self):
        bob = await self.store.directory.add_account(BOB, "")
        targets = [Target(account.account_id) for account in (self.alice, bob)] * 2
        await self.deliver(LARGE, targets=tuple(targets))
        await self.store.directory.remove_account(BOB)
        await self.purge()
        self.assertEqual(await self.contents(), [LARGE] * 2)
        await (await self.open()).expunge([1, 2], deleted_only=False)
        await self.purge()
        self.assertEqual(self.tables(), {})

    async def test_a_removed_account_or_mailbox_takes_its_mail_along_in_pieces(self):
        self.patch(purge, "PIECE", 3)
        await self.append(*[message(str(number)) for number in range(10)], LARGE)
        account = await self.account()
        await account.create("Work")
        await (await self.open()).copy(range(1, 12), "Work")
        await account.delete("Work")
        await self.purge()
        self.assertEqual(count(self.path, "message"), 11)
        await self.store.directory.remove_account(self.alice.address)
        await self.purge()
        self.assertEqual(self.tables(), {})
        self.assertEqual(blob_files(self.path), [])
        for table in ("mailbox", "keyword", "vanished", "former_name", "subscription"):
            self.assertEqual((table, count(self.path, table)), (table, 0))

    async def test_garbage_has_its_time_of_grace(self):
        await self.append(message())
        await (await self.open()).expunge([1], deleted_only=False)
        connection = sqlite3.connect(database_of(self.path))
        self.addCleanup(connection.close)
        [[since]] = connection.execute("select since from garbage").fetchall()
        for now, due in (
            (since, False),
            (since + purge.GRACE - 1, False),
            (since + purge.GRACE, True),
            # The clock was put back: better early than after years.
            (since - 1, True),
        ):
            self.assertEqual((now, purge.has_work(connection, now)), (now, due))

    async def test_the_command_line_can_remove_all_of_it(self):
        await self.append(message(), LARGE)
        await (await self.open()).expunge([1, 2], deleted_only=False)
        await self.store.stop()
        connection = schema.connect(database_of(self.path))
        self.addCleanup(connection.close)
        files = BlobFiles(f"{self.path}/blobs", self.path)
        purge.purge(connection, files, now=2**33)
        self.assertEqual(self.tables(), {})
        self.assertEqual(blob_files(self.path), [])


    async def test_what_nobody_got_leaves_no_file(self):
        """Mail that is refused, again and again, must not fill the disk."""
        bob = await self.store.directory.add_account(BOB, "", quota=100)
        await fails(OverQuota, self.deliver(LARGE, targets=(Target(bob.account_id),)))
        account = await self.account(BOB)
        await fails(
            OverQuota, account.append("INBOX", [(BytesContent(LARGE), NO_FLAGS, 1)])
        )
        await self.purge()
        self.assertEqual(blob_files(self.path), [])
        self.assertEqual(self.tables(), {})

    async def test_what_only_another_got_keeps_its_file(self):
        bob = await self.store.directory.add_account(BOB, "", quota=100)
        await self.deliver(LARGE)
        await fails(OverQuota, self.deliver(LARGE, targets=(Target(bob.account_id),)))
        await self.purge()
        self.assertEqual(await self.contents(), [LARGE])


class RaceTests(FilesFixture, TestCase):
    """No order of two processes' work leaves a row without its file."""

    async def test_a_file_that_another_process_removes_meanwhile_is_kept_again(self):
        await self.append(LARGE)
        await (await self.open()).expunge([1], deleted_only=False)
        other = await self.another()
        body = await other._opened.intake.body(BytesContent(LARGE))
        await self.purge()
        self.assertEqual(blob_files(self.path), [])
        await other._opened.change(
            lambda change: incoming.append(
                change, self.alice.account_id, "INBOX", [(body, frozenset(), 1)]
            )
        )
        body.close()
        self.assertEqual(await self.contents(), [LARGE])
        await self.purge()
        await self.sweep()
        self.assertEqual(await self.contents(), [LARGE])

    async def test_a_file_whose_row_came_back_before_it_went_stays(self):
        await self.append(LARGE)
        await (await self.open()).expunge([1], deleted_only=False)

        def drop_rows(change):
            purge.step(change, grace=-1)

        await self.store._opened.change(drop_rows)
        self.assertEqual(count(self.path, "doomed_file"), 1)
        await self.append(LARGE)
        await self.purge()
        self.assertEqual(await self.contents(), [LARGE])
        self.assertEqual(self.tables().get("doomed_file"), None)

    async def test_files_without_a_row_are_swept_and_others_stay(self):
        await self.append(LARGE)
        [name] = blob_files(self.path)
        orphan = f"{self.path}/blobs/00/{'00' * 32}"
        write_file(orphan, b"what a crash left")
        foreign = f"{self.path}/blobs/00/README"
        write_file(foreign, b"not ours")
        await self.sweep()
        self.assertEqual(blob_files(self.path), sorted([name, "README"]))
        self.assertEqual(await self.contents(), [LARGE])

    async def test_what_a_crash_left_under_a_name_is_not_trusted(self):
        content = BytesContent(LARGE)
        name = content.digest.hex()
        write_file(f"{self.path}/blobs/{name[:2]}/{name}", b"torn")
        await self.append(LARGE)
        self.assertEqual(await self.contents(), [LARGE])


class WorkplaceTests(FilesFixture, TestCase):
    """Temporary files of the dead are removed, those of the living stay."""

    async def test_the_corner_of_a_live_process_stays_and_a_dead_one_s_goes(self):
        mine = self.store._opened.workplace.temporary
        corners, _, name = mine.rpartition("/")
        dead = f"{corners}/1-00000000"
        os.mkdir(dead)
        write_file(f"{dead}/spool-x", b"x")
        write_file(f"{mine}/spool-y", b"y")
        other = await self.another()
        theirs = other._opened.workplace.temporary.rpartition("/")[2]
        self.assertEqual(set(os.listdir(corners)), {name, theirs})
        self.assertNotEqual(theirs, name)
        self.assertEqual(read_file(f"{mine}/spool-y"), b"y")
        await other.stop()
        self.assertEqual(os.listdir(corners), [name])


class DurableTests(SynchronousTestCase):
    """:mod:`mailhub.store.sqlite.durable`."""

    def test_new_directories_are_flushed_into_their_parents_from_the_top(self):
        flushed = []
        self.patch(durable, "sync_directory", flushed.append)
        top = self.mktemp()
        os.makedirs(top)
        self.assertTrue(durable.make_directory(f"{top}/a/b"))
        self.assertEqual(flushed, [top, f"{top}/a"])
        self.assertFalse(durable.make_directory(f"{top}/a/b"))
        self.assertEqual(len(flushed), 2)


def _fails(error, calls=None):
    """-> a function that raises *error*, and notes that it was called"""
    def fail(*arguments):
        if calls is not None:
            calls.append(arguments)
        raise error

    return fail
