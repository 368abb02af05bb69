"""Tests for :mod:`mailhub.policy.header`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.policy.header import message_id
from mailhub.store.content import BytesContent

#: Headers, and what the messages call themselves.
NAMES = (
    (b"Message-ID: <a@b>\r\n", "<a@b>"),
    (b"From: x\r\nMessage-Id:<a@b> (x)\r\n", "<a@b>"),
    (b"message-id:\t <a@b>\r\n", "<a@b>"),
    (b"MESSAGE-id:\r\n <a@b>\r\n", "<a@b>"),
    (b"X: y\r\nMESSAGE-ID: <a@b>\r\n", "<a@b>"),
    (b"Message-ID: <%s>\r\n" % (b"x" * 250), f"<{'x' * 250}>"),
    (b"Message-ID: <%s>\r\n" % (b"x" * 251), ""),
    (b"X-Message-ID: <a@b>\r\n", ""),
    (b"X: y\r\n Message-ID: <a@b>\r\n", ""),
    (b"Message-ID: \r\nX: <a@b>\r\n", ""),
    (b"Message-ID: <a@b\r\n", ""),
    (b"Message-ID: <a\x1b[2J@b>\r\n", ""),
    (b"Message-ID: <a b>\r\n", ""),
    (b"Message-ID: <\xff@b>\r\n", ""),
    (b"", ""),
)


def named(data: bytes) -> str:
    try:
        message_id(BytesContent(data)).send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


class MessageIdTests(SynchronousTestCase):
    """RFC 5322, section 3.6.4, for a line in the log."""

    def test_the_header_tells_it_and_the_body_does_not(self):
        for header, name in NAMES:
            for body in (b"\r\n", b"\r\nMessage-ID: <body@x>\r\n"):
                self.assertEqual(named(header + body), name, header)

    def test_a_large_message_is_not_read_for_it(self):
        field = b"Message-ID: <a@b>\r\n"
        for before, name in ((b"", "<a@b>"), (b"X: %s\r\n" % (b"y" * 20_000), "")):
            self.assertEqual(named(before + field + b"\r\n"), name)

    @given(st.binary(max_size=80))
    @settings(deadline=None)
    def test_nothing_of_it_can_make_a_line_of_its_own(self, value):
        name = named(b"Message-ID:" + value + b"\r\n\r\n")
        self.assertTrue(name.isascii() and (name == "" or name.isprintable()))
