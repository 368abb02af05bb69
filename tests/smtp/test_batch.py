"""Tests for :mod:`mailhub.smtp.batch`."""

from __future__ import annotations

from io import BytesIO

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LimitReached, MailError, SyntaxFault
from mailhub.mail.address import Address
from mailhub.mail.envelope import MailParameters, Notify, RecipientParameters
from mailhub.smtp.batch import MAX_LINE, Batch, read_batch, write_batch

JO, AL = Address("jo", "example.org"), Address("al b", "far.example")
FULL = Batch(
    JO,
    (JO, AL),
    MailParameters(body="8BITMIME", ret="HDRS", envid="a+b=c"),
    {AL: RecipientParameters(Notify.SUCCESS | Notify.DELAY, "rfc822;al@x.example")},
)
BATCHES = (
    Batch(JO, (AL,), MailParameters(), {}),
    Batch(None, (JO,), MailParameters(), {}),
    FULL,
    Batch(
        Address("j\u00f6", "example.org"), (JO,), MailParameters(smtputf8=True),
        {JO: RecipientParameters(Notify.NEVER)},
    ),
)  # fmt: skip
MAIL, RCPT, DATA = b"MAIL FROM:<>\r\n", b"RCPT TO:<jo@example.org>\r\n", b"DATA\r\n"
NONE = (
    b"", MAIL, MAIL + RCPT, MAIL + DATA, RCPT + DATA, MAIL + RCPT + b"DATA\n",
    b"MAIL FROM:<>\nRCPT TO:<jo@example.org>\r\nDATA\r\n",
    MAIL + b"RCPT TO:<>\r\n" + DATA, MAIL + b"RCPT TO:<jo>x\r\n" + DATA,
    MAIL + MAIL + RCPT + DATA, b"MAIL FROM:<> X=Y\r\n" + RCPT + DATA,
    b"MAIL FROM:<> HOLDFOR=99\r\n" + RCPT + DATA,
    b"MAIL FROM:<jo@example.org\r\n" + RCPT + DATA,
    MAIL + b"RCPT TO:<jo@example.org\n>\r\n" + DATA,
    MAIL + RCPT + b"x" * MAX_LINE + DATA, b"\0" * 100,
)  # fmt: skip


def read(octets: bytes, most: int = 100) -> Batch:
    return read_batch(BytesIO(octets).readline, most)


class BatchTests(SynchronousTestCase):
    """RFC 5321, sections 4.1.1.2 to 4.1.1.4, in a file."""

    def test_what_was_written_is_read(self):
        for batch in BATCHES:
            self.assertEqual(read(write_batch(batch)), batch)

    def test_the_message_comes_next(self):
        file = BytesIO(write_batch(FULL) + b"Subject: x\n")
        read_batch(file.readline, 2)
        self.assertEqual(file.read(), b"Subject: x\n")

    def test_what_is_none_is_refused(self):
        for octets in NONE:
            self.assertRaises(SyntaxFault, read, octets)

    def test_no_beginning_of_one_is_one(self):
        octets = write_batch(FULL)
        for end in range(len(octets)):
            self.assertRaises(MailError, read, octets[:end])

    def test_there_are_so_many_recipients_and_no_more(self):
        rows = [b"RCPT TO:<u%d@example.org>\r\n" % n for n in range(6)]
        self.assertEqual(
            len(read(MAIL + b"".join(rows[:5]) + DATA, 5).recipients), 5
        )
        self.assertRaises(LimitReached, read, MAIL + b"".join(rows) + DATA, 5)

    def test_an_address_cannot_end_its_line(self):
        for text in ("jo>\r\nDATA\r\n", "jo\n", "a\0b"):
            batch = Batch(None, (Address(text, "x.example"),), MailParameters(), {})
            self.assertRaises(SyntaxFault, write_batch, batch)
