"""Tests of input that waits to be read."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.buffer import InputBuffer
from mailhub.net.endings import BareNewline, LineTooLong

LIMIT = 12


def lines_of(pieces: list[bytes]) -> list[object]:
    """What a reader sees of *pieces*."""
    buffer = InputBuffer()
    seen: list[object] = []
    for piece in pieces:
        buffer.feed(piece)
        while True:
            try:
                line = buffer.take_line(LIMIT)
            except (BareNewline, LineTooLong) as error:
                seen.append(type(error))
                continue
            if line is None:
                break
            seen.append(line)
    seen.append(buffer.take(1_000_000))
    return seen


class InputBufferTests(SynchronousTestCase):
    """The same lines come out, however the octets were cut."""

    def test_lines(self) -> None:
        for octets, seen in (
            (b"", [b""]),
            (b"\r\n", [b"", b""]),
            (b"a\r\nb\r\nc", [b"a", b"b", b"c"]),
            (b"a\nb\r\n", [BareNewline, b"b", b""]),
            (b"\n\r\n", [BareNewline, b"", b""]),
            (b"a\r\r\n", [BareNewline, b""]),
            (b"a\rb\r\n", [BareNewline, b""]),
            (b"x" * 10 + b"\r\n", [b"x" * 10, b""]),
            (b"x" * 11 + b"\r\n", [LineTooLong, b""]),
        ):
            self.assertEqual(lines_of([octets]), seen, octets)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.text("ab\r\n", max_size=20).map(str.encode), max_size=8))
    def test_cuts_make_no_difference(self, pieces: list[bytes]) -> None:
        whole = b"".join(pieces)
        expected = lines_of([whole])
        self.assertEqual(lines_of(pieces), expected)
        singly = [whole[n : n + 1] for n in range(len(whole))]
        self.assertEqual(lines_of(singly), expected)

    def test_octets_and_lines_mix(self) -> None:
        buffer = InputBuffer()
        buffer.feed(b"one\r\nabcdef\r\nrest")
        self.assertEqual(buffer.take_line(LIMIT), b"one")
        self.assertEqual(buffer.take(4), b"abcd")
        buffer.unread(b"cd")
        self.assertEqual(buffer.take_line(LIMIT), b"cdef")
        self.assertEqual(len(buffer), 4)
        buffer.clear()
        self.assertEqual((len(buffer), buffer.take(9)), (0, b""))

    def test_dropping_a_line_keeps_what_follows(self) -> None:
        buffer = InputBuffer()
        buffer.feed(b"long")
        self.assertFalse(buffer.drop_line())
        buffer.feed(b" and longer\r\nnext\r\n")
        self.assertTrue(buffer.drop_line())
        self.assertEqual(buffer.take_line(LIMIT), b"next")
