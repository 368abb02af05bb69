"""Tests of :mod:`mailhub.tables`' lists of names and maps of addresses."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.routes import parse_route
from mailhub.tables.canonical import parse_canonical
from mailhub.tables.domains import parse_names
from mailhub.tables.lines import MalformedTable
from mailhub.tables.transport import Way, parse_transport
from mailhub.tables.virtual import has_pattern, parse_virtual


class NameTests(SynchronousTestCase):
    """local-host-names, relay-domains."""

    def test_a_name_in_each_line(self):
        names = parse_names(
            b"# all of them\nExample.org\nyoungjin-mail.com # new\n[192.0.2.1]\n"
            b"a.b c.d\n",
            "/etc/mail/local-host-names",
        )
        self.assertEqual(
            names.lines,
            {"example.org": 2, "youngjin-mail.com": 3, "[192.0.2.1]": 4,
             "a.b": 5, "c.d": 5},
        )  # fmt: skip
        self.assertIn("example.org", names)
        self.assertNotIn("www.example.org", names)

    def test_domains_below_are_covered(self):
        names = parse_names(b"example.org\n.example.net\n", "/f")
        for domain, covered in (
            ("example.org", True), ("www.example.org", True), ("a.b.example.org", True),
            ("a.example.net", True), ("example.net", False), ("org", False),
            ("badexample.org", False), ("", False),
        ):  # fmt: skip
            self.assertIs(names.covers(domain), covered, domain)

    def test_networks_are_kept_apart(self):
        names = parse_names(b"10\n192.0.2.0/24\n2001:db8::/32\nexample.org\n", "/f")
        self.assertEqual(
            list(names.networks),
            [ip_network(n) for n in ("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")],
        )
        self.assertEqual(list(names.lines), ["example.org"])

    def test_other_lines_are_faults(self):
        for line in (b"a..b", b"jo@example.org", b"300", b"-", b"/etc/x", b"a_b.c"):
            text = b"a.b\n" + line
            error = self.assertRaises(MalformedTable, parse_names, text, "/f")
            self.assertTrue(str(error).startswith("/f:2: "), error)


class VirtualTests(SynchronousTestCase):
    """Sendmail's cf/README, "virtusertable"; virtual(5)."""

    FILE = b"""
info@example.com        foo-info
Info@Example.org        bar-info, jo@example.net
joe@example.org         error:nouser 550 No such user, sorry
@example.net            jane@example.com
@pass.example           %1@example.com
old+*@example.org       new+%2@example.com
old++@example.org       tagged@example.com
+*@any.example          %1%3
virtual.example         anything
root                    jo
"""

    def setUp(self):
        self.virtual = parse_virtual(self.FILE, "/etc/mail/virtusertable")

    def test_entries_by_address_and_by_domain(self):
        for address, targets in (
            ("info@example.com", ("foo-info",)),
            ("info@example.org", ("bar-info", "jo@example.net")),
            ("joe@example.org", ("error:nouser 550 No such user, sorry",)),
            ("@example.net", ("jane@example.com",)),
            ("@pass.example", ("%1@example.com",)),
            ("@any.example", ("%1%3",)),
        ):
            self.assertEqual(self.virtual.find(address).targets, targets)

    def test_tags(self):
        for address, targets in (
            ("old@example.org", ("new+%2@example.com",)),
            ("old+@example.org", None),
            ("old+x@example.org", ("tagged@example.com",)),
            ("info+x@example.com", None),
        ):
            found = self.virtual.find(address)
            self.assertEqual(found and found.targets, targets, address)
        self.assertIsNone(self.virtual.find("old+x@example.org", separator=""))

    def test_addresses_are_never_looked_up_as_domains_or_users(self):
        for address in ("x@example.net", "jo@virtual.example", "@other.example"):
            self.assertIsNone(self.virtual.find(address))

    def test_a_domain_alone_is_a_virtual_domain(self):
        self.assertEqual(self.virtual.domains, {"virtual.example": 10})

    def test_a_name_alone_holds_in_the_machine_s_own_domains(self):
        self.assertEqual(self.virtual.user("root").targets, ("jo",))

    def test_patterns_are_seen(self):
        for address, is_pattern in (
            ("@pass.example", True), ("@any.example", True), ("info@example.com", False)
        ):  # fmt: skip
            self.assertIs(has_pattern(self.virtual.find(address)), is_pattern)

    def test_what_has_no_effect_is_remarked_upon(self):
        virtual = parse_virtual(b"++@a.b x\nc@a.b d\nC@A.B e\n", "/f")
        self.assertEqual([remark.line for remark in virtual.remarks], [1, 3])
        self.assertEqual(virtual.find("c@a.b").targets, ("d",))

    def test_faults_name_their_lines(self):
        for line in (b"a@b.c", b"a@b.c ,", b"a@b.c d e"):
            error = self.assertRaises(MalformedTable, parse_virtual, b"\n" + line, "/f")
            self.assertTrue(str(error).startswith("/f:2: "), error)


class CanonicalTests(SynchronousTestCase):
    """canonical(5); Sendmail's cf/README, "genericstable"."""

    def setUp(self):
        self.canonical = parse_canonical(
            b"jo@example.org Jo.Doe@example.org\n"
            b"root admin\n"
            b"@old.example @new.example\n"
            b"@older.example %1@new.example\n",
            "/f",
            origin="example.org",
        )

    def test_addresses_become_others(self):
        for address, is_own, new in (
            ("jo@example.org", True, "Jo.Doe@example.org"),
            ("jo@example.net", True, None),
            ("root@mail.example.org", True, "admin@example.org"),
            ("root@example.net", False, None),
            ("x@old.example", False, "x@new.example"),
            ("x@older.example", False, "x@new.example"),
            ("x@new.example", False, None),
        ):
            self.assertEqual(self.canonical.find(address, is_own=is_own), new, address)

    def test_faults_name_their_lines(self):
        for line in (b"a@b.c", b"a@b.c d", b"a@b.c d@e f@g", b"a@b.c @"):
            error = self.assertRaises(MalformedTable, parse_canonical, line, "/f")
            self.assertTrue(str(error).startswith("/f:1: "), error)


class TransportTests(SynchronousTestCase):
    """transport(5); Sendmail's cf/README, "mailertable"."""

    def setUp(self):
        self.transport = parse_transport(
            b"example.com       smtp:[mx.example.net]:2525\n"
            b".example.com      relay:gateway.example.net\n"
            b"jo@example.com    lmtp:unix:/run/lmtp\n"
            b"gone.example      error:5.1.2 no such host\n"
            b"mine.example      :\n"
            b"*                 smtp:smart.example.net:587\n",
            "/f",
        )

    def test_the_closest_key_counts(self):
        for address, destination, refusal, line in (
            ("x@example.com", "smtp:mx.example.net:2525", None, 1),
            ("x@a.b.example.com", "smtp:gateway.example.net:25", None, 2),
            ("jo@example.com", "lmtp:unix:/run/lmtp", None, 3),
            ("jo+tag@example.com", "lmtp:unix:/run/lmtp", None, 3),
            ("x@gone.example", "", "5.1.2 no such host", 4),
            ("x@mine.example", "", None, 5),
            ("x@other.example", "smtp:smart.example.net:587", None, 6),
        ):
            way = self.transport.find(address)
            self.assertEqual(way, Way(destination, refusal, line), address)

    def test_spellings(self):
        for text, destination in (
            (b"smtp:[2001:db8::1]:26", "smtp:[2001:db8::1]:26"),
            (b"smtp:[192.0.2.1]", "smtp:192.0.2.1:25"),
            (b"esmtp:[a.b]:submission", "smtp:a.b:587"),
            (b"lmtp:[a.b]", "lmtp:a.b:24"),
            (b"smtp:", ""),
            (b":[a.b]", "smtp:a.b:25"),
        ):
            way = parse_transport(b"x.y " + text, "/f").find("u@x.y")
            self.assertEqual(way.destination, destination, text)
            if destination:
                parse_route(destination)

    def test_a_host_whose_mx_records_would_count_is_remarked_upon(self):
        [remark] = parse_transport(b"x.y smtp:a.b\nx.z smtp:[a.b]", "/f").remarks
        self.assertEqual(str(remark), "/f:1: MX records of a.b are not looked up")

    def test_without_a_star_all_others_go_the_usual_way(self):
        transport = parse_transport(b"a.b smtp:c.d", "/f")
        self.assertIsNone(transport.find("x@y.z"))

    def test_faults_name_their_lines(self):
        for line in (
            b"a.b", b"a.b host", b"a.b uucp:x", b"a.b smtp:x y", b"a.b smtp:[x",
            b"a.b smtp:x]", b"a.b smtp:[x]:http", b"a.b discard:", b"a.b smtp:1::2",
            b"a.b lmtp:unix:private/lmtp",
        ):  # fmt: skip
            error = self.assertRaises(MalformedTable, parse_transport, line, "/f")
            self.assertTrue(str(error).startswith("/f:1: "), error)
