"""Tests for ``mailhub dns``, with name servers on the loopback."""

from __future__ import annotations

from mailhub.cli.outcome import Exit
from tests.dns_servers import RealNames
from tests.faults.names import FaultyNames, Mode

from .shell import CommandTests

ZONE = (
    "@ MX 10 mx\n@ MX 20 mx2\nmx A 192.0.2.1\nmx2 A 192.0.2.2\n"
    "_25._tcp.mx TLSA 3 1 1 " + "ab" * 32 + "\n"
    'text TXT "a;" "b"\nnull MX 0 .\n'
)


class NamesTests(CommandTests):
    """Lookups."""

    def ask_at(self, port):
        text = f'[dns]\nservers = ["127.0.0.1:{port}"]\ntotal = 2\n'
        self.write("mailhub.toml", text)

    def test_records_are_shown(self) -> None:
        names = FaultyNames()
        self.addCleanup(names.close)
        self.ask_at(names.port)
        self.assertEqual(
            self.works("dns", "lookup", "far.example"),
            "far.example MX 10 mx.far.example.\nnot proved by DNSSEC\n",
        )
        self.assertEqual(
            self.json("dns", "lookup", "Far.example.", "a"),
            {"name": "far.example", "type": "A", "records": ["127.0.0.1"],
             "authentic": False, "ttl": 1},
        )  # fmt: skip
        text = self.works("dns", "lookup", "x.example", "txt")
        self.assertIn("no such records", text)
        names.mode = Mode.REFUSED
        text = self.fails(Exit.TRY_AGAIN, "dns", "lookup", "far.example")
        self.assertIn("REFUSED", text)

    def test_what_servers_have_to_prove_is_shown(self) -> None:
        names = RealNames({"far.example": ZONE}, ("far.example",))
        self.addCleanup(names.stop)
        names.start()
        self.ask_at(names.resolver.port)
        self.assertEqual(
            self.works("dns", "policy", "far.example"),
            "mx.far.example: only in TLS (dane)\n"
            "mx2.far.example: in TLS if it can (opportunistic)\n",
        )
        told = self.json("dns", "policy", "far.example")
        self.assertTrue(told["authentic"])
        self.assertEqual(
            told["hosts"][0],
            {"host": "mx.far.example", "needs_tls": True, "basis": "dane", "fault": ""},
        )
        self.assertEqual(
            self.works("dns", "policy", "null.far.example"),
            "null.far.example takes no mail\n",
        )
        self.assertEqual(
            self.works("dns", "lookup", "text.far.example", "TXT"),
            "text.far.example TXT 'a;b'\nproved by DNSSEC\n",
        )
        self.assertIn(
            f"TLSA 3 1 1 {'ab' * 32}\n",
            self.works("dns", "lookup", "_25._tcp.mx.far.example", "TLSA"),
        )
        text = self.fails(Exit.NO_HOST, "dns", "lookup", "nobody.far.example")
        self.assertEqual(text, "nobody.far.example does not exist")
