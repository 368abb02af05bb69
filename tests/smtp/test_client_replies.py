"""Replies of other servers (RFC 5321, section 4.2)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.client_replies import (
    MAX_REPLY_LINES,
    MAX_TEXT,
    MalformedReply,
    ReplyLines,
    ServerReply,
)

#: Lines, and the code, the status and the text that they come to.
REPLIES = (
    ((b"250 2.1.0 Ok",), 250, "2.1.0", "250 2.1.0 Ok"),
    ((b"250",), 250, "2.0.0", "250"),
    ((b"250 ",), 250, "2.0.0", "250"),
    ((b"550-5.1.1 no such", b"550 5.1.1 user"), 550, "5.1.1",
     "550 5.1.1 no such 5.1.1 user"),
    # RFC 2034, section 4: another class than the code's means nothing.
    ((b"550 2.1.1 odd",), 550, "5.0.0", "550 2.1.1 odd"),
    ((b"450 4.007.010 x",), 450, "4.7.10", "450 4.007.010 x"),
    ((b"451 4.7.1",), 451, "4.7.1", "451 4.7.1"),
    ((b"450 4.7.1.2 x",), 450, "4.0.0", "450 4.7.1.2 x"),
    ((b"354 go\x00 on\x1b[2J",), 354, "3.0.0", "354 go? on?[2J"),
    ((b"554 \xff\xfe",), 554, "5.0.0", "554 \ufffd\ufffd"),
    (("554 nö\u202ex".encode(),), 554, "5.0.0", "554 nö?x"),
)  # fmt: skip
BAD = (
    (b"",), (b"25",), (b"25x ok",), (b"2500 ok",), (b"150 ok",), (b"650 ok",),
    (b"ok",), (b"250\tok",), (b" 250 ok",), ("\u0662\u0665\u0660 ok".encode(),),
    (b"250-a", b"251 b"), (b"250-a", b"b"),
)  # fmt: skip


def read(*lines: bytes) -> ServerReply:
    reading = ReplyLines()
    for line in lines[:-1]:
        assert reading.feed(line) is None
    reply = reading.feed(lines[-1])
    assert reply is not None
    return reply


class ReplyTests(SynchronousTestCase):
    """Section 4.2.1."""

    def test_replies_are_read(self) -> None:
        for lines, code, status, text in REPLIES:
            reply = read(*lines)
            self.assertEqual((reply.code, reply.status, str(reply)),
                             (code, status, text))

    def test_what_is_no_reply_is_refused(self) -> None:
        for lines in BAD:
            with self.assertRaises(MalformedReply, msg=lines):
                read(*lines)

    def test_one_reply_after_the_other(self) -> None:
        reading = ReplyLines()
        lines = (b"250-a", b"250 b", b"354 c")
        found = [reading.feed(line) for line in lines]
        self.assertEqual(found[0], None)
        self.assertEqual([str(each) for each in found[1:]], ["250 a b", "354 c"])

    def test_lines_are_limited(self) -> None:
        """Attack: a reply without an end."""
        lines = [b"250-x"] * (MAX_REPLY_LINES - 1) + [b"250 x"]
        self.assertEqual(len(read(*lines).lines), MAX_REPLY_LINES)
        self.assertRaises(MalformedReply, read, b"250-x", *lines)

    def test_octets_are_limited(self) -> None:
        """Attack: long lines, as many as are allowed."""
        line = b"250-" + b"x" * 2040
        read(*[line] * 15, b"250 x")
        self.assertRaises(MalformedReply, read, *[line] * 17, b"250 x")

    def test_the_text_for_people_is_short_and_one_line(self) -> None:
        text = str(read(b"550 " + b"x" * 2000))
        self.assertEqual(len(text), 4 + MAX_TEXT)
        self.assertTrue(str(read(b"550 a\x0bb\x85")).isprintable())

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(max_size=20)))
    def test_anything_is_a_reply_or_refused(self, lines: list[bytes]) -> None:
        reading = ReplyLines()
        for line in lines:
            try:
                reply = reading.feed(line)
            except MalformedReply:
                return
            if reply is not None:
                self.assertTrue(str(reply).isprintable())
                self.assertRegex(reply.status, r"\A[2345]\.\d{1,3}\.\d{1,3}\Z")
