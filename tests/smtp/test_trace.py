"""Received and Return-Path."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.address import Address
from mailhub.mail.envelope import Envelope, MailParameters, Peer
from mailhub.smtp import trace

#: 2026-11-21 02:01:34 UTC.
NOW = 1_795_226_494
PEER = Peer("192.0.2.7", 54321, "smtp", "mx.example.org", helo="client.example")
BOB = Address("bob", "example.org")


def envelope(peer=PEER, *, user=None, utf8=False, recipients=(BOB,)):
    return Envelope(
        "ID1", peer, user, None, MailParameters(smtputf8=utf8), list(recipients)
    )


class ReceivedTests(SynchronousTestCase):
    """RFC 5321, section 4.4."""

    def received(self, *args, **options):
        return trace.received(envelope(*args, **options), "ESMTP", NOW)

    def test_it_says_from_by_with_id_for_and_when(self):
        self.assertEqual(
            self.received(),
            b"Received: from client.example ([192.0.2.7])\r\n"
            b"\tby mx.example.org with ESMTP id ID1\r\n"
            b"\tfor <bob@example.org>;\r\n"
            b"\tSat, 21 Nov 2026 02:01:34 +0000\r\n",
        )

    def test_it_names_the_version_of_tls_and_ipv6_as_such(self):
        peer = replace(PEER, host="2001:db8::7", tls="TLSv1.3")
        self.assertEqual(
            self.received(peer),
            b"Received: from client.example ([IPv6:2001:db8::7])\r\n"
            b"\tby mx.example.org with ESMTP (TLSv1.3) id ID1\r\n"
            b"\tfor <bob@example.org>;\r\n"
            b"\tSat, 21 Nov 2026 02:01:34 +0000\r\n",
        )

    def test_several_recipients_do_not_learn_of_each_other(self):
        for recipients in ((), (BOB, Address("ann", "example.org"))):
            header = self.received(recipients=recipients)
            self.assertIn(b" id ID1;\r\n\tSat, 21", header)
            self.assertNotIn(b"for", header.split(b"by")[1])

    def test_a_priority_is_told(self):
        """RFC 6710, section 4.1."""
        for priority, told in ((-3, True), (9, True), (0, False)):
            given = envelope()
            given.parameters = replace(given.parameters, priority=priority)
            header = trace.received(given, "ESMTP", NOW)
            self.assertEqual(b"\r\n\tpriority %d;\r\n" % priority in header, told)

    def test_a_unix_socket_has_no_address(self):
        header = self.received(replace(PEER, host=""))
        self.assertTrue(header.startswith(b"Received: from client.example\r\n"))

    def test_a_recipient_in_utf8_is_named_only_where_that_is_allowed(self):
        kim = (Address("김", "example.org"),)
        self.assertNotIn("김".encode(), self.received(recipients=kim))
        header = self.received(recipients=kim, utf8=True)
        self.assertIn("\r\n\tfor <김@example.org>;".encode(), header)

    def test_no_value_starts_a_line_or_a_comment(self):
        evil = "x\r\nX-Evil: 1\n(\0)"
        peer = replace(PEER, host=evil, local_name=evil, helo=evil, tls=evil)
        header = self.received(peer)
        self.assertEqual(header.count(b"\n"), 4)
        self.assertEqual(header.count(b"\r\n"), 4)
        self.assertNotIn(b"\nX-Evil", header)
        self.assertNotIn(b"\0", header)

    def test_the_transfer_type_tells_how_it_came(self):
        secure = replace(PEER, tls="TLSv1.3")
        for mail, lmtp, extended, expected in (
            (envelope(), False, False, "SMTP"),
            (envelope(), False, True, "ESMTP"),
            (envelope(secure), False, True, "ESMTPS"),
            (envelope(user="ann"), False, True, "ESMTPA"),
            (envelope(secure, user="ann"), False, True, "ESMTPSA"),
            (envelope(), True, True, "LMTP"),
            (envelope(secure), True, True, "LMTPS"),
            (envelope(utf8=True), False, True, "UTF8SMTP"),
            (envelope(secure, user="ann", utf8=True), False, True, "UTF8SMTPSA"),
            (envelope(utf8=True), True, True, "UTF8LMTP"),
        ):
            found = trace.transfer_type(mail, lmtp=lmtp, extended=extended)
            self.assertEqual(found, expected)


class ReturnPathTests(SynchronousTestCase):
    """RFC 5321, section 4.4."""

    def test_it_holds_the_sender_as_a_path(self):
        for sender, expected in (
            (None, b"Return-Path: <>\r\n"),
            (BOB, b"Return-Path: <bob@example.org>\r\n"),
            (Address("a b", "x.example"), b'Return-Path: <"a b"@x.example>\r\n'),
        ):
            self.assertEqual(trace.return_path(sender), expected)
