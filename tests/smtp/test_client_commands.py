"""MAIL and RCPT as they are written (RFC 5321, section 4.1.1, and its extensions)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.address import MalformedAddress
from mailhub.mail.envelope import DeliverBy, MailParameters, Notify
from mailhub.smtp.client_capabilities import NONE, Capabilities
from mailhub.smtp.client_commands import (
    Shape,
    Unsendable,
    mail_command,
    needs_utf8,
    path_of,
    rcpt_command,
    xtext,
)
from mailhub.smtp.parameters import decode_xtext

ALL = Capabilities(
    eight_bit=True, smtputf8=True, dsn=True, require_tls=True, priority=True,
    offers_size=True, by=60,
)  # fmt: skip
SHAPE = Shape(1000)
NOW = 1_000_000.0
PATHS = (
    ("jo@example.org", "<jo@example.org>"),
    ("JO@Example.org", "<JO@example.org>"),
    ("postmaster", "<postmaster>"),
    ('"a b"@example.org', '<"a b"@example.org>'),
    ('"a\\"b\\\\"@example.org', '<"a\\"b\\\\"@example.org>'),
    ('"jo"@example.org', "<jo@example.org>"),
    ("jo@[192.0.2.1]", "<jo@[192.0.2.1]>"),
    ("jo@bücher.example", "<jo@xn--bcher-kva.example>"),
    ("jö@bücher.example", "<jö@bücher.example>"),
)
NO_PATHS = (
    "", "jo", "@example.org", "jo@", "a\r\nRCPT TO:<b@c.example>@example.org",
    "a b@example.org", "jo@example.org>", "<jo@example.org", "jo@exa mple.org",
    '"a\r\nb"@example.org', "jo@example.org\n", "j\udc80@example.org",
    "jo@a\u202eb.example",
)  # fmt: skip


PLAIN = MailParameters()


def mail(parameters=PLAIN, able=ALL, sender="al@x.example", **more):
    shape = more.pop("shape", SHAPE)
    return mail_command(sender, parameters, shape, able, now=NOW, **more).decode()


class PathTests(SynchronousTestCase):
    """Addresses."""

    def test_addresses_are_written_as_the_syntax_demands(self) -> None:
        for address, path in PATHS:
            self.assertEqual(path_of(address).decode(), path)

    def test_what_could_end_a_line_or_a_path_is_never_written(self) -> None:
        for address in NO_PATHS:
            self.assertRaises(MalformedAddress, path_of, address)

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=30))
    def test_any_text_makes_one_line_or_none(self, text: str) -> None:
        try:
            path = path_of(text + "@example.org")
        except MalformedAddress:
            return
        self.assertTrue(path.startswith(b"<") and path.endswith(b">"))
        self.assertFalse(set(path) & set(b"\r\n\0"))


class MailTests(SynchronousTestCase):
    """MAIL."""

    def test_a_server_without_extensions_gets_the_address_only(self) -> None:
        self.assertEqual(mail(able=NONE), "MAIL FROM:<al@x.example>\r\n")
        self.assertEqual(mail(able=NONE, sender=""), "MAIL FROM:<>\r\n")

    def test_extensions_that_are_offered_are_used(self) -> None:
        everything = MailParameters(
            ret="HDRS", envid="a+b c", require_tls=True, priority=-4,
            deliver_by=DeliverBy(NOW + 600.9, returns=True, trace=True),
        )  # fmt: skip
        self.assertEqual(
            mail(everything, shape=Shape(1000, eight_bit=True), utf8=True),
            "MAIL FROM:<al@x.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS"
            " ENVID=a+2Bb+20c REQUIRETLS MT-PRIORITY=-4 BY=600;RT\r\n",
        )
        self.assertEqual(mail(everything, able=Capabilities(by=0)),
                         "MAIL FROM:<al@x.example> BY=600;RT\r\n")

    def test_seven_bits_need_no_8bitmime(self) -> None:
        self.assertNotIn("BODY", mail())

    def test_a_message_that_is_too_large_is_not_even_tried(self) -> None:
        able = Capabilities(offers_size=True, size=1000)
        self.assertIn("SIZE=1000", mail(able=able))
        with self.assertRaises(Unsendable) as caught:
            mail(able=able, shape=Shape(1001))
        self.assertEqual(caught.exception.status.value, "3.4")

    def test_what_needs_smtputf8_cannot_go_without(self) -> None:
        with self.assertRaises(Unsendable) as caught:
            mail(able=NONE, utf8=True)
        self.assertEqual(caught.exception.status.value, "6.7")
        self.assertTrue(caught.exception.permanent)

    def test_who_wants_it_back_in_time_goes_only_where_that_is_known(self) -> None:
        returns = MailParameters(deliver_by=DeliverBy(NOW + 59, returns=True))
        for able in (NONE, ALL):
            with self.assertRaises(Unsendable) as caught:
                mail(returns, able=able)
            self.assertEqual(caught.exception.status.value, "4.7")

    def test_who_wants_to_be_told_goes_everywhere(self) -> None:
        tells = MailParameters(deliver_by=DeliverBy(NOW - 5, returns=False))
        self.assertEqual(mail(tells, able=NONE), "MAIL FROM:<al@x.example>\r\n")
        self.assertIn(" BY=-5;N", mail(tells))


class RcptTests(SynchronousTestCase):
    """RCPT (RFC 3461, section 4; RFC 6533)."""

    def rcpt(self, notify=None, original=None, able=ALL, **more):
        command = rcpt_command("jo@example.org", notify, original, able, **more)
        return command.decode().removeprefix("RCPT TO:<jo@example.org>")

    def test_wishes_are_passed_on(self) -> None:
        both = Notify.SUCCESS | Notify.DELAY
        self.assertEqual(self.rcpt(), "\r\n")
        self.assertEqual(self.rcpt(Notify.NEVER), " NOTIFY=NEVER\r\n")
        self.assertEqual(self.rcpt(both), " NOTIFY=SUCCESS,DELAY\r\n")
        self.assertEqual(
            self.rcpt(Notify.FAILURE, "rfc822;a+b=c@d.example"),
            " NOTIFY=FAILURE ORCPT=rfc822;a+2Bb+3Dc@d.example\r\n",
        )

    def test_not_to_a_server_that_does_not_know_them(self) -> None:
        self.assertEqual(self.rcpt(Notify.NEVER, "rfc822;x@y.z", able=NONE), "\r\n")

    def test_utf8_originals_are_encoded_where_smtputf8_is_not_there(self) -> None:
        original = "utf-8;jö\\x+@example.org"
        self.assertEqual(
            self.rcpt(None, original),
            " ORCPT=utf-8;j\\x{F6}\\x{5C}x\\x{2B}@example.org\r\n",
        )
        self.assertEqual(
            self.rcpt(None, original, utf8=True),
            " ORCPT=utf-8;jö\\x{5C}x\\x{2B}@example.org\r\n",
        )

    def test_nothing_in_them_ends_a_line(self) -> None:
        """Attack: xtext that was decoded on the way in."""
        for text in ("rfc822;a\r\nDATA", "utf-8;ö\r\nDATA", "x\r\n;y", "utf-8;ö\u2028"):
            command = self.rcpt(None, text)
            self.assertEqual(command.count("\r"), 1, text)
            self.assertEqual(command.count("\n"), 1, text)
            self.assertNotIn(" DATA", command)


class XtextTests(SynchronousTestCase):
    """RFC 3461, section 4."""

    @settings(max_examples=100, deadline=None)
    @given(st.text(min_size=1, max_size=30))
    def test_it_is_read_as_it_was_written(self, text: str) -> None:
        self.assertEqual(decode_xtext(xtext(text)).decode(), text)


class NeedTests(SynchronousTestCase):
    """RFC 6531, section 3.4: SMTPUTF8 only where something needs it."""

    def test_ascii_needs_nothing_even_where_it_was_asked_for(self) -> None:
        asked = MailParameters(smtputf8=True)
        plain = ["al@x.example", "jo@bücher.example", ""]
        self.assertFalse(needs_utf8(plain, asked, Shape(1, eight_bit=True)))

    def test_local_parts_and_headers_may(self) -> None:
        plain, asked = MailParameters(), MailParameters(smtputf8=True)
        utf8 = Shape(1, eight_bit=True, utf8_header=True)
        self.assertTrue(needs_utf8(["jö@x.example"], plain, SHAPE))
        self.assertTrue(needs_utf8(["jo@x.example"], asked, utf8))

    def test_octets_in_the_header_of_old_mail_do_not(self) -> None:
        utf8 = Shape(1, eight_bit=True, utf8_header=True)
        self.assertFalse(needs_utf8(["jo@x.example"], MailParameters(), utf8))
