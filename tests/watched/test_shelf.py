"""Tests of :mod:`mailhub.watched.shelf`."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault
from mailhub.tables.access import parse_access
from mailhub.tables.canonical import parse_canonical
from mailhub.tables.domains import Names, parse_names
from mailhub.watched.shelf import LOOK_SECONDS, SETTLE_SECONDS, Shelf, run_here

from .places import Folder, Threads


class ShelfCase(SynchronousTestCase):
    """A shelf with a file of names."""

    in_thread = staticmethod(run_here)

    def setUp(self):
        self.folder = Folder(self.mktemp())
        self.clock = Clock()
        self.shelf = Shelf(self.clock, self.in_thread, now=lambda: 2e9)

    def keep(self, text="a.b", **how):
        return self.shelf.keep(self.folder.write("x", text), parse_names, **how)

    def names(self, kept):
        value = Deferred.fromCoroutine(self.shelf.value(kept))
        return list(self.successResultOf(value).lines)


class ShelfTests(ShelfCase):
    """Files are followed."""

    def test_a_file_is_read_when_it_is_asked_for(self):
        self.assertEqual(self.names(self.keep()), ["a.b"])

    def test_a_change_is_seen_at_the_next_look(self):
        kept = self.keep()
        self.names(kept)
        self.folder.write("x", "c.d")
        self.clock.advance(LOOK_SECONDS - 0.1)
        self.assertEqual(self.names(kept), ["a.b"])
        self.clock.advance(0.1)
        self.assertEqual(self.names(kept), ["c.d"])

    def test_the_version_changes_with_the_file_and_only_then(self):
        kept = self.keep()
        self.names(kept)
        first = self.shelf.version()
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.shelf.version(), first)
        self.folder.write("x", "c.d")
        self.clock.advance(LOOK_SECONDS)
        self.assertNotEqual(self.shelf.version(), first)
        self.assertEqual(self.names(kept), ["c.d"])

    def test_a_file_in_the_place_of_another_is_seen(self):
        kept = self.keep()
        self.names(kept)
        os.rename(self.folder.write("y", "c.d"), kept.path)
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.names(kept), ["c.d"])

    def test_a_file_that_may_be_half_written_is_not_read_yet(self):
        kept = self.keep()
        self.names(kept)
        for age, names in ((0.0, ["a.b"]), (SETTLE_SECONDS, ["c.d"])):
            path = self.folder.write("x", "c.d")
            os.utime(path, (2e9 - age, 2e9 - age))
            self.clock.advance(LOOK_SECONDS)
            self.assertEqual(self.names(kept), names)

    def test_a_time_in_the_future_hinders_nothing(self):
        kept = self.keep()
        self.names(kept)
        os.utime(self.folder.write("x", "c.d"), (2e9 + 9, 2e9 + 9))
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.names(kept), ["c.d"])

    def test_looking_again_waits_for_nothing(self):
        kept = self.keep()
        self.names(kept)
        os.utime(self.folder.write("x", "c.d"), (2e9, 2e9))
        self.shelf.look_again()
        self.assertEqual(self.names(kept), ["c.d"])

    def test_a_shelf_of_so_many_files_forgets_all_before_it_takes_one_more(self):
        shelf = Shelf(self.clock, run_here, most=2)
        version = shelf.version()
        for name in ("x", "y"):
            shelf.keep(self.folder.write(name, "a.b"), parse_names)
        self.assertEqual(len(shelf), 2)
        self.assertIsNotNone(shelf.find(self.folder.path + "/x"))
        shelf.keep(self.folder.write("z", "a.b"), parse_names)
        self.assertEqual(len(shelf), 1)
        self.assertIsNone(shelf.find(self.folder.path + "/x"))
        self.assertNotEqual(shelf.version(), version)

    def test_one_file_may_be_kept_for_two_purposes(self):
        path = self.folder.write("x", "a.b OK")
        first = self.shelf.keep(path, parse_access)
        second = self.shelf.keep(path, parse_canonical)
        for kept in (first, second):
            asked = Deferred.fromCoroutine(self.shelf.value(kept))
            if kept is first:
                self.successResultOf(asked)
            else:
                self.failureResultOf(asked, LocalFault)

    def test_everything_can_be_read_before_anybody_asks(self):
        kept = self.keep()
        self.assertEqual(self.shelf.load(), [])
        self.assertEqual(list(kept.now().lines), ["a.b"])


class FaultTests(ShelfCase):
    """A file that cannot be followed is told about, and the last good state stays."""

    def test_what_was_known_before_stays_and_the_log_tells_once(self):
        kept = self.keep()
        self.names(kept)
        version = self.shelf.version()
        self.folder.write("x", "a.b\n\nno..name\n")
        with capturedLogs() as events:
            for _ in range(5):
                self.clock.advance(LOOK_SECONDS)
                self.assertEqual(self.names(kept), ["a.b"])
        [event] = [one for one in events if one["log_level"] is LogLevel.error]
        self.assertIn(f"{kept.path}:3: ", event["fault"])
        self.assertEqual(event["stays"], "; what was known before stays")
        self.assertEqual(self.shelf.version(), version)

    def test_mending_it_is_enough(self):
        kept = self.keep()
        self.names(kept)
        for text, names in (("no..name", ["a.b"]), ("c.d", ["c.d"])):
            self.folder.write("x", text)
            self.clock.advance(LOOK_SECONDS)
            self.assertEqual(self.names(kept), names)

    def test_a_file_that_was_never_right_lets_mail_wait(self):
        kept = self.keep("no..name")
        asked = Deferred.fromCoroutine(self.shelf.value(kept))
        failure = self.failureResultOf(asked, LocalFault)
        self.assertIn(f"{kept.path}:1: ", str(failure.value))
        self.folder.write("x", "c.d")
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.names(kept), ["c.d"])

    def test_a_file_that_has_gone_is_a_fault(self):
        kept = self.keep()
        self.names(kept)
        os.remove(kept.path)
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.names(kept), ["a.b"])
        self.assertEqual(kept.fault, f"{kept.path}: No such file or directory")

    def test_unless_it_may_be_missing(self):
        kept = self.keep(missing=Names())
        os.remove(kept.path)
        self.assertEqual(self.names(kept), [])
        self.folder.write("x", "c.d")
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.names(kept), ["c.d"])

    def test_its_size_has_a_limit(self):
        self.assertEqual(self.names(self.keep("a.b", most=3)), ["a.b"])
        kept = self.keep("a.bc", most=3)
        kept.parse = lambda data, path: Names(path, {str(len(data)): 1})
        self.assertEqual(self.names(kept), ["4"])  # one more, for the parser to see

    def test_faults_are_told_together_where_all_is_read_at_once(self):
        kept = self.keep("no..name")
        self.shelf.keep(self.folder.path + "/gone", parse_names)
        faults = self.shelf.load()
        self.assertEqual(len(faults), 2)
        self.assertTrue(str(faults[0]).startswith(f"{kept.path}:1: "))

    def test_remarks_are_logged(self):
        with capturedLogs() as events:
            self.shelf.keep(self.folder.write("x", "Spam:a.b FRIEND"), parse_access)
            self.shelf.load()
        self.assertEqual(events[0]["log_level"], LogLevel.warn)
        self.assertIn("x:1: Spam: has no effect here", events[0]["remark"])


class ThreadTests(ShelfCase):
    """While a thread reads."""

    def setUp(self):
        self.in_thread = self.threads = Threads()
        super().setUp()

    def ask(self, kept):
        return Deferred.fromCoroutine(self.shelf.value(kept))

    def test_who_asks_meanwhile_waits_and_the_version_is_not_known(self):
        kept = self.keep()
        first, second = self.ask(kept), self.ask(kept)
        self.assertNoResult(first)
        self.assertIsNone(self.shelf.version())
        self.assertEqual(len(self.threads), 1)
        self.threads.finish()
        for asked in (first, second):
            self.assertEqual(list(self.successResultOf(asked).lines), ["a.b"])
        self.assertIsNotNone(self.shelf.version())

    def test_a_change_during_the_reading_is_read_next(self):
        kept = self.keep()
        asked = self.ask(kept)
        self.threads.finish()
        self.successResultOf(asked)
        self.folder.write("x", "c.d")
        self.clock.advance(LOOK_SECONDS)
        asked = self.ask(kept)
        self.threads.finish()
        self.folder.write("x", "e.f")
        self.assertEqual(list(self.successResultOf(asked).lines), ["c.d"])
        self.clock.advance(LOOK_SECONDS)
        asked = self.ask(kept)
        self.threads.finish()
        self.assertEqual(list(self.successResultOf(asked).lines), ["e.f"])

    def test_a_parser_that_fails_is_told_of_once_for_each_file_it_fails_on(self):
        def parse(data, path):
            raise ValueError("a bug")

        kept = self.keep()
        kept.parse = parse
        for _ in range(3):
            asked = self.ask(kept)
            self.threads.finish()
            self.failureResultOf(asked, LocalFault)
            self.clock.advance(LOOK_SECONDS)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.folder.write("x", "c.d")
        asked = self.ask(kept)
        self.threads.finish()
        self.failureResultOf(asked, LocalFault)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_threads_that_have_ended_keep_nobody_waiting(self):
        async def ended(work):
            raise RuntimeError("no threads")

        shelf = Shelf(self.clock, ended)
        kept = shelf.keep(self.folder.write("x", "a.b"), parse_names)
        self.failureResultOf(Deferred.fromCoroutine(shelf.value(kept)), LocalFault)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
