"""Tests of :mod:`mailhub.watched.reading`."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailhub.watched.reading import Unsafe, changed_at, read_file, signature_of

from .places import Folder


def _owned_by(path, uid):
    status = list(os.stat(path))
    status[4] = uid
    return os.stat_result(status, {"st_mtime_ns": 0, "st_ctime_ns": 0})


class ReadingTests(SynchronousTestCase):
    """What is read at all."""

    def setUp(self):
        self.folder = Folder(self.mktemp())

    def test_a_plain_file_is_read_up_to_one_octet_more_than_asked_for(self):
        path = self.folder.write("x", "abcd")
        self.assertEqual(read_file(path, 4).data, b"abcd")
        self.assertEqual(read_file(path, 2).data, b"abc")
        self.assertEqual(read_file(path, 4).signature, signature_of(path))

    def test_a_fifo_keeps_nobody_waiting(self):
        path = os.path.join(self.folder.path, "fifo")
        os.mkfifo(path)
        self.assertRaises(Unsafe, read_file, path, 10)

    def test_a_folder_and_a_device_are_no_files(self):
        for path in (self.folder.path, "/dev/zero"):
            self.assertRaises(Unsafe, read_file, path, 10)

    def test_a_file_that_everybody_can_write_is_not_trusted(self):
        path = self.folder.write("x", "abcd", 0o646)
        self.assertRaises(Unsafe, read_file, path, 10)

    def test_a_user_s_file_is_the_user_s_or_root_s(self):
        path = self.folder.write("x", "abcd")
        for owner, belongs_to, is_read in (
            (7, 7, True), (7, 0, True), (7, 8, False), (0, 7, False)
        ):  # fmt: skip
            self.patch(os, "fstat", lambda fd, uid=belongs_to: _owned_by(path, uid))
            if is_read:
                self.assertEqual(read_file(path, 10, owner).data, b"abcd")
            else:
                self.assertRaises(Unsafe, read_file, path, 10, owner)

    def test_a_user_s_link_to_another_s_file_is_not_followed(self):
        path = self.folder.write("secret", "abcd")
        link = os.path.join(self.folder.path, ".forward")
        os.symlink(path, link)
        self.assertEqual(read_file(link, 10).data, b"abcd")
        self.assertRaises(Unsafe, read_file, link, 10, os.geteuid())


class SignatureTests(SynchronousTestCase):
    """What tells a change."""

    def setUp(self):
        self.folder = Folder(self.mktemp())

    def test_every_change_has_another(self):
        path = os.path.join(self.folder.path, "x")
        seen = {signature_of(path)}
        self.folder.write("x", "abcd")
        seen.add(signature_of(path))
        self.folder.write("x", "abce")
        seen.add(signature_of(path))
        os.rename(self.folder.write("y", "abce"), path)
        seen.add(signature_of(path))
        os.chmod(path, 0o600)
        seen.add(signature_of(path))
        os.remove(path)
        self.assertEqual(len(seen), 5)
        self.assertIsNone(signature_of(path))

    def test_what_cannot_be_known_is_a_text(self):
        path = os.path.join(self.folder.path, "x" * 300)
        self.assertEqual(signature_of(path), "File name too long")
        self.assertIsNone(changed_at(signature_of(path)))
