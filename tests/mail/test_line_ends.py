"""Tests for :mod:`mailhub.mail.line_ends`."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.line_ends import PIECE, lines_of

TEXTS = (
    # As a program writes it; whole; where a dot ends it.
    (b"", b"", b""),
    (b"a\n", b"a\r\n", b"a\r\n"),
    (b"a\r\nb", b"a\r\nb\r\n", b"a\r\nb\r\n"),
    (b"a\n.\nb\n", b"a\r\n.\r\nb\r\n", b"a\r\n"),
    (b"a\r\n.\r\nb\r\n", b"a\r\n.\r\nb\r\n", b"a\r\n"),
    (b"a\n.", b"a\r\n.\r\n", b"a\r\n"),
    (b"..\n.x\n", b"..\r\n.x\r\n", b"..\r\n.x\r\n"),
    (b"a\rb\n", b"ab\r\n", b"ab\r\n"),
    (b"a\r\r\n", b"a\r\n", b"a\r\n"),
)


def lines(text: bytes, *, dot_ends: bool = False) -> bytes:
    return b"".join(lines_of(BytesIO(text), dot_ends=dot_ends))


class LineEndTests(SynchronousTestCase):
    """RFC 5322, section 2.3: CR and LF stand together only."""

    def test_lines_end_with_crlf(self):
        for text, whole, dotted in TEXTS:
            self.assertEqual(lines(text), whole)
            self.assertEqual(lines(text, dot_ends=True), dotted)

    def test_a_line_longer_than_a_piece_stays_one(self):
        for length in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5):
            for end in (b"", b"\n", b"\r\n"):
                found = lines(b"x" * length + end, dot_ends=True)
                self.assertEqual(found, b"x" * length + b"\r\n")

    def test_a_dot_at_the_end_of_a_long_line_ends_nothing(self):
        text = b"x" * PIECE + b".\nmore\n"
        self.assertEqual(lines(text, dot_ends=True), text.replace(b"\n", b"\r\n"))

    @given(st.binary(max_size=200))
    @settings(max_examples=100, deadline=None)
    def test_no_cr_or_lf_stands_alone_and_a_second_time_changes_nothing(self, text):
        found = lines(text)
        rest = found.replace(b"\r\n", b"")
        self.assertNotIn(b"\r", rest)
        self.assertNotIn(b"\n", rest)
        self.assertEqual(lines(found), found)
