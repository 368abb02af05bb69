"""The syntax of commands."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.mail.address import Address, MalformedAddress
from mailhub.mail.envelope import MailParameters
from mailhub.smtp.parameters import BadArguments, UnknownParameter
from mailhub.smtp.syntax import (
    parse_hello,
    parse_mail,
    parse_rcpt,
    split_command,
)

A = Address("a", "example.com")

LINES = [
    (b"QUIT", (b"QUIT", b"")),
    (b"quit", (b"QUIT", b"")),
    (b"Mail FROM:<a@b>", (b"MAIL", b"FROM:<a@b>")),
    (b"NOOP  a b ", (b"NOOP", b"a b")),
    (b"", (b"", b"")),
    (b" QUIT", (b"", b"QUIT")),
    (b"\xff\xfe x", (b"\xff\xfe", b"x")),
    (b"NO\0OP", (b"NO\0OP", b"")),
]

HELLOS = [
    b"mx.example.com", b"x", b"under_score", b"[192.0.2.1]", b"[IPv6:2001:db8::1]",
    b"WIN-7.local", b"a" * 255,
]
BAD_HELLOS = [
    b"", b"a b", b"a\tb", b"x\nX-Evil: 1", b"x\r", b"x\0", b"\xff", b"a" * 256,
    b"(comment)", b"[]", b"[192.0.2.1", b"a;b", b"<a>", "í".encode(),
]

MAILS = [
    (b"FROM:<a@example.com>", A, MailParameters()),
    (b"from: <a@EXAMPLE.com>", A, MailParameters()),
    (b"FROM:<>", None, MailParameters()),
    (b"FROM:<@x.example,@y.example:a@example.com>", A, MailParameters()),
    (b"FROM:<a@example.com> SIZE=0", A, MailParameters(size=0)),
    (b"FROM:<a@example.com>  size=12345 ", A, MailParameters(size=12345)),
    (
        b"FROM:<a@example.com> SIZE=99999999999999999999",
        A,
        MailParameters(size=99999999999999999999),
    ),
    (b"FROM:<a@example.com> BODY=8bitmime", A, MailParameters(body="8BITMIME")),
    (b"FROM:<a@example.com> BODY=7BIT", A, MailParameters()),
    (b"FROM:<a@example.com> AUTH=<>", A, MailParameters()),
    (b"FROM:<a@example.com> AUTH=e+3Dmc2@example.com", A, MailParameters()),
    (
        b"FROM:<a@example.com> SMTPUTF8 BODY=8BITMIME SIZE=9",
        A,
        MailParameters(9, "8BITMIME", True),
    ),
]
BAD_MAILS = [
    (b"", BadArguments),
    (b"<a@example.com>", BadArguments),
    (b"TO:<a@example.com>", BadArguments),
    (b"FROM:<postmaster>", BadArguments),
    (b"FROM:<a@example.com>SIZE=1", BadArguments),
    (b"FROM:<a@example.com> SIZE", BadArguments),
    (b"FROM:<a@example.com> SIZE=", BadArguments),
    (b"FROM:<a@example.com> SIZE=-1", BadArguments),
    (b"FROM:<a@example.com> SIZE=+5", BadArguments),
    (b"FROM:<a@example.com> SIZE=1_0", BadArguments),
    ("FROM:<a@example.com> SIZE=１".encode(), BadArguments),
    (b"FROM:<a@example.com> SIZE=999999999999999999999", BadArguments),
    (b"FROM:<a@example.com> SIZE=1 size=2", BadArguments),
    (b"FROM:<a@example.com> =1", BadArguments),
    (b"FROM:<a@example.com> BODY", UnknownParameter),
    (b"FROM:<a@example.com> BODY=BINARYMIME", UnknownParameter),
    (b"FROM:<a@example.com> SMTPUTF8=1", UnknownParameter),
    (b"FROM:<a@example.com> AUTH", UnknownParameter),
    (b"FROM:<a@example.com> AUTH=+zz", UnknownParameter),
    (b"FROM:<a@example.com> RET=HDRS", UnknownParameter),
    (b"FROM:a@example.com", MalformedAddress),
    (b"FROM:<a@example.com", MalformedAddress),
    (b"FROM:<a>", MalformedAddress),
]
BAD_RCPTS = [
    (b"", BadArguments),
    (b"FROM:<a@example.com>", BadArguments),
    (b"TO:<>", BadArguments),
    (b"TO:<a@example.com>,<b@example.com>", BadArguments),
    (b"TO:<a@example.com> NOTIFY=NEVER", UnknownParameter),
    (b"TO:<a@example.com> ORCPT=rfc822;a+0D+0AX:+201", UnknownParameter),
    (b"TO:<a@b@example.com>", MalformedAddress),
]


class CommandTests(SynchronousTestCase):
    """Lines (RFC 5321, section 4.1.1) and greetings."""

    def test_lines_are_split_into_verb_and_argument(self):
        for line, expected in LINES:
            self.assertEqual(split_command(line), expected)

    def test_names_that_hosts_have_are_taken(self):
        for name in HELLOS:
            self.assertEqual(parse_hello(name), name.decode())

    def test_names_that_no_host_has_are_refused(self):
        for name in BAD_HELLOS:
            self.assertRaises(BadArguments, parse_hello, name)


class TransactionTests(SynchronousTestCase):
    """MAIL and RCPT (RFC 5321, sections 4.1.1.2, 4.1.1.3 and 4.1.2)."""

    def test_senders_and_parameters_are_understood(self):
        for argument, sender, parameters in MAILS:
            given = parse_mail(argument)
            self.assertEqual((given.sender, given.parameters), (sender, parameters))

    def test_what_is_wrong_with_mail_is_told_apart(self):
        for argument, kind in BAD_MAILS:
            error = self.assertRaises(SyntaxFault, parse_mail, argument)
            self.assertIs(type(error), kind, argument)

    def test_recipients_are_understood(self):
        for argument in (b"TO:<a@example.com>", b"to:  <a@Example.COM> "):
            self.assertEqual(parse_rcpt(argument.strip()).recipient, A)
        self.assertEqual(
            parse_rcpt(b'TO:<"a b>"@example.com>').recipient,
            Address("a b>", "example.com"),
        )

    def test_what_is_wrong_with_rcpt_is_told_apart(self):
        for argument, kind in BAD_RCPTS:
            error = self.assertRaises(SyntaxFault, parse_rcpt, argument)
            self.assertIs(type(error), kind, argument)

    @given(st.binary(max_size=60), st.sampled_from([b"", b"FROM:<", b"FROM:<a@b> "]))
    @settings(max_examples=200, deadline=None)
    def test_no_octets_raise_anything_but_a_syntax_fault(self, octets, start):
        for parse in (parse_mail, parse_rcpt, parse_hello):
            try:
                parse(start + octets)
            except SyntaxFault:
                continue
