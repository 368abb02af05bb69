"""Delivery status notifications (RFC 3464, 6522, 6533)."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes, policy

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.dsn import (
    MAX_RETURNED_HEADER,
    Action,
    RecipientReport,
    Report,
    compose,
    letter_of,
)

HEADER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: news\r\n\r\n"
MESSAGE = HEADER + b"hello\r\n--=_1000000010_Q1\r\nworld\r\n"
NOBODY = RecipientReport(
    "b@example.net",
    original="rfc822;c@example.com",
    status="5.1.1",
    reply="550 5.1.1 nobody here",
    host="mx.example.net",
    attempted=1_000_000_005,
)
REPORT = Report(
    Action.FAILED, "mail.example.org", "a@example.org", "Q1", "ABC 1", 1_000_000_000,
    1_000_000_010, (NOBODY,), MESSAGE, whole=True,
)


def parts(report):
    """The three parts, as the standard library reads them."""
    message = message_from_bytes(compose(report))
    assert message.get_content_type() == "multipart/report", message.as_string()
    return message.get_payload()


def fields(report):
    """The blocks of fields of the delivery status."""
    return [
        [(name, str(value)) for name, value in block.items()]
        for block in parts(report)[1].get_payload()
    ]


class ComposingTests(SynchronousTestCase):
    """RFC 3464, section 2; RFC 6522, section 3."""

    def test_all_fields_of_a_failure(self):
        self.assertEqual(
            fields(REPORT),
            [
                [
                    ("Original-Envelope-Id", "ABC 1"),
                    ("Reporting-MTA", "dns; mail.example.org"),
                    ("Arrival-Date", "Sun, 09 Sep 2001 01:46:40 +0000"),
                ],
                [
                    ("Original-Recipient", "rfc822; c@example.com"),
                    ("Final-Recipient", "rfc822; b@example.net"),
                    ("Action", "failed"),
                    ("Status", "5.1.1"),
                    ("Remote-MTA", "dns; mx.example.net"),
                    ("Diagnostic-Code", "smtp; 550 5.1.1 nobody here"),
                    ("Last-Attempt-Date", "Sun, 09 Sep 2001 01:46:45 +0000"),
                ],
            ],
        )

    def test_a_server_without_a_name_is_its_address(self):
        for host, named in (
            ("192.0.2.1", "dns; [192.0.2.1]"),
            ("2001:DB8::1", "dns; [IPv6:2001:db8::1]"),
            ("mx.example.net", "dns; mx.example.net"),
        ):
            [recipient] = REPORT.recipients
            report = replace(REPORT, recipients=(replace(recipient, host=host),))
            self.assertIn(("Remote-MTA", named), fields(report)[1])

    def test_its_header_says_what_it_is(self):
        message = message_from_bytes(compose(REPORT), policy=policy.SMTP)
        self.assertEqual(message["Auto-Submitted"], "auto-replied")
        self.assertEqual(message["To"], "a@example.org")
        self.assertEqual(message["References"], "<1@example.org>")
        self.assertEqual(message.get_param("report-type"), "delivery-status")
        self.assertEqual(message.defects, [])

    def test_people_can_read_who_did_not_get_it_and_why(self):
        text = parts(REPORT)[0].get_payload()
        self.assertIn("<b@example.net>", text)
        self.assertIn("550 5.1.1 nobody here", text)

    def test_the_message_goes_back_as_it_was(self):
        self.assertIn(b"\r\n\r\n" + MESSAGE + b"\r\n--", compose(REPORT))
        self.assertEqual(parts(REPORT)[2].get_content_type(), "message/rfc822")

    def test_or_its_header_alone(self):
        returned = parts(replace(REPORT, whole=False))[2]
        self.assertEqual(returned.get_content_type(), "text/rfc822-headers")
        self.assertEqual(returned.get_payload().encode(), HEADER)

    def test_a_long_header_is_cut_after_a_line(self):
        for size in (MAX_RETURNED_HEADER, MAX_RETURNED_HEADER + 1):
            lines = b"A: 456789012\r\n" * (size // 14 - 10)
            lines += b"B: " + b"x" * (size - len(lines) - 7) + b"\r\n"
            report = replace(REPORT, whole=False, returned=lines + b"\r\n")
            self.assertEqual(len(report.returned), size)
            is_whole = lines + b"\r\n\r\n--" in compose(report)
            self.assertEqual(is_whole, size == MAX_RETURNED_HEADER)
            self.assertIn(lines, compose(report))

    def test_binary_goes_back_as_its_header(self):
        for body in (b"\0\r\n", b"a\nb\r\n", b"a\rb\r\n", b"x" * 1001 + b"\r\n"):
            report = replace(REPORT, returned=HEADER + body)
            self.assertEqual(
                parts(report)[2].get_content_type(), "text/rfc822-headers", body
            )
        self.assertEqual(len(parts(replace(REPORT, returned=b"A: \0\r\n\r\n"))), 2)

    def test_a_delay_says_how_long_it_will_be_tried(self):
        each = replace(NOBODY, status="4.4.1", retry_until=1_000_100_000)
        report = replace(REPORT, action=Action.DELAYED, recipients=(each,))
        last = dict(fields(report)[1])
        self.assertEqual(last["Action"], "delayed")
        self.assertEqual(last["Will-Retry-Until"], "Mon, 10 Sep 2001 05:33:20 +0000")

    def test_each_action_has_its_own_words_and_status(self):
        subjects = set()
        for action in Action:
            report = replace(
                REPORT, action=action, recipients=(RecipientReport("b@example.net"),)
            )
            subjects.add(message_from_bytes(compose(report))["Subject"])
            block = dict(fields(report)[1])
            self.assertEqual(block["Action"], action.value)
            self.assertRegex(block["Status"], r"^[245]\.0\.0$")
        self.assertEqual(len(subjects), len(Action))

    def test_what_is_no_status_is_none(self):
        for status in ("", "5", "5.1", "3.0.0", "5.1.1\r\nX: y", "5.1.1234"):
            each = replace(NOBODY, status=status)
            block = dict(fields(replace(REPORT, recipients=(each,)))[1])
            self.assertEqual(block["Status"], "5.0.0", status)


class InternationalTests(SynchronousTestCase):
    """RFC 6533: for senders who understand UTF-8, and for those who do not."""

    JOSE = replace(NOBODY, recipient="josé@example.net", original="utf-8;josé@x.y")
    TEXT = replace(REPORT, recipients=(JOSE,), to="andré@example.org", utf8=True)

    def test_addresses_stay_as_they_are_where_that_is_understood(self):
        octets = compose(self.TEXT)
        self.assertIn("Final-Recipient: utf-8; josé@example.net".encode(), octets)
        self.assertIn(b"Content-Type: message/global-delivery-status", octets)
        letter = letter_of(self.TEXT)
        self.assertTrue(letter.parameters.smtputf8)
        self.assertEqual(letter.parameters.body, "8BITMIME")

    def test_and_are_written_in_ascii_where_not(self):
        report = replace(self.TEXT, to="a@example.org", utf8=False)
        octets = compose(report)
        self.assertTrue(octets.isascii())
        self.assertIn(rb"Final-Recipient: utf-8; jos\x{E9}@example.net", octets)
        letter = letter_of(report)
        self.assertFalse(letter.parameters.smtputf8)
        self.assertEqual(letter.parameters.body, "7BIT")

    def test_a_message_with_such_a_header_goes_back_as_global(self):
        returned = "Subject: é\r\n\r\nx\r\n".encode()
        report = replace(REPORT, returned=returned, utf8=True)
        self.assertIn(b"Content-Type: message/global\r\n", compose(report))
        self.assertTrue(letter_of(report).parameters.smtputf8)
        report = replace(report, whole=False)
        self.assertIn(b"Content-Type: message/global-headers\r\n", compose(report))

    def test_eight_bits_in_a_body_are_no_reason_for_it(self):
        report = replace(REPORT, returned=HEADER + "é\r\n".encode(), utf8=True)
        letter = letter_of(report)
        self.assertIn(b"Content-Type: message/rfc822\r\n", letter.octets)
        self.assertFalse(letter.parameters.smtputf8)
        self.assertEqual(letter.parameters.body, "8BITMIME")


ANY = st.text(max_size=60) | st.sampled_from(
    ["a\r\nX-Evil: 1", "\n", "\r", "\u2028X: 1", "\x85", "+0D+0A", "x" * 3000, "\0"]
)
OCTETS = st.binary(max_size=200) | st.sampled_from([MESSAGE, HEADER, b"", b"\r\n"])
RECIPIENTS = st.builds(
    RecipientReport, ANY, st.none() | ANY, ANY, ANY, ANY,
    st.none() | st.integers(0, 2**32), st.none() | st.integers(0, 2**32),
)
REPORTS = st.builds(
    Report, st.sampled_from(Action), ANY, ANY, ANY, st.none() | ANY,
    st.integers(0, 2**32), st.integers(0, 2**32),
    st.lists(RECIPIENTS, min_size=1, max_size=3).map(tuple), OCTETS, st.booleans(),
    st.booleans(), st.none() | st.integers(0, 2**32), st.none() | st.integers(0, 2**32),
)
#: All names of fields that a notification has.
NAMES = {
    "From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Description",
    "Original-Envelope-Id", "Reporting-MTA", "Arrival-Date", "Original-Recipient",
    "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code",
    "Last-Attempt-Date", "Will-Retry-Until", "Deliver-By-Date",
    "Future-Release-Request",
}  # fmt: skip


class InjectionTests(SynchronousTestCase):
    """Attack: line breaks in whatever a client or another server has said."""

    def test_an_envelope_id_or_a_recipient_cannot_add_a_line(self):
        evil = "a\r\nX-Evil: 1\r\n\r\nbody"
        each = RecipientReport(evil, f"rfc822;{evil}", evil, evil, evil)
        report = Report(Action.FAILED, evil, evil, evil, evil, 0, 0, (each,))
        octets = compose(report)
        self.assertEqual(re.findall(rb"(?m)^X-Evil", octets), [])
        self.assertIn(b"+0D+0AX-Evil: 1", octets)

    @given(REPORTS)
    @settings(max_examples=150, deadline=None)
    def test_nothing_adds_a_line_and_every_reader_understands_it(self, report):
        octets = compose(report)
        own = octets
        message = message_from_bytes(octets)
        found = message.get_payload()
        self.assertIn(len(found), (2, 3))
        if len(found) == 3:
            marker = b"--" + message.get_boundary().encode() + b"\r\n"
            own = marker.join(octets.split(marker)[:-1])
        self.assertEqual(own.count(b"\r"), own.count(b"\n"))
        self.assertLessEqual(max(map(len, own.split(b"\r\n"))), 998)
        blocks = found[1].get_payload()
        if found[1].get_content_type() == "message/delivery-status":
            self.assertEqual(len(blocks), 1 + len(report.recipients))
        for block in (message, *found[:2], *blocks):
            self.assertEqual(set(block.keys()) - NAMES, set())
        if not report.utf8:
            self.assertTrue(own.isascii())
