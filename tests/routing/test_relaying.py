"""Relay probes: no spelling of an address makes a server of ours pass mail on."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.routing.router import Router
from mailhub.routing.submission import InboundSubmission
from mailhub.store.memory import MemoryStore

from ..smtp.fixture import REMOTE, Server
from .test_submission import Deliveries

SENDERS = (b"<>", b"<ann@example.org>", b"<x@example.com>")

#: Spellings that some server has taken for a way to ``v@other.example``.
FORMS = [
    # Plainly elsewhere.
    b"<v@other.example>", b"<v@OTHER.example>", b"<v@sub.example.org>",
    b"<v@example.org.other.example>", b"<v@org>", b"<v@example>",
    # Percent, bang, routes, quotes.
    b"<v%other.example@example.org>", b"<other.example!v@example.org>",
    b"<@example.org:v@other.example>", b"<@example.org,@other.example:v@x.example>",
    b'<"v@other.example"@example.org>', b'<"v%other.example"@example.org>',
    b'<"other.example!v"@example.org>', b"<v@other.example@example.org>",
    b"<v@example.org@other.example>", b"<v%other.example>", b"<other.example!v>",
    b"<v@other.example%example.org>", b"<v@other.example%00@example.org>",
    b"<v%other.example%example.org@example.org>", b"<v.other.example@example.org>",
    b'<"v@other.example">', b"<v+other.example@example.org>",
    b"<example.org!v@other.example>", b"<v@other.example.>",
    b"<v@other.example,example.org>", b"<v@other.example example.org>",
    b"<v@other.example\texample.org>",
    # Literals and odd domains.
    b"<v@[127.0.0.1]>", b"<v@[192.0.2.1]>", b"<v@[IPv6:::1]>",
    b"<v@[IPv6:::ffff:127.0.0.1]>", b"<v@2130706433>", b"<v@127.1>",
    b"<v@127.0.0.1>", b"<v@local>", b"<v@local.>", b"<v@localhost>", b"<v@>",
    b"<@example.org>", b"<v>", b"<v@[example.org]>", b"<v@mx.example.org>",
    # Not even an address.
    b"v@other.example", b"<<v@other.example>>", b"<v@other.example",
    b"<|cmd@other.example>", b"</tmp/file>",
]


class RelayProbes(SynchronousTestCase):
    """Forms of addresses, each from nobody, from one of us, and from elsewhere."""

    def setUp(self):
        directory = MemoryStore().directory
        adding = Deferred.fromCoroutine(directory.add_account("ann@example.org", ""))
        self.successResultOf(adding)
        self.store = Deliveries(directory)
        avatar = InboundSubmission(self.store, Router(directory))
        self.servers = {
            service: Server(service, avatar=avatar) for service in ("smtp", "lmtp")
        }

    def probe(self, service, sender, form):
        player = self.servers[service].greeted(REMOTE)
        player.send(b"MAIL FROM:" + sender + b"\r\n")
        player.received()
        player.send(b"RCPT TO:" + form + b"\r\n")
        reply = player.received()
        player.close()
        return reply

    def test_no_form_is_taken_from_anybody(self):
        for service in self.servers:
            for sender in SENDERS:
                for form in FORMS:
                    reply = self.probe(service, sender, form)
                    self.assertIn(reply[:3], (b"550", b"501"), (sender, form))
        self.assertEqual(self.store.made, [])

    def test_the_same_senders_reach_who_is_here(self):
        for service in self.servers:
            for sender in SENDERS:
                for form in (b"<ann@example.org>", b"<@x.example:ann@example.org>",
                             b"<postmaster>", b"<Postmaster@EXAMPLE.ORG>"):
                    reply = self.probe(service, sender, form)
                    self.assertEqual(reply, b"250 2.1.5 Ok\r\n", form)

    def test_elsewhere_is_told_apart_from_unknown(self):
        reply = self.probe("smtp", b"<>", b"<v@other.example>")
        self.assertEqual(reply, b"550 5.7.1 Relay access denied\r\n")
        reply = self.probe("smtp", b"<>", b"<v@example.org>")
        self.assertEqual(reply, b"550 5.1.1 User unknown\r\n")
