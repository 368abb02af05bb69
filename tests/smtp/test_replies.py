"""Replies as octets, and errors as replies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub import errors
from mailhub.errors import Status
from mailhub.mail.address import MalformedAddress
from mailhub.smtp import replies
from mailhub.smtp.parameters import UnknownParameter
from mailhub.smtp.replies import MAX_TEXT, Reply, reply_for

#: RFC 5321, section 4.2.3; RFC 4954, section 6; RFC 3463.
ERRORS = [
    (errors.MailError(), b"550 5.0.0 Requested action not taken\r\n"),
    (errors.SyntaxFault(), b"501 5.5.2 Syntax error\r\n"),
    (MalformedAddress(), b"501 5.1.3 Bad address syntax\r\n"),
    (
        UnknownParameter(),
        b"555 5.5.4 Parameter not recognized or not implemented\r\n",
    ),
    (errors.UnknownRecipient(), b"550 5.1.1 User unknown\r\n"),
    (errors.RelayDenied(), b"550 5.7.1 Relay access denied\r\n"),
    (errors.NoRouteYet(), b"451 4.4.4 No route to that address at present\r\n"),
    (errors.RoutingLoop(), b"554 5.4.6 Routing loop detected\r\n"),
    (errors.LocalFault(), b"451 4.3.0 Local error, try again later\r\n"),
    (errors.StorageFull(), b"452 4.3.1 Insufficient system storage\r\n"),
    (errors.Busy(), b"451 4.3.2 System busy, try again later\r\n"),
    (errors.OverQuota(), b"452 4.2.2 Mailbox full\r\n"),
    (errors.MessageTooLarge(), b"552 5.3.4 Message too large\r\n"),
    (
        errors.AuthenticationFailed(),
        b"535 5.7.8 Authentication credentials invalid\r\n",
    ),
    (errors.TooManyAttempts(), b"454 4.7.0 Temporary authentication failure\r\n"),
    (errors.EncryptionRequired(), b"538 5.7.11 Encryption required\r\n"),
    (errors.NotPermitted(), b"550 5.7.1 Requested action not taken\r\n"),
]

REFUSALS = [
    (errors.Refused("No spam"), b"550 5.7.1 No spam\r\n"),
    (errors.Refused("Later", permanent=False), b"450 4.7.1 Later\r\n"),
    (
        errors.Refused("Bad", status=Status.CONTENT, code=554),
        b"554 5.6.0 Bad\r\n",
    ),
    # An application's mistake never becomes a success.
    (errors.Refused("What", code=250), b"550 5.7.1 What\r\n"),
    (errors.Refused("nö"), b"550 5.7.1 n?\r\n"),
]


class ReplyTests(SynchronousTestCase):
    """RFC 5321, section 4.2, and RFC 2034."""

    def test_the_enhanced_class_follows_from_the_code(self):
        for code in (250, 452, 554):
            wire = Reply(code, ("x",), Status.OTHER).wire
            self.assertEqual(wire, b"%d %d.0.0 x\r\n" % (code, code // 100))

    def test_every_line_of_several_carries_the_codes(self):
        self.assertEqual(
            Reply(550, ("a", "b", "c"), Status.CONTENT).wire,
            b"550-5.6.0 a\r\n550-5.6.0 b\r\n550 5.6.0 c\r\n",
        )
        self.assertEqual(
            replies.hello("mx", ("SIZE 1", "X")).wire,
            b"250-mx\r\n250-SIZE 1\r\n250 X\r\n",
        )

    def test_the_well_known_texts_are_as_everywhere(self):
        for reply, text in (
            (replies.SENDER_OK, b"250 2.1.0 Ok\r\n"),
            (replies.RECIPIENT_OK, b"250 2.1.5 Ok\r\n"),
            (replies.SEND_DATA, b"354 End data with <CR><LF>.<CR><LF>\r\n"),
            (replies.queued("X1"), b"250 2.0.0 Ok: queued as X1\r\n"),
            (replies.BYE, b"221 2.0.0 Bye\r\n"),
            (replies.START_TLS, b"220 2.0.0 Ready to start TLS\r\n"),
            (replies.AUTHENTICATED, b"235 2.7.0 Authentication successful\r\n"),
            (replies.challenge(b"VXNlcm5hbWU6"), b"334 VXNlcm5hbWU6\r\n"),
            (replies.challenge(b""), b"334 \r\n"),
            (replies.greeting("mx", "ESMTP"), b"220 mx ESMTP\r\n"),
        ):
            self.assertEqual(reply.wire, text)


def error_kinds(base):
    """The kinds of *base* that every protocol knows, itself among them."""
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, base)
    ]


class ErrorTests(SynchronousTestCase):
    """The one place where an error becomes a reply."""

    def test_each_error_has_its_reply(self):
        for error, wire in ERRORS + REFUSALS:
            self.assertEqual(reply_for(error).wire, wire)

    def test_what_an_error_says_stays_in_the_log(self):
        wire = reply_for(errors.LocalFault("/var/secret is full")).wire
        self.assertNotIn(b"secret", wire)

    def test_a_fault_of_ours_is_never_permanent(self):
        for kind in error_kinds(errors.LocalFault):
            self.assertEqual(reply_for(kind()).code // 100, 4, kind)

    def test_every_error_has_a_reply_that_says_no(self):
        for kind in error_kinds(errors.MailError):
            if not issubclass(kind, errors.Refused):
                self.assertIn(reply_for(kind()).code // 100, (4, 5), kind)

    def test_a_long_text_goes_on_in_further_lines(self):
        reply = reply_for(errors.Refused("x" * (2 * MAX_TEXT + 1)))
        lines = reply.wire.split(b"\r\n")
        self.assertEqual(len(lines), 4)
        self.assertTrue(all(len(line) <= 510 for line in lines))
        reply = reply_for(errors.Refused("x" * MAX_TEXT))
        self.assertEqual(reply.wire.count(b"\r\n"), 1)
