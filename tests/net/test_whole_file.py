"""Tests for :mod:`mailhub.net.whole_file`."""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.whole_file import replace_file


class ReplacingTests(SynchronousTestCase):
    """A file is the old one or the new one."""

    def setUp(self):
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "secrets"
        self.path.write_bytes(b"old")
        self.path.chmod(0o644)
        self.flushed = []
        flush = os.fsync

        def noted(descriptor):
            self.flushed.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
            if self.fails:
                raise OSError("no")
            flush(descriptor)

        self.fails = False
        self.patch(os, "fsync", noted)

    def names(self):
        return [each.name for each in self.folder.iterdir()]

    def test_it_is_for_its_owner_alone(self):
        replace_file(str(self.path), b"new")
        self.assertEqual(self.path.read_bytes(), b"new")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(self.names(), ["secrets"])

    def test_the_octets_are_flushed_before_the_name(self):
        replace_file(str(self.path), b"new")
        self.assertEqual(self.flushed, [False, True])

    def test_what_cannot_be_written_leaves_the_old_one(self):
        self.fails = True
        self.assertRaises(OSError, replace_file, str(self.path), b"new")
        self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual(self.names(), ["secrets"])
