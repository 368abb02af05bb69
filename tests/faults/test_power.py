"""Tests for :mod:`tests.faults.power`: a loss is exactly what was not flushed."""

from __future__ import annotations

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from .power import Recording, lose


class LossTests(SynchronousTestCase):
    """Lines of strace(1) in, files that a power loss leaves out."""

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def lose(self, trace, random=None, existing=()):
        """Follow *trace*, where ``@`` is the folder, then lose."""
        recording = Recording(str(self.folder))
        recording.know(str(self.folder / name) for name in existing)
        recording.read(trace.replace("@", str(self.folder)).splitlines())
        return lose(recording, self.folder, random)

    def write(self, name, data):
        (self.folder / name).write_bytes(data)

    def read(self, name):
        return (self.folder / name).read_bytes()

    def test_octets_written_after_the_last_flush_are_zeros(self):
        self.write("wal", b"aaaabbbbcccc")
        lost = self.lose(
            '7 pwrite64(4<@/wal>, ""..., 4, 0) = 4\n'
            "7 fdatasync(4<@/wal>)   = 0\n"
            '7 pwrite64(4<@/wal>, ""..., 4, 8) = 4\n',
            existing=["wal"],
        )
        self.assertEqual(self.read("wal"), b"aaaabbbb\0\0\0\0")
        self.assertEqual(lost, 1)

    def test_a_write_during_a_flush_is_not_covered_by_it(self):
        self.write("wal", b"aaaabbbbcccc")
        self.lose(
            '7 pwrite64(4<@/wal>, ""..., 4, 0) = 4\n'
            "8 fsync(4<@/wal> <unfinished ...>\n"
            '7 pwrite64(4<@/wal>, ""..., 4, 4) = 4\n'
            "8 <... fsync resumed>) = 0\n",
            existing=["wal"],
        )
        self.assertEqual(self.read("wal"), b"aaaa\0\0\0\0cccc")

    def test_a_write_that_was_not_over_when_the_flush_began_is_not_covered(self):
        self.write("wal", b"aaaabbbb")
        self.lose(
            '7 pwrite64(4<@/wal>, ""..., 4, 0 <unfinished ...>\n'
            "8 fsync(4<@/wal> <unfinished ...>\n"
            "7 <... pwrite64 resumed>) = 4\n"
            "8 <... fsync resumed>) = 0\n",
            existing=["wal"],
        )
        self.assertEqual(self.read("wal"), b"\0\0\0\0bbbb")

    def test_a_flush_that_failed_or_never_ended_flushed_nothing(self):
        for flush in (
            "7 fsync(4<@/wal>) = -1 EIO (Input/output error)\n",
            "7 fsync(4<@/wal>) = ?\n",
            "7 fsync(4<@/wal> <unfinished ...>\n7 +++ killed by SIGKILL +++\n",
        ):
            self.write("wal", b"aaaa")
            self.lose(
                f'7 pwrite64(4<@/wal>, ""..., 4, 0) = 4\n{flush}', existing=["wal"]
            )
            self.assertEqual(self.read("wal"), b"\0\0\0\0")

    def test_a_file_that_was_written_without_a_place_is_lost_whole(self):
        self.write("body", b"aaaa")
        self.lose('7 write(4<@/body>, ""..., 4) = 4\n', existing=["body"])
        self.assertEqual(self.read("body"), b"")

    def test_a_new_name_is_lost_unless_its_folder_was_flushed(self):
        opened = '7 openat(AT_FDCWD</>, "@/{}", O_RDWR|O_CREAT, 0600) = 4<@/{}>\n'
        for name in ("early", "late"):
            self.write(name, b"aaaa")
        self.lose(
            opened.format("early", "early")
            + "7 fsync(5<@>) = 0\n"
            + opened.format("late", "late")
        )
        self.assertEqual([path.name for path in self.folder.iterdir()], ["early"])

    def test_a_link_and_a_rename_are_names_like_all_others(self):
        for name in ("linked", "renamed"):
            self.write(name, b"aaaa")
        names = (
            '7 link("@/old", "@/linked") = 0\n'
            '7 renameat2(AT_FDCWD</>, "@/old", AT_FDCWD</>, "@/renamed", 0) = 0\n'
        )
        self.lose(names + "7 fsync(5<@>) = 0\n", existing=["old"])
        self.assertEqual(self.read("linked") + self.read("renamed"), b"aaaaaaaa")
        self.lose(names, existing=["old"])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_octets_in_doubt_go_with_the_file_to_its_new_name(self):
        self.write("final", b"aaaa")
        moved = '7 rename("@/spool", "@/final") = 0\n7 fsync(5<@>) = 0\n'
        written = '7 write(4<@/spool>, ""..., 4) = 4\n'
        self.lose(
            written + "7 fsync(4<@/spool>) = 0\n" + moved, existing=["spool"]
        )
        self.assertEqual(self.read("final"), b"aaaa")
        self.lose(written + moved, existing=["spool"])
        self.assertEqual(self.read("final"), b"")

    def test_a_file_in_a_folder_that_is_lost_is_lost(self):
        (self.folder / "sub").mkdir()
        self.write("sub/file", b"aaaa")
        self.lose(
            '7 mkdir("@/sub", 0700) = 0\n'
            '7 openat(AT_FDCWD</>, "@/sub/file", O_CREAT, 0600) = 4<@/sub/file>\n'
            "7 fsync(5<@/sub>) = 0\n"
        )
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_removed_file_stays_removed(self):
        lost = self.lose(
            '7 openat(AT_FDCWD</>, "@/spool", O_RDWR|O_CREAT, 0600) = 4<@/spool>\n'
            '7 write(4<@/spool>, ""..., 4) = 4\n'
            '7 unlink("@/spool") = 0\n'
        )
        self.assertEqual(lost, 0)

    def test_files_elsewhere_are_none_of_ours(self):
        lost = self.lose(
            '7 openat(AT_FDCWD</>, "/dev/null", O_RDWR|O_CREAT) = 4</dev/null>\n'
            '7 write(2</dev/pts/0>, ""..., 4) = 4\n'
            '7 write(5<socket:[1234]>, ""..., 4) = 4\n'
        )
        self.assertEqual(lost, 0)

    def test_the_shared_memory_of_sqlite_is_always_lost(self):
        self.write("mailhub.sqlite-shm", b"aaaa")
        self.lose("", existing=["mailhub.sqlite-shm"])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_random_loss_loses_some_and_keeps_some(self):
        self.write("wal", b"a" * 100)
        trace = "".join(
            f'7 pwrite64(4<@/wal>, ""..., 1, {place}) = 1\n' for place in range(100)
        )
        lost = self.lose(trace, Random(1), existing=["wal"])
        self.assertEqual(self.read("wal").count(0), lost)
        self.assertTrue(20 < lost < 80)
