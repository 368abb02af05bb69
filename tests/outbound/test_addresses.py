"""Addresses that mail may be sent to, and what DNS may make of that."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.dns import MX, RecordType
from mailhub.outbound import by_mx
from mailhub.outbound.addresses import (
    is_address,
    is_loopback,
    is_own,
    is_public,
    literal_address,
)

from .way_case import DOMAIN, WayCase, told

PUBLIC = (
    "8.8.8.8", "193.0.14.129", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::"
)  # fmt: skip
NOT_PUBLIC = (
    # This machine and this network.
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::",
    # Private networks, carriers', link-local (with the services of clouds).
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1",
    # Many at once, or nobody.
    "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "ff02::1",
    "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1",
    "2001:db8::1", "3fff::1", "5f00::1", "100::1", "2001::1",
    # The same in other clothes.
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b:1::1",
    # No addresses at all.
    "", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "1.2.3.4.5", "fe80::1%lo",
)  # fmt: skip


class AddressTests(SynchronousTestCase):
    """Networks of RFC 6890 and others."""

    def test_the_public_internet(self) -> None:
        for address in PUBLIC:
            self.assertTrue(is_public(address), address)

    def test_everything_else(self) -> None:
        for address in NOT_PUBLIC:
            self.assertFalse(is_public(address), address)

    def test_what_never_leaves_this_machine(self) -> None:
        for address in ("127.0.0.1", "127.9.9.9", "::1", "/run/lmtp"):
            self.assertTrue(is_loopback(address), address)
        for address in ("10.0.0.1", "8.8.8.8", "fe80::1"):
            self.assertFalse(is_loopback(address), address)

    def test_what_this_machine_has_is_its_own(self) -> None:
        self.assertTrue(is_own("127.0.0.1"))
        for address in ("192.0.2.1", "2001:db8::1", "255.255.255.255"):
            self.assertFalse(is_own(address), address)

    def test_literals(self) -> None:
        self.assertEqual(literal_address("[192.0.2.1]"), "192.0.2.1")
        self.assertEqual(literal_address("[ipv6:2001:DB8::1]"), "2001:db8::1")
        for text in ("example.com", "[example.com]", "[]", "[", "[1.2.3]"):
            self.assertIsNone(literal_address(text), text)

    def test_names_are_no_addresses(self) -> None:
        for name in ("4.example", "example", "1-2.example", "xn--4.example"):
            self.assertFalse(is_address(name), name)
        for address in ("192.0.2.1", "::1", "2001:db8::1"):
            self.assertTrue(is_address(address), address)


class ForgedRequestTests(WayCase):
    """Attack: a domain's DNS leads to services inside our network, or back to us."""

    async def refused(self, **more):
        """Nothing is connected to; what the sender is told."""
        far = self.far()
        self.make(far.port, **{"allow_private": False} | more)
        results = await self.send()
        self.assertEqual(far.connections, 0)
        return told(results)

    async def test_an_mx_inside_is_not_connected_to(self):
        for address in ("127.0.0.1", "0.0.0.0", "169.254.169.254", "10.0.0.1"):
            self.exchange((10, "mx.far.example", address))
            self.names.records["mx.far.example"] = {RecordType.A: [address]}
            self.assertEqual(await self.refused(), [("failed", "5.4.6")], address)

    async def test_nor_in_ipv6(self):
        for address in ("::1", "::ffff:127.0.0.1", "fe80::1", "64:ff9b::7f00:1"):
            self.exchange((10, "mx.far.example", "127.0.0.1"))
            self.names.records["mx.far.example"] = {RecordType.AAAA: [address]}
            refused = await self.refused(families="ipv6")
            self.assertEqual(refused, [("failed", "5.4.6")], address)

    async def test_nor_behind_a_cname(self):
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.names.records["mx.far.example"] = {RecordType.CNAME: ["in.far.example"]}
        self.names.records["in.far.example"] = {RecordType.A: ["127.0.0.1"]}
        self.assertEqual(await self.refused(), [("failed", "5.4.6")])

    async def test_nor_where_an_address_stands_in_place_of_a_name(self):
        self.names.records[DOMAIN] = {RecordType.MX: [MX(10, "127.0.0.1")]}
        self.assertEqual(await self.refused(), [("failed", "5.4.6")])

    async def test_nor_as_a_literal(self):
        far = self.far()
        self.make(far.port, allow_private=False)
        for literal in ("[127.0.0.1]", "[ipv6:::1]", "[ipv6:::ffff:127.0.0.1]"):
            results = await self.send(f"jo@{literal}", destination=literal)
            self.assertEqual(told(results), [("failed", "5.4.6")], literal)
        self.assertEqual(far.connections, 0)

    async def test_an_mx_that_is_this_server_is_a_loop(self):
        self.exchange((10, "me.example", "127.0.0.1"))
        self.assertEqual(await self.refused(allow_private=True), [("failed", "5.4.6")])

    async def test_so_is_one_that_has_its_address(self):
        self.patch(by_mx, "is_public", bool)
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        for listening in (("0.0.0.0",), ("::", "127.0.0.1")):
            refused = await self.refused(listening=listening)
            self.assertEqual(refused, [("failed", "5.4.6")], listening)

    async def test_at_another_address_of_this_machine_another_server_may_be(self):
        self.patch(by_mx, "is_public", bool)
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        far = self.far()
        self.make(far.port, allow_private=False, listening=("::", "127.0.0.2"))
        self.assertEqual(told(await self.send()), [("delivered", "2.0.0")])

    async def test_so_is_one_that_has_its_name_behind_any_address(self):
        far = self.far(replies={b"EHLO": b"250 ME.example hello"})
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        self.assertEqual(told(await self.send()), [("failed", "5.4.6")])
        self.assertNotIn(b"MAIL", far.verbs())

    async def test_a_backup_passes_mail_on_to_what_is_better_only(self):
        """RFC 5321, section 5.1: this server is one of the domain's own."""
        best = self.far(1)
        worse = self.far(2, best.port)
        self.exchange(
            (5, "best.far.example", "127.0.0.1"), (10, "me.example", "127.0.0.3"),
            (10, "equal.far.example", "127.0.0.2"),
            (20, "worse.far.example", "127.0.0.2"),
        )  # fmt: skip
        self.make(best.port)
        self.assertEqual(told(await self.send()), [("delivered", "2.0.0")])
        await best.stop()
        self.assertEqual(told(await self.send()), [("delayed", "4.4.1")])
        self.assertEqual(worse.connections, 0)

    async def test_chains_of_names_without_an_end_are_a_reason_to_wait(self):
        self.names.records[DOMAIN] = {RecordType.CNAME: [DOMAIN]}
        self.assertEqual(await self.refused(), [("delayed", "4.4.3")])

    async def test_ten_thousand_servers_are_not_looked_for(self):
        hosts = [(n, f"mx{n}.far.example", "127.0.0.1") for n in range(10_000)]
        self.exchange(*hosts)
        for _, name, _ in hosts:
            self.names.records[name] = {}
        self.make()
        self.assertEqual(told(await self.send()), [("failed", "5.4.4")])
        self.assertLessEqual(len(self.names.asked), 1 + 16 * 2)

    async def test_the_address_that_was_checked_is_connected_to(self):
        """Attack: DNS rebinding, another answer for the second question."""
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        far = self.far()
        self.make(far.port)
        await self.send()
        asked = [name for name, _ in self.names.asked if name == "mx.far.example"]
        self.assertEqual(len(asked), 1)
        self.assertEqual(far.connections, 1)
