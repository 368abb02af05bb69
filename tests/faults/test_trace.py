"""Tests for :mod:`tests.faults.trace` and :mod:`tests.faults.answers`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .answers import Answers
from .trace import UNKNOWN, NotUnderstood, read


def hexadecimal(text: str) -> str:
    """As strace writes it."""
    return "".join(f"\\x{octet:02x}" for octet in text.encode())


def line(text: str, thread: int = 7) -> str:
    """A line of strace: what stands between ``@`` and ``@`` becomes hexadecimal."""
    parts = text.split("@")
    parts[1::2] = map(hexadecimal, parts[1::2])
    return f"{thread} 1700000000.5 {''.join(parts)}\n"


def calls(*lines: str) -> list:
    """What they tell of."""
    return list(read(lines))


class TraceTests(SynchronousTestCase):
    """Lines of strace(1) in, calls out."""

    def test_a_write_has_its_file_its_octets_and_its_place(self):
        [call] = calls(line('pwrite64(4<@/d/wal@>, "@a"b@", 3, 4096) = 3'))
        self.assertEqual(
            (call.file, call.data, call.last_number), ("/d/wal", b'a"b', 4096)
        )

    def test_a_short_write_has_only_what_was_written(self):
        [call] = calls(line('write(4<@/d/f@>, "@abc@", 3) = 2'))
        self.assertEqual(call.data, b"ab")

    def test_a_call_in_two_lines_is_one_that_began_before_it_ended(self):
        [first, second] = calls(
            line("fsync(4<@/d/wal@> <unfinished ...>", 8),
            line('write(5<@/d/f@>, "@x@", 1) = 1'),
            line("<... fsync resumed>) = 0", 8),
        )
        self.assertEqual((first.name, second.name), ("write", "fsync"))
        self.assertEqual((second.began, second.moment), (1, 3))

    def test_calls_that_failed_did_nothing(self):
        self.assertEqual(calls(line("fsync(4<@/d/f@>) = -1 EIO (Input/output)")), [])

    def test_a_write_that_nobody_saw_the_end_of_is_none(self):
        killed = line('write(4<@/d/f@>, "@abc@", 3 <unfinished ...>) = ?')
        self.assertEqual(calls(killed, line("+++ killed by SIGKILL +++")), [])

    def test_what_may_have_been_sent_counts_from_the_beginning(self):
        [call] = calls(
            line('sendto(4<@socket:[1]@>, "@250 ok@", 6, 0, NULL, 0 <unfinished ...>'),
            line("<... sendto resumed>) = 6"),
        )
        self.assertEqual((call.moment, call.result, call.data), (1, UNKNOWN, b"250 ok"))

    def test_paths_are_joined_to_the_folder_they_are_relative_to(self):
        [call] = calls(line('unlinkat(4<@/d@>, "@name@", 0) = 0'))
        self.assertEqual(call.paths, ["/d/name"])
        [call] = calls(line('renameat(3<@/d@>, "@a@", 4<@/e@>, "@b@") = 0'))
        self.assertEqual(call.paths, ["/d/a", "/e/b"])
        [call] = calls(line('rename("@/d/a@", "@/e/b@") = 0'))
        self.assertEqual(call.paths, ["/d/a", "/e/b"])

    def test_what_was_not_recorded_whole_is_not_understood(self):
        self.assertRaises(
            NotUnderstood, calls, line('write(4<@/d/f@>, "@abc@"..., 300) = 300')
        )


class AnswersTests(SynchronousTestCase):
    """Answers are found by port, and tag or ordinal."""

    def follow(self, *texts: str) -> dict:
        accepted = "accept4(3<@socket:[1]@>, {sa_family=AF_INET, sin_port=htons(99)},"
        answers = Answers()
        sends = (
            line(f'sendto(5<@socket:[2]@>, "@{text}@", {len(text)}, 0, NULL, 0)'
                 f" = {len(text)}")
            for text in texts
        )
        for call in read([line(f"{accepted} [16], 0) = 5<@socket:[2]@>"), *sends]):
            answers.follow(call)
        return answers.moments

    def test_smtp_answers_count_from_each_354(self):
        moments = self.follow(
            "250 sender\r\n250 recipient\r\n354 go\r\n", "250 o", "k\r\n354 go\r\n",
            "451 no\r\n354 go\r\n250 ok\r\n",
        )
        self.assertEqual(moments, {(99, 1): 4, (99, 3): 5})

    def test_imap_answers_have_tags(self):
        moments = self.follow("* 3 EXISTS\r\nc7 OK done\r\nc8 NO\r\nc9 OK\r\n")
        self.assertEqual(moments, {(99, b"c7"): 2, (99, b"c9"): 2})
