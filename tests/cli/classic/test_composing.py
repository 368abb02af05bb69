"""Tests for :mod:`mailhub.cli.classic.composing`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.cli.classic.composing import from_field, read_header
from mailhub.errors import SyntaxFault
from mailhub.mail.headers import Fields

HEADERS = (
    # Written; kept of the header; the rest; recipients.
    (b"", b"", b"\r\n", ()),
    (b"\r\nbody\r\n", b"", b"\r\nbody\r\n", ()),
    (b"To: a@x.example\r\n\r\nbody\r\n",
     b"To: a@x.example\r\n", b"\r\nbody\r\n", (b"a@x.example",)),
    (b"To: A <a@x.example>,\r\n b\r\nBcc: c@x.example\r\nCc: a@x.example\r\n\r\n",
     b"To: A <a@x.example>,\r\n b\r\nCc: a@x.example\r\n", b"\r\n",
     (b"a@x.example", b"b", b"c@x.example")),
    (b"To: a@x.example\r\nResent-To: b@x.example\r\n\r\nx\r\n",
     b"To: a@x.example\r\nResent-To: b@x.example\r\n", b"\r\nx\r\n",
     (b"b@x.example",)),
    (b"To: friends: a@x.example, b@x.example;\r\n\r\n",
     b"To: friends: a@x.example, b@x.example;\r\n", b"\r\n",
     (b"a@x.example", b"b@x.example")),
    (b"just text\r\nTo: a@x.example\r\n",
     b"", b"\r\njust text\r\nTo: a@x.example\r\n", ()),
    (b"Subject: no end\r\n", b"Subject: no end\r\n", b"\r\n", ()),
)  # fmt: skip


class ComposingTests(SynchronousTestCase):
    """From a program's text to octets that can be sent."""

    def test_recipients_stand_in_the_header_and_bcc_goes(self):
        for text, header, rest, recipients in HEADERS:
            draft, after = read_header(text)
            self.assertEqual((draft.header, after), (header, rest), text)
            self.assertEqual(draft.recipients, recipients)

    def test_a_name_cannot_end_the_field(self):
        self.assertEqual(from_field("a@x.example", None), b"From: a@x.example\r\n")
        self.assertEqual(
            from_field("a@x.example", 'A "B" \\'),
            b'From: "A \\"B\\" \\\\" <a@x.example>\r\n',
        )
        field = from_field("a@x.example", "홍길동")
        self.assertTrue(field.isascii() and field.count(b"\n") == 1, field)
        self.assertIn("from", [name.decode() for name in Fields(field).raw])
        for name in ("a\nX: y", "a\0"):
            self.assertRaises(SyntaxFault, from_field, "a@x.example", name)
