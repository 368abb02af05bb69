"""Tests for :mod:`tests.faults.disk`: a flush is what it is, and no more."""

from __future__ import annotations

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from .disk import Disk
from .losses import LOSSES, build, pending
from .test_trace import line
from .trace import NotUnderstood, read

CREATE = 'openat(AT_FDCWD<@/@>, "@/d/{0}@", O_RDWR|O_CREAT, 0600) = 4<@/d/{0}@>'
WRITE = 'pwrite64(4<@/d/{0}@>, "@{1}@", {2}, {3}) = {2}'


def create(name: str) -> str:
    """A new file."""
    return line(CREATE.format(name))


def write(name: str, text: str, offset: int = 0) -> str:
    """Octets in it."""
    return line(WRITE.format(name, text, len(text), offset))


def flush(name: str = "") -> str:
    """A flush of a file, or of the folder."""
    return line(f"fsync(4<@/d{'/' if name else ''}{name}@>) = 0")


class Losing(SynchronousTestCase):
    """Something happens in the folder ``/d``; then power is lost."""

    def follow(self, *lines: str) -> Disk:
        disk = Disk("/d")
        for call in read(lines):
            disk.follow(call)
        return disk

    def left(
        self, *lines: str, loss: str = "everything unflushed", seed: int = 1
    ) -> dict[str, bytes]:
        """The files that a loss leaves, by path."""
        disk, random = self.follow(*lines), Random(seed)
        folder = Path(self.mktemp())
        kept = LOSSES[loss](pending(disk), random)
        build(disk, kept, folder, random)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


class FlushTests(Losing):
    """What is on the disk for sure."""

    def test_octets_and_name_need_a_flush_each(self):
        self.assertEqual(self.left(create("f"), write("f", "aa"), flush("f")), {})
        self.assertEqual(
            self.left(create("f"), write("f", "aa"), flush()), {"f": b""}
        )
        self.assertEqual(
            self.left(create("f"), write("f", "aa"), flush("f"), flush()),
            {"f": b"aa"},
        )

    def test_octets_written_after_the_last_flush_are_not_there(self):
        left = self.left(
            create("f"), flush(), write("f", "aaaa"), flush("f"), write("f", "bb", 2)
        )
        self.assertEqual(left, {"f": b"aaaa"})

    def test_a_write_during_a_flush_is_not_covered_by_it(self):
        left = self.left(
            create("f"), flush(), write("f", "aa"),
            line("fsync(4<@/d/f@> <unfinished ...>", 8),
            write("f", "bb", 2),
            line("<... fsync resumed>) = 0", 8),
        )
        self.assertEqual(left, {"f": b"aa"})

    def test_a_write_that_was_not_over_when_the_flush_began_is_not_covered(self):
        left = self.left(
            create("f"), flush(),
            line('pwrite64(4<@/d/f@>, "@aa@", 2, 0 <unfinished ...>', 8),
            line("fsync(4<@/d/f@> <unfinished ...>"),
            line("<... pwrite64 resumed>) = 2", 8),
            line("<... fsync resumed>) = 0"),
        )
        self.assertEqual(left, {"f": b""})

    def test_writes_without_a_place_follow_one_another(self):
        once = line('write(4<@/d/f@>, "@ab@", 2) = 2')
        sought = line("lseek(4<@/d/f@>, 1, SEEK_SET) = 1")
        left = self.left(create("f"), once, once, sought, once, flush("f"), flush())
        self.assertEqual(left, {"f": b"aabb"})

    def test_a_name_goes_with_its_octets(self):
        moved = line('rename("@/d/f@", "@/d/g@") = 0')
        begun = create("f"), write("f", "aa"), flush("f"), flush()
        self.assertEqual(self.left(*begun, moved), {"f": b"aa"})
        self.assertEqual(self.left(*begun, moved, flush()), {"g": b"aa"})

    def test_a_link_is_the_same_file(self):
        linked = line('link("@/d/f@", "@/d/g@") = 0')
        left = self.left(
            create("f"), linked, write("f", "aa"), flush("g"), flush(),
            line('unlink("@/d/f@") = 0'),
        )
        self.assertEqual(left, {"f": b"aa", "g": b"aa"})

    def test_a_file_is_only_there_with_its_folder(self):
        made = line('mkdir("@/d/e@", 0700) = 0')
        inside = create("e/f"), write("e/f", "aa"), flush("e/f"), flush("e")
        self.assertEqual(self.left(made, *inside), {})
        self.assertEqual(self.left(made, *inside, flush()), {"e/f": b"aa"})

    def test_a_size_is_data(self):
        cut = line("ftruncate(4<@/d/f@>, 1) = 0")
        begun = create("f"), flush(), write("f", "aa"), flush("f"), cut
        self.assertEqual(self.left(*begun), {"f": b"aa"})
        self.assertEqual(self.left(*begun, flush("f")), {"f": b"a"})

    def test_files_elsewhere_are_none_of_ours(self):
        elsewhere = line('openat(AT_FDCWD<@/@>, "@/x@", O_CREAT) = 4<@/x@>')
        disk = self.follow(elsewhere, line('write(4<@/x@>, "@a@", 1) = 1'))
        self.assertEqual(disk.pending(), 0)

    def test_a_change_by_a_call_that_is_not_followed_is_an_error(self):
        self.assertRaises(
            NotUnderstood,
            self.follow, create("f"), line("fallocate(4<@/d/f@>, 0, 0, 9) = 0"),
        )


class LossTests(Losing):
    """What each loss leaves of a new file and of one that grows."""

    def setUp(self):
        self.life = (
            create("old"), flush(), write("old", "aaaa"), flush("old"),
            write("old", "bbbb", 2), create("new"), write("new", "cc"),
        )

    def test_losses_leave_what_they_say(self):
        kept, zeros = b"aabbbb", b"aaaa\0\0"
        for loss, left in (
            ("nothing (a kill)", {"old": kept, "new": b"cc"}),
            ("everything unflushed", {"old": b"aaaa"}),
            ("contents, not names", {"old": b"aaaa", "new": b""}),
            ("names, not contents", {"old": kept}),
            ("growth of files", {"old": b"aabb", "new": b""}),
            ("new octets are zeros", {"old": zeros, "new": b"\0\0"}),
        ):
            self.assertEqual(self.left(*self.life, loss=loss), left, loss)

    def test_losses_by_chance_leave_different_things(self):
        for loss in ("some names", "any of all", "the earlier", "the later", "one",
                     "all but one", "torn at 512 octets", "torn at 4096 octets"):
            found = {
                str(self.left(*self.life, loss=loss, seed=seed)) for seed in range(9)
            }
            self.assertGreater(len(found), 1, loss)

    def test_torn_writes_end_at_borders(self):
        data = "x" * 2048
        seen = set()
        for seed in range(8):
            [left] = self.left(
                create("f"), flush(), write("f", data, 256),
                loss="torn at 512 octets", seed=seed,
            ).values()
            starts = [place for place in range(0, len(left), 256) if left[place]]
            seen.update(starts)
            for border in range(512, 2048, 512):
                self.assertEqual(border in starts, border + 256 in starts)
        self.assertEqual(seen, set(range(256, 2304, 256)))
