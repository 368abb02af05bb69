"""Tests for :mod:`mailhub.store.sqlite.upkeep`: when it does what."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault
from mailhub.store.sqlite import durable, purge, schema, upkeep
from mailhub.store.sqlite.files import BlobFiles
from mailhub.store.sqlite.upkeep import Upkeep

from .sqlite_fixture import blob_files, count, database_of, write_file


class UpkeepTests(SynchronousTestCase):
    """Checkpoints and garbage wait for pauses, but not for ever."""

    def setUp(self):
        self.path = os.path.abspath(self.mktemp())
        self.now = 1_795_225_600.0
        self.connection = schema.connect(database_of(self.path), create=True)
        self.addCleanup(self.connection.close)
        self.files = BlobFiles(f"{self.path}/blobs", self.path)
        self.files.prepare()
        self.upkeep = Upkeep(self.files, lambda: self.now)
        self.upkeep.configure(self.connection)
        self.log = f"{database_of(self.path)}-wal"
        self.checkpoints = 0
        self.connection.set_trace_callback(self.trace)

    def trace(self, text):
        self.checkpoints += "wal_checkpoint(passive)" in text

    def pause(self):
        """Run until there is nothing more to do.  -> how often that was"""
        for times in range(1, 1000):
            self.upkeep.run(self.connection, idle=True)
            if self.upkeep.patience > 0:
                return times
        raise AssertionError("it never ends")

    def test_directories_are_swept_one_by_one_after_the_start(self):
        orphan = f"{self.path}/blobs/ff/{'ff' * 32}"
        write_file(orphan, b"x")
        self.upkeep.run(self.connection, idle=True)
        self.assertEqual(blob_files(self.path), [])
        self.assertEqual(self.pause(), 256)
        self.assertEqual(self.pause(), 1)

    def test_garbage_is_removed_in_pauses_once_it_is_due(self):
        self.pause()
        self.connection.execute("insert into doomed_file values (x'00')")
        self.connection.executemany(
            "insert into garbage (item_id, since) values (?, ?)",
            [(number, self.now) for number in range(2 * purge.PIECE + 1)],
        )
        self.assertEqual(self.pause(), 2)
        self.assertEqual(count(self.path, "doomed_file"), 0)
        self.now += purge.GRACE
        self.assertEqual(self.pause(), 4)
        self.assertEqual(count(self.path, "garbage"), 0)

    def test_garbage_is_removed_under_load_as_well_in_the_end(self):
        self.pause()
        self.connection.execute("insert into doomed_file values (x'00')")
        self.upkeep.run(self.connection, idle=False)
        self.assertEqual(count(self.path, "doomed_file"), 1)
        self.patch(upkeep, "_OVERDUE", -1.0)
        self.upkeep.run(self.connection, idle=False)
        self.assertEqual(count(self.path, "doomed_file"), 0)

    def test_a_short_log_waits_for_a_long_pause(self):
        self.pause()
        self.checkpoints = 0
        self.upkeep.run(self.connection, idle=False)
        self.upkeep.run(self.connection, idle=True)
        self.assertEqual(self.checkpoints, 0)
        self.upkeep.run(self.connection, idle=True)
        self.assertEqual(self.checkpoints, 1)
        self.upkeep.run(self.connection, idle=True)
        self.assertEqual(self.checkpoints, 1)

    def test_a_worthwhile_log_is_written_back_in_a_short_pause(self):
        self.pause()
        self.upkeep.run(self.connection, idle=False)
        for octets, checkpoints in ((0, 0), (1, 1)):
            self.checkpoints = 0
            self.upkeep.patience = 0.1
            self.upkeep.written = upkeep._WORTHWHILE + octets
            self.upkeep.run(self.connection, idle=True)
            self.assertEqual((octets, self.checkpoints), (octets, checkpoints))

    def test_a_long_log_waits_for_no_pause(self):
        for octets, checkpoints in ((0, 0), (1, 1)):
            self.checkpoints = 0
            self.upkeep.written = upkeep._LONG_LOG - upkeep._PER_CHANGE + octets
            self.upkeep.run(self.connection, idle=False)
            self.assertEqual((octets, self.checkpoints), (octets, checkpoints))

    def test_a_checkpoint_makes_the_log_begin_anew(self):
        self.pause()
        sizes = set()
        for number in range(200):
            self.connection.execute("insert into domain values (?)", (f"d{number}",))
            self.upkeep.written = upkeep._LONG_LOG
            self.upkeep.run(self.connection, idle=False)
            sizes.add(os.path.getsize(self.log))
        self.assertEqual(len(sizes), 1)

    def test_the_log_begins_anew_although_another_process_writes_all_the_time(self):
        self.pause()
        other = schema.connect(database_of(self.path))
        self.addCleanup(other.close)

        def write_behind_its_back(text):
            if "wal_checkpoint(restart)" in text:
                other.execute("insert into domain values (?)", (f"o{number}",))

        sizes = set()
        self.connection.set_trace_callback(write_behind_its_back)
        for number in range(200):
            self.connection.execute("insert into domain values (?)", (f"d{number}",))
            self.upkeep.written = upkeep._LONG_LOG
            self.upkeep.run(self.connection, idle=False)
            sizes.add(os.path.getsize(self.log))
        self.assertLessEqual(len(sizes), 3)

    def test_upkeep_that_fails_is_not_tried_again_at_once(self):
        self.upkeep.patience = 0.0
        self.connection.close()
        self.connection = schema.connect(database_of(self.path))
        self.addCleanup(self.connection.close)
        self.connection.execute("pragma busy_timeout=0")
        other = schema.connect(database_of(self.path))
        self.addCleanup(other.close)
        other.execute("begin immediate")
        with self.assertRaises(LocalFault):
            self.upkeep.run(self.connection, idle=True)
        self.assertGreater(self.upkeep.patience, 1.0)

    def test_the_first_start_flushes_the_directory_of_large_bodies(self):
        flushed = []
        self.patch(durable, "sync_directory", flushed.append)
        self.files.prepare()
        self.assertEqual(flushed, [f"{self.path}/blobs"])
