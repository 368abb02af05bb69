"""Tests of messages that arrive in pieces."""

from __future__ import annotations

import os
import tracemalloc
from hashlib import sha256
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailhub.errors import LocalFault, StorageFull
from mailhub.interfaces import IContent, ISpool
from mailhub.net.spool import MEMORY_LIMIT, Spool


class SpoolTests(SynchronousTestCase):
    """Small messages stay in memory, large ones go to a file."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.mkdir(self.directory)

    def spool(self, *pieces: bytes):
        spool = Spool(self.directory)
        for piece in pieces:
            spool.write(piece)
        return spool

    def read(self, content, start: int, stop: int) -> bytes:
        return self.successResultOf(Deferred.fromCoroutine(content.read(start, stop)))

    def test_it_provides_what_it_promises(self) -> None:
        for size in (1, MEMORY_LIMIT + 1):
            spool = self.spool(b"x" * size)
            verifyObject(ISpool, spool)
            content = spool.finish()
            verifyObject(IContent, content)
            content.close()

    def test_content_is_what_was_written_at_the_limit_and_above(self) -> None:
        for size in (0, 1, MEMORY_LIMIT, MEMORY_LIMIT + 1, 3 * MEMORY_LIMIT):
            data = os.urandom(size)
            content = self.spool(data[:10], data[10:]).finish()
            self.assertEqual(content.size, size)
            self.assertEqual(content.digest, sha256(data).digest())
            self.assertEqual(content.path is None, size <= MEMORY_LIMIT)
            self.assertEqual(self.read(content, 0, size), data)
            self.assertEqual(self.read(content, 5, size + 9), data[5:])
            content.close()
            content.close()
        self.assertEqual(os.listdir(self.directory), [])

    def test_less_may_stay_in_memory(self) -> None:
        for most, size, is_file in (
            (100, 100, False), (100, 101, True), (0, 1, True), (-5, 1, True),
        ):  # fmt: skip
            spool = Spool(self.directory)
            spool.in_memory = most
            spool.write(b"x" * size)
            content = spool.finish()
            self.assertEqual(content.path is not None, is_file)
            content.close()

    def test_a_message_in_many_pieces_takes_little_more_than_its_octets(self) -> None:
        data = os.urandom(MEMORY_LIMIT)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        spool = Spool(self.directory)
        for at in range(0, len(data), 2):
            spool.write(data[at : at + 2])
        taken, _ = tracemalloc.get_traced_memory()
        self.assertLess(taken, MEMORY_LIMIT + 8_192)
        self.assertEqual(self.read(spool.finish(), 0, len(data)), data)

    def test_a_spool_thrown_away_leaves_no_file(self) -> None:
        spool = self.spool(b"x" * MEMORY_LIMIT, b"yy")
        self.assertEqual(len(os.listdir(self.directory)), 1)
        spool.close()
        self.assertEqual(os.listdir(self.directory), [])

    def test_close_after_finish_keeps_the_content(self) -> None:
        spool = self.spool(b"x" * MEMORY_LIMIT, b"yy")
        content = spool.finish()
        spool.close()
        self.assertEqual(self.read(content, MEMORY_LIMIT, MEMORY_LIMIT + 2), b"yy")
        content.close()

    def test_a_volume_that_takes_no_changes_does_not_change_the_outcome(self) -> None:
        content = self.spool(b"x" * MEMORY_LIMIT, b"yy").finish()
        thrown_away = self.spool(b"x" * MEMORY_LIMIT, b"yy")
        with patch("os.unlink", side_effect=OSError(30, "read-only")):
            content.close()
            content.close()
            thrown_away.close()

    def test_files_are_private(self) -> None:
        content = self.spool(b"x" * MEMORY_LIMIT, b"yy").finish()
        self.assertEqual(os.stat(content.path).st_mode & 0o777, 0o600)
        content.close()

    def test_a_full_volume_is_temporary(self) -> None:
        for number, kind in ((28, StorageFull), (5, LocalFault)):
            spool = Spool(self.directory)
            with patch("tempfile.mkstemp", side_effect=OSError(number, "no")):
                error = self.assertRaises(kind, spool.write, b"x" * (MEMORY_LIMIT + 1))
            self.assertFalse(error.permanent)
            spool.close()
