from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.pop3.stuffing import Stuffer, ending, stuff

MESSAGES = [
    (b"", b".\r\n"),
    (b"a\r\n", b"a\r\n.\r\n"),
    (b"a", b"a\r\n.\r\n"),
    (b".", b"..\r\n.\r\n"),
    (b".\r\n", b"..\r\n.\r\n"),
    (b"..\r\n.x\r\n", b"...\r\n..x\r\n.\r\n"),
    (b"a.\r\n.b.\r\n", b"a.\r\n..b.\r\n.\r\n"),
    (b"a\nb\n", b"a\r\nb\r\n.\r\n"),
    (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
    (b"a\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
    (b"\n", b"\r\n.\r\n"),
    (b"\n.", b"\r\n..\r\n.\r\n"),
    (b"a\r.\r\n", b"a\r.\r\n.\r\n"),
    (b"a\r", b"a\r\r\n.\r\n"),
    (b"\r", b"\r\r\n.\r\n"),
    (b"a\r\r\n.\r\n", b"a\r\r\n..\r\n.\r\n"),
]
_text = st.lists(st.sampled_from([b"\r", b"\n", b".", b"x", b"\r\n.", b"\n."]))


def unstuffed(wire: bytes) -> bytes:
    """What a client makes of a reply."""
    body = wire.removesuffix(b".\r\n")
    return re.sub(rb"(?m)^\.", b"", body)


class OnePiece(SynchronousTestCase):
    """RFC 1939, section 3: multi-line responses."""

    def test_messages_on_the_wire(self) -> None:
        for data, wire in MESSAGES:
            with self.subTest(data=data):
                self.assertEqual(stuff(data) + ending(data), wire)

    def test_what_needs_no_change_is_not_copied(self) -> None:
        data = b"Subject: x\r\n\r\nbody\r\n" * 100
        self.assertIs(stuff(data), data)

    @settings(max_examples=300, deadline=None)
    @given(_text)
    def test_no_reader_of_lines_sees_the_end_early(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        wire = stuff(data) + ending(data)
        self.assertTrue(wire.endswith(b".\r\n"))
        # However a client takes CR and LF, no line before the last is a dot.
        for line_end in (rb"\r\n", rb"\n", rb"\r?\n"):
            lines = re.split(line_end, wire)[:-2]
            self.assertNotIn(b".", [line.rstrip(b"\r") for line in lines])
        self.assertIsNone(re.search(rb"(?<!\r)\n", wire))

    @settings(max_examples=300, deadline=None)
    @given(_text)
    def test_the_client_gets_back_what_was_there(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        lines = re.sub(rb"(?<!\r)\n", b"\r\n", data)
        if lines and not lines.endswith(b"\n"):
            lines += b"\r\n"
        self.assertEqual(unstuffed(stuff(data) + ending(data)), lines)


class ManyPieces(SynchronousTestCase):
    """The same, cut anywhere (attack: dot-stuffing at segment edges)."""

    def feed(self, *pieces: bytes) -> bytes:
        stuffer = Stuffer()
        return b"".join([stuffer.feed(piece) for piece in pieces]) + stuffer.finish()

    def test_every_cut_gives_the_same_octets(self) -> None:
        for data, wire in MESSAGES:
            for cut in range(len(data) + 1):
                with self.subTest(data=data, cut=cut):
                    self.assertEqual(self.feed(data[:cut], data[cut:]), wire)

    def test_one_octet_at_a_time(self) -> None:
        for data, wire in MESSAGES:
            pieces = [data[i : i + 1] for i in range(len(data))]
            self.assertEqual(self.feed(*pieces), wire)

    @settings(max_examples=300, deadline=None)
    @given(_text)
    def test_pieces_are_as_good_as_the_whole(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        self.assertEqual(self.feed(*parts), stuff(data) + ending(data))
