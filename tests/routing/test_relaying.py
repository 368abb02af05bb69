"""Relay probes: no spelling of an address makes a server of ours pass mail on."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.routing.router import Router
from mailhub.routing.srs import SRS
from mailhub.routing.submission import InboundSubmission
from mailhub.store.memory import MemoryStore

from ..smtp.fixture import REMOTE, Server
from .test_sending import Outlet
from .test_submission import Deliveries

SENDERS = (b"<>", b"<ann@example.org>", b"<x@example.com>")

#: Spellings that some server has taken for a way to ``v@other.example``.
DIRECT = [
    b"<v@other.example>", b"<v@OTHER.example>", b"<v@sub.example.org>",
    b"<v@example.org.other.example>", b"<v@org>", b"<v@example>",
]
#: Percent, bang, routes, quotes.
OLD = [
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
]
LITERALS = [
    b"<v@[127.0.0.1]>", b"<v@[192.0.2.1]>", b"<v@[IPv6:::1]>",
    b"<v@[IPv6:::ffff:127.0.0.1]>", b"<v@2130706433>", b"<v@127.1>",
    b"<v@127.0.0.1>", b"<v@local>", b"<v@local.>", b"<v@localhost>", b"<v@>",
    b"<@example.org>", b"<v>", b"<v@[example.org]>", b"<v@mx.example.org>",
    b"<v@EXAMPLE.ORG>", b"<v@LOCAL>", b"<v@LOCALHOST>", b"<ann@example.org.>",
    b"<ann@localhost>", b"<ann@[127.0.0.1]>", b"<ann@[IPv6:::1]>",
    b"<ann@[IPv6:::ffff:127.0.0.1]>", b"<ann@2130706433>", b"<ann@127.1>", b"<ann>",
    b"<postmaster@[127.0.0.1]>", b"<postmaster@localhost>", b"<postmaster@>",
]
NO_ADDRESSES = [
    b"v@other.example", b"<<v@other.example>>", b"<v@other.example",
    b"<|cmd@other.example>", b"</tmp/file>",
]
#: Commands, templates, files and ways, as local parts of ours and of others.
COMMANDS = [
    b"<|cmd@example.org>", b'<"|cmd arg"@example.org>', b"</tmp/file@example.org>",
    b'<":include:/etc/passwd"@example.org>', b'<"lmtp:/run/x"@example.org>',
    b'<"function:x"@example.org>', b"<;id;@example.org>", b"<;id;@other.example>",
    b"<$(id)@example.org>", b"<`id`@example.org>", b"<${run{id}}@example.org>",
    b"<${run{id}}@other.example>", b'<"%(x)s"@example.org>',
    b"<{0.__class__}@example.org>", b'<"\\\\ann"@example.org>',
]
#: Addresses that look as if this server had signed them.
SIGNED = [
    b"<SRS0=abcdef=aa=other.example=v@example.org>", b"<SRS0=@example.org>",
    b"<SRS1=abcdef=other.example==abcdef=aa=x.example=v@example.org>",
    b"<srs0+abcdef=aa=other.example=v@example.org>",
]


class RelayProbes(SynchronousTestCase):
    """Forms of addresses, each from nobody, from one of us, and from elsewhere."""

    def setUp(self):
        directory = MemoryStore().directory
        adding = Deferred.fromCoroutine(directory.add_account("ann@example.org", ""))
        self.successResultOf(adding)
        self.store = Deliveries(directory)
        self.use()

    def use(self, **settings):
        router = Router(self.store.directory, srs=SRS(lambda: bytes(32)), **settings)
        avatar = InboundSubmission(self.store, router, outlet=Outlet())
        self.servers = {
            service: Server(service, avatar=avatar) for service in ("smtp", "lmtp")
        }

    def probe(self, service, sender, form, helo=b"client.example"):
        player = self.servers[service].greeted(REMOTE)
        if service == "smtp":
            player.send(b"HELO " + helo + b"\r\n")
            player.received()
        player.send(b"MAIL FROM:" + sender + b"\r\n")
        player.received()
        player.send(b"RCPT TO:" + form + b"\r\n")
        reply = player.received()
        player.close()
        return reply

    def refused(self, forms, senders=SENDERS, **how):
        for service in self.servers:
            for sender in senders:
                for form in forms:
                    reply = self.probe(service, sender, form, **how)
                    self.assertIn(reply[:3], (b"550", b"501"), (sender, form))
        self.assertEqual(self.store.made, [])

    def test_an_address_elsewhere_is_refused(self):
        self.refused(DIRECT)

    def test_percent_bang_route_and_quotes_are_refused(self):
        self.refused(OLD)

    def test_literals_and_odd_domains_are_refused(self):
        self.refused(LITERALS)

    def test_a_literal_of_this_machine_is_taken_only_if_it_is_configured(self):
        self.use(host_names=["[192.0.2.25]"])
        for form, code in (
            (b"<ann@[192.0.2.25]>", b"250"), (b"<v@[192.0.2.25]>", b"550"),
            (b"<ann@[192.0.2.26]>", b"550"), (b"<ann@[127.0.0.1]>", b"550"),
            (b"<ann@192.0.2.25>", b"550"),
        ):  # fmt: skip
            reply = self.probe("smtp", b"<x@example.com>", form)
            self.assertIn(reply[:3], (code, code.replace(b"550", b"501")), form)

    def test_what_is_no_address_is_refused(self):
        self.refused(NO_ADDRESSES)

    def test_a_forged_sender_or_helo_relays_nothing(self):
        for helo in (b"mx.example.org", b"example.org", b"localhost", b"[127.0.0.1]"):
            senders = (b"<ann@example.org>", b"<postmaster@example.org>")
            self.refused(DIRECT, senders, helo=helo)

    def test_commands_and_templates_in_addresses_are_text(self):
        self.refused(COMMANDS)

    def test_addresses_that_look_signed_relay_nothing(self):
        self.refused(SIGNED)

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
