"""Message data for other servers (RFC 5321, section 4.5.2)."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.client_data import END, Stuffing, stuffed, with_clean_lines
from mailhub.smtp.data import DataReader

MESSAGES = (
    (b"", b".\r\n"),
    (b"a\r\n", b"a\r\n.\r\n"),
    (b"a", b"a\r\n.\r\n"),
    (b".", b"..\r\n.\r\n"),
    (b".\r\n", b"..\r\n.\r\n"),
    (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
    (b"a\r\n..\r\n.", b"a\r\n...\r\n..\r\n.\r\n"),
    (b"\r\n.\r\n", b"\r\n..\r\n.\r\n"),
)
#: Ends of data that some server takes for one (attack: outbound smuggling).
FALSE_ENDS = (
    b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r",
    b"\r.\n", b"\r\r\n.\r\r\n", b"\n\n.\n\n",
)  # fmt: skip
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def in_pieces(message: bytes, size: int) -> bytes:
    stuffing = Stuffing()
    pieces = [
        stuffing.feed(message[start : start + size])
        for start in range(0, len(message), size)
    ]
    return b"".join(pieces) + stuffing.finish()


class StuffingTests(SynchronousTestCase):
    """Transparency."""

    def test_dots_are_doubled_and_the_end_is_there(self) -> None:
        for message, expected in MESSAGES:
            self.assertEqual(stuffed(message), expected, message)

    def test_pieces_are_as_good_as_the_whole(self) -> None:
        for message, expected in MESSAGES:
            for size in range(1, len(message) + 1):
                self.assertEqual(in_pieces(message, size), expected, (message, size))

    def test_no_bare_line_end_leaves(self) -> None:
        for end in FALSE_ENDS:
            message = b"a" + end + b"MAIL FROM:<evil@x.example>\r\n"
            for size in (1, 2, 3, 100):
                data = in_pieces(message, size)
                self.assertIsNone(_BARE.search(data), (end, size))
                self.assertEqual(data.count(b"\r\n.\r\n"), 1, (end, size))
            self.assertEqual(in_pieces(message, 1), stuffed(message))

    def test_clean_lines_are_not_copied(self) -> None:
        message = b"a\r\nb\r\n" * 100
        self.assertIs(with_clean_lines(message), message)

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", b"\0"])),
        st.integers(1, 7),
    )
    def test_any_server_finds_the_same_end(self, parts: list[bytes], size: int) -> None:
        message = b"".join(parts)
        data = in_pieces(message, size)
        self.assertEqual(data, stuffed(message))
        self.assertIsNone(_BARE.search(data))
        reader = DataReader()
        taken = reader.feed(data)
        self.assertTrue(reader.ended)
        self.assertEqual(reader.rest, b"")
        clean = with_clean_lines(message)
        if b"\0" not in message:
            whole = clean.endswith(b"\r\n") or not clean
            self.assertEqual(taken, clean if whole else clean + b"\r\n")

    def test_the_end_is_a_dot(self) -> None:
        self.assertEqual(END, b".\r\n")
