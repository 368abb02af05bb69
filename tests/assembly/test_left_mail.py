"""Tests for :mod:`mailhub.assembly.left_mail`."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailhub.assembly import left_mail
from mailhub.assembly.left_mail import (
    ABANDONED,
    DropFolder,
    Waiting,
    fair,
    user_name,
)
from mailhub.store.content import MemorySpool

from .drops import ENVELOPE, STRANGER, TEXT, Drops

NOW = 2_000_000_000.0
SIZE = 1024


class LeftMailTests(Drops, SynchronousTestCase):
    """Everybody may put everything there; only mail of one's own is mail."""

    def setUp(self):
        super().setUp()
        self.prepared()
        self.folder = DropFolder(self.drop, MemorySpool, SIZE)

    def waiting(self, now=NOW):
        return self.folder.waiting(now)

    def test_who_owns_the_file_has_sent_it(self):
        self.leave(ENVELOPE + b"a\nb\r\n")
        [waiting] = self.waiting()
        left = self.folder.read(waiting)
        self.assertEqual((left.user, left.user_id), (user_name(STRANGER), STRANGER))
        self.assertEqual(left.content.data, b"a\r\nb\r\n")
        self.assertEqual(str(left.batch.sender), "nobody@mail.example.org")
        self.folder.remove(waiting)
        self.assertEqual(self.names(), [])
        self.folder.remove(waiting)

    def test_who_has_no_name_has_a_number(self):
        self.assertEqual(user_name(4_000_000_000), "uid4000000000")

    def test_another_name_of_somebody_s_file_is_not_that_one_s_mail(self):
        own = Path(self.place, "theirs")
        own.write_bytes(ENVELOPE + TEXT)
        own.chmod(0o640)
        os.link(own, Path(self.drop, "0" * 32))
        self.assertEqual(self.waiting(), [])
        self.assertEqual(self.names(), [])
        self.assertEqual(own.read_bytes(), ENVELOPE + TEXT)

    def test_what_is_no_file_is_never_opened_and_goes(self):
        Path(self.drop, "0" * 32).symlink_to("/etc/passwd")
        os.mkfifo(Path(self.drop, "1" * 32), 0o640)
        os.mkdir(Path(self.drop, "2" * 32))
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(str(Path(self.drop, "3" * 32)))
        full = Path(self.drop, "4" * 32)
        full.mkdir()
        full.joinpath("file").write_bytes(ENVELOPE)
        self.assertEqual(self.waiting(), [])
        self.assertEqual(self.names(), [full.name])
        self.assertEqual(os.listdir(full), ["file"])

    def test_what_takes_a_message_s_place_is_not_read(self):
        path = self.leave()
        [waiting] = self.waiting()
        for put in (
            lambda: path.symlink_to("/etc/passwd"),
            lambda: os.mkfifo(path, 0o640),
            lambda: path.mkdir(),
            lambda: self.leave(name=path.name, mode=0o644),
        ):
            path.rmdir() if path.is_dir() else path.unlink()
            put()
            try:
                self.assertIsNone(self.folder.read(waiting))
            except OSError:
                self.assertTrue(path.is_symlink())

    def test_what_is_being_written_stays_until_nobody_can_be_writing_it(self):
        path = self.leave(mode=0o600)
        for now, names in ((NOW + ABANDONED - 1, [path.name]), (NOW + ABANDONED, [])):
            if path.exists():
                os.utime(path, (NOW, NOW))
            self.assertEqual(self.waiting(now), [])
            self.assertEqual(self.names(), names)

    def test_other_modes_and_names_are_no_mail(self):
        for mode in (0o644, 0o660, 0o666, 0o4640, 0o440, 0):
            self.leave(mode=mode)
        for name in ("letter", "0" * 31, "G" * 32, "0" * 33, ".hidden"):
            self.leave(name=name)
        self.assertEqual(self.waiting(), [])
        self.assertEqual(self.names(), [])

    def test_what_is_cut_short_or_no_envelope_goes(self):
        for octets in (b"", ENVELOPE[:-3], b"\0" * 500, b"x" * 100_000, TEXT):
            self.leave(octets)
            [waiting] = self.waiting()
            self.assertIsNone(self.folder.read(waiting))
            self.assertEqual(self.names(), [])

    def test_a_message_has_so_many_octets_and_no_more(self):
        for octets, is_read in ((b"x" * (SIZE - 2), True), (b"x" * (SIZE - 1), False)):
            self.leave(ENVELOPE + octets)
            [waiting] = self.waiting()
            self.assertEqual(self.folder.read(waiting) is not None, is_read)
            self.folder.remove(waiting)

    def test_so_many_of_one_user_are_thought_of_and_no_more(self):
        self.patch(left_mail, "MAX_OF_USER", 3)
        paths = [self.leave() for _ in range(3)]
        self.assertEqual(len(self.waiting()), 3)
        paths.append(self.leave())
        self.assertEqual(len(self.waiting()), 3)
        # Those that wait for another time do not stand in the way of the others.
        put_off = {path.name for path in paths[:3]}
        found = self.folder.waiting(NOW, put_off)
        self.assertEqual([each.name for each in found], [paths[3].name])
        self.assertEqual(len(self.names()), 4)

    def test_what_is_gone_again_is_nothing(self):
        path = self.leave()
        [waiting] = self.waiting()
        path.unlink()
        self.assertIsNone(self.folder.read(waiting))

    def test_users_take_turns_each_with_the_oldest_first(self):
        rows = {
            1: [Waiting(f"a{n}", 1, 9.0 - n) for n in range(5)],
            2: [Waiting("b", 2, 99.0)],
            3: [Waiting("c", 3, 50.0), Waiting("d", 3, 60.0)],
        }
        names = [each.name for each in fair(rows)]
        self.assertEqual(names, ["a4", "b", "c", "a3", "d", "a2", "a1", "a0"])
