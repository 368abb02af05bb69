"""The resolver with real servers: Knot signs, Unbound validates."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailhub.errors import DNSFault, NoSuchDomain
from mailhub.mail.dns import MX, TLSA, RecordType
from mailhub.net.dns_exchange import NameServer
from mailhub.net.resolver import Resolver
from tests.dns_servers import RealNames

ZONES = {
    "signed.example": (
        "@ MX 10 mx\n@ MX 20 mx.plain.example.\n"
        "mx A 127.0.0.1\nmx AAAA ::1\n"
        "_25._tcp.mx TLSA 3 1 1 " + "00" * 32 + "\n"
        "alias CNAME mx\nloose CNAME mx.plain.example.\n"
        "ring CNAME ring2\nring2 CNAME ring\n"
        'text TXT "v=STSv1; " "id=1;"\n'
        "long TXT " + f'"{"x" * 255}" ' * 12 + "\n"
        "null MX 0 .\n"
    ),
    "plain.example": "@ MX 10 mx\nmx A 127.0.0.1\n_25._tcp.mx TLSA 3 1 1 "
    + "00" * 32,
    "forged.example": "@ MX 10 mx\nmx A 127.0.0.1\n",
}


class RealServerTests(TestCase):
    """RFC 4035, section 4.9; RFC 7672, section 2.1."""

    def setUp(self):
        self.names = RealNames(ZONES, ("signed.example",), ("forged.example",))
        self.addCleanup(self.names.stop)
        self.names.start()

    async def ask(self, name, kind, server=None):
        server = server or self.names.resolver
        answer = await Resolver(reactor, lambda: [server]).query(name, kind)
        return answer.name, sorted(answer.records, key=repr), answer.authentic

    async def test_a_signed_zone_is_authentic(self):
        self.assertEqual(
            await self.ask("Signed.example", RecordType.MX),
            ("signed.example",
             [MX(10, "mx.signed.example"), MX(20, "mx.plain.example")], True),
        )  # fmt: skip
        for name, kind, records in (
            ("mx.signed.example", RecordType.A, ["127.0.0.1"]),
            ("mx.signed.example", RecordType.AAAA, ["::1"]),
            ("_25._tcp.mx.signed.example", RecordType.TLSA, [TLSA(3, 1, 1, bytes(32))]),
            ("text.signed.example", RecordType.TXT, [b"v=STSv1; id=1;"]),
            ("null.signed.example", RecordType.MX, [MX(0, "")]),
            ("mx.signed.example", RecordType.TLSA, []),
            ("alias.signed.example", RecordType.CNAME, ["mx.signed.example"]),
        ):
            self.assertEqual(await self.ask(name, kind), (name, records, True))

    async def test_one_that_is_not_signed_is_not(self):
        name = "_25._tcp.mx.plain.example"
        self.assertEqual(
            await self.ask(name, RecordType.TLSA),
            (name, [TLSA(3, 1, 1, bytes(32))], False),
        )

    async def test_what_is_not_signed_with_its_key_is_a_fault(self):
        with self.assertRaises(DNSFault):
            await self.ask("forged.example", RecordType.MX)

    async def test_a_resolver_that_is_not_trusted_is_not_believed(self):
        stranger = NameServer(self.names.resolver.host, self.names.resolver.port)
        _, records, authentic = await self.ask(
            "signed.example", RecordType.MX, stranger
        )
        self.assertEqual((len(records), authentic), (2, False))

    async def test_an_alias_is_as_authentic_as_what_it_leads_to(self):
        self.assertEqual(
            await self.ask("alias.signed.example", RecordType.A),
            ("mx.signed.example", ["127.0.0.1"], True),
        )
        self.assertEqual(
            await self.ask("loose.signed.example", RecordType.A),
            ("mx.plain.example", ["127.0.0.1"], False),
        )

    async def test_a_ring_of_aliases_is_a_fault(self):
        with self.assertRaises(DNSFault):
            await self.ask("ring.signed.example", RecordType.A)

    async def test_a_long_answer_comes_by_tcp(self):
        _, [text], authentic = await self.ask("long.signed.example", RecordType.TXT)
        self.assertEqual((len(text), authentic), (12 * 255, True))

    async def test_a_name_that_does_not_exist_does_not(self):
        for name in ("nobody.signed.example", "nobody.plain.example", "far.test"):
            with self.assertRaises(NoSuchDomain):
                await self.ask(name, RecordType.A)
