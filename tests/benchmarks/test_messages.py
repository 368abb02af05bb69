"""The messages that are sent."""

from __future__ import annotations

import email

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.messages import (
    RARE,
    RARE_SUBJECT,
    SET_SIZE,
    SETS,
    message,
    messages,
    small,
)


class MessageTests(SynchronousTestCase):
    """RFC 5321, section 4.5.2: no line may begin with a dot as it is."""

    def all(self) -> list[bytes]:
        numbers = range(40)
        kinds = [message(number, kind) for kind in SETS for number in numbers]
        return kinds + [small(number) for number in numbers]

    def test_lines_end_with_crlf_and_none_begins_with_a_dot(self):
        for data in self.all():
            self.assertTrue(data.endswith(b"\r\n"))
            self.assertEqual(data.count(b"\n"), data.count(b"\r\n"))
            self.assertEqual(data.count(b"\r"), data.count(b"\r\n"))
            self.assertNotIn(b"\n.", b"\n" + data)

    def test_they_are_the_same_in_every_run(self):
        for kind in SETS:
            self.assertEqual(message(19, kind), message(19, kind))
            self.assertNotEqual(message(19, kind), message(39, kind))

    def test_a_mix_has_three_sizes(self):
        sizes = [len(data) for data in messages("mix")]
        small_ones = [size for size in sizes if size < 5_000]
        large_ones = [size for size in sizes if size > 400_000]
        self.assertEqual(len(sizes), SET_SIZE)
        self.assertEqual(len(small_ones), SET_SIZE * 70 // 100)
        self.assertEqual(len(large_ones), SET_SIZE * 5 // 100)

    def test_plain_messages_have_four_kibibytes(self):
        for data in messages("plain"):
            self.assertTrue(4_000 <= len(data) <= 4_200, len(data))

    def test_one_in_a_hundred_has_the_words_that_are_searched(self):
        for kind in SETS:
            found = messages(kind)
            rare = [data for data in found if RARE.encode() in data]
            subjects = [data for data in found if RARE_SUBJECT.encode() in data]
            self.assertEqual(len(rare), SET_SIZE // 100)
            self.assertEqual(len(subjects), SET_SIZE // 100)

    def test_python_reads_them_without_complaint(self):
        for data in self.all():
            parsed = email.message_from_bytes(data)
            self.assertEqual([*parsed.defects], [])
            self.assertTrue(parsed["Message-ID"])
