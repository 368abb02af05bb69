"""What names a way out."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.routes import (
    BY_MX,
    MalformedRoute,
    Route,
    Secrecy,
    is_way,
    parse_route,
)

MAY, ENCRYPT, VERIFY = Secrecy.MAY, Secrecy.ENCRYPT, Secrecy.VERIFY
GOOD = (
    ("mx", BY_MX),
    ("smtp://relay.example", Route("smtp", host="relay.example", port=25)),
    ("smtp://Relay.Example:587", Route("smtp", host="relay.example", port=587)),
    ("smtp:127.0.0.1:2525", Route("smtp", host="127.0.0.1", port=2525)),
    ("smtp://[::1]:26", Route("smtp", host="::1", port=26)),
    (
        "smtp://jo@relay.example:587",
        Route("smtp", host="relay.example", port=587, user="jo", secrecy=VERIFY),
    ),
    (
        "smtp://jo@example.org@relay.example?tls=encrypt",
        Route(
            "smtp", host="relay.example", port=25, user="jo@example.org",
            secrecy=ENCRYPT,
        ),
    ),
    (
        "smtps://a%3ab@relay.example?tls=may",
        Route(
            "smtp", host="relay.example", port=465, user="a:b", implicit_tls=True
        ),
    ),
    ("lmtp:localhost", Route("lmtp", host="localhost", port=24)),
    ("lmtp:unix:/run/a b", Route("lmtp", path="/run/a b")),
    ("function:tickets", Route("function", "tickets")),
    ("http:https://host/x?y", Route("http", "https://host/x?y")),
    ("program:/bin/cat -n", Route("program", "/bin/cat -n")),
    ("local:example.org", Route("local", "example.org")),
    ("discard:", Route("discard")),
)
BAD = (
    "", "relay.example", "smtp:", "smtp://", "smtp://a b", "smtp://host:0",
    "smtp://host:65536", "smtp://host:x", "smtp://host?tls=never", "smtp://host/path",
    "smtp://host\r\nDATA", "lmtp:unix:", "function:", "smtp://[x]", "smtp://-",
    "smtp://h:\u0663",
)  # fmt: skip


class RouteTests(SynchronousTestCase):
    """Texts of configurations, aliases and queues."""

    def test_each_kind_is_understood(self) -> None:
        for text, expected in GOOD:
            found = parse_route(text)
            name = found.name if expected.kind in ("smtp", "lmtp") else expected.name
            self.assertEqual(
                found,
                Route(
                    expected.kind, name, expected.host, expected.port, expected.path,
                    expected.user, expected.implicit_tls, expected.secrecy,
                ),
                text,
            )

    def test_nothing_else_is(self) -> None:
        for text in BAD:
            with self.assertRaises(MalformedRoute, msg=text) as caught:
                parse_route(text)
            self.assertFalse(caught.exception.permanent)

    def test_domains_and_literals_are_no_ways(self) -> None:
        for text in ("example.com", "[192.0.2.1]", "[ipv6:2001:db8::1]"):
            self.assertFalse(is_way(text), text)
        self.assertTrue(is_way("lmtp:host:24"))
