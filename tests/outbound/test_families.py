"""IPv6 and IPv4: whichever a server has, in the order that is wanted."""

from __future__ import annotations

from mailhub.mail.dns import RecordType

from .way_case import DOMAIN, WayCase, told

TAKEN = [("delivered", "2.0.0")]


class FamilyTests(WayCase):
    """RFC 5321, section 5.2."""

    async def test_a_domain_may_have_an_ipv6_address_only(self):
        far = self.far(address="::1")
        self.names.records[DOMAIN] = {RecordType.AAAA: ["::1"]}
        self.make(far.port, families="ipv6")
        [result] = await self.send()
        self.assertEqual((result.host, result.address), (DOMAIN, "::1"))
        self.assertEqual(told([result]), TAKEN)

    async def test_either_family_comes_first_and_the_other_after_it(self):
        six = self.far(address="::1")
        four = self.far(port=six.port)
        addresses = {RecordType.A: ["127.0.0.1"], RecordType.AAAA: ["::1"]}
        self.names.records[DOMAIN] = addresses
        for families, first, second in (
            ("ipv6", six, four), ("ipv4", four, six)
        ):  # fmt: skip
            self.make(six.port, families=families, idle=0.001)
            before = first.connections, second.connections
            self.assertEqual(told(await self.send()), TAKEN)
            after = first.connections, second.connections
            self.assertEqual(after, (before[0] + 1, before[1]), families)
        await four.stop()
        self.assertEqual(told(await self.send()), TAKEN)
