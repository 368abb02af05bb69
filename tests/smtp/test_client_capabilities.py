"""What another server says after EHLO."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.client_capabilities import NONE, Capabilities, capabilities_of
from mailhub.smtp.client_replies import ServerReply

OFFERS = (
    ((), NONE),
    ((b"PIPELINING", b"8bitmime"), Capabilities(pipelining=True, eight_bit=True)),
    ((b"CHUNKING", b"SMTPUTF8", b"DSN"),
     Capabilities(chunking=True, smtputf8=True, dsn=True)),
    ((b"STARTTLS", b"REQUIRETLS", b"MT-PRIORITY MIXER"),
     Capabilities(starttls=True, require_tls=True, priority=True)),
    ((b"SIZE",), Capabilities(offers_size=True)),
    ((b"SIZE 0",), Capabilities(offers_size=True)),
    ((b"SIZE 1000",), Capabilities(offers_size=True, size=1000)),
    ((b"SIZE x", b"SIZE " + b"9" * 21), Capabilities(offers_size=True)),
    ((b"DELIVERBY",), Capabilities(by=0)),
    ((b"DELIVERBY 240",), Capabilities(by=240)),
    ((b"AUTH PLAIN login", b"AUTH=PLAIN XOAUTH2"),
     Capabilities(mechanisms=("PLAIN", "LOGIN", "XOAUTH2"))),
    ((b"LIMITS MAILMAX=5 RCPTMAX=20 X=1",),
     Capabilities(most_messages=5, most_recipients=20)),
    ((b"LIMITS RCPTMAX=0",), NONE),
    ((b"X-OTHER", b"", b"\xff\x00"), NONE),
)  # fmt: skip


class CapabilitiesTests(SynchronousTestCase):
    """RFC 5321, section 4.1.1.1."""

    def test_offers_are_understood(self) -> None:
        for lines, expected in OFFERS:
            reply = ServerReply(250, (b"mx.example hello", *lines))
            self.assertEqual(capabilities_of(reply), expected, lines)

    def test_the_first_line_is_a_name_only(self) -> None:
        self.assertEqual(capabilities_of(ServerReply(250, (b"PIPELINING",))), NONE)
