"""Tests of :mod:`mailhub.tables.access`, its actions and networks."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import Status
from mailhub.mail.address import Address
from mailhub.tables.access import parse_access
from mailhub.tables.actions import UnknownAction, What, parse_action
from mailhub.tables.lines import MalformedTable
from mailhub.tables.networks import Networks, NoNetwork, parse_network
from mailhub.tables.tags import Tag

FILE = b"""
Connect:localhost.localdomain   RELAY
Connect:127.0.0.1               RELAY
Connect:192.0.2                 REJECT
Connect:192.0.2.7               OK
192.0.2.8                       DISCARD
10                              550 Not from there
2001:db8::/32                   HOLD
IPv6:2001:db8:1::9              OK
From:spammer@example.com        REJECT
From:spammer@                   ERROR:5.7.1:550 No spam
example.com                     421 4.7.1 Come later
good.example.com                OK
.example.net                    REJECT Not from below
To:jo@example.org               DISCARD
To:lists@                       RELAY
To:example.org                  OK
user+tag@example.org            REJECT
<>                              DEFER
"a b"@example.org               REJECT
AuthInfo:example.com            "U:root" "P:secret"
"""


class AccessTests(SynchronousTestCase):
    """Sendmail's cf/README, "ANTI-SPAM CONFIGURATION CONTROL"; access(5)."""

    def setUp(self):
        self.access = parse_access(FILE, "/etc/mail/access")

    def test_clients_by_address_and_by_network(self):
        for host, what in (
            ("127.0.0.1", What.RELAY),
            ("192.0.2.1", What.REFUSE),
            ("192.0.2.7", What.NOTHING),
            ("192.0.2.8", What.DISCARD),
            ("::ffff:192.0.2.8", What.DISCARD),
            ("10.1.2.3", What.REFUSE),
            ("2001:db8::1", What.HOLD),
            ("2001:db8:1::9", What.NOTHING),
        ):
            self.assertIs(self.access.client(host).what, what, host)

    def test_clients_that_nothing_is_said_of(self):
        for host in ("198.51.100.1", "2001:db9::1", "", "nonsense"):
            self.assertIsNone(self.access.client(host))

    def test_senders_by_address_user_and_domain(self):
        for local, domain, what, text in (
            ("spammer", "example.com", What.REFUSE, "Access denied"),
            ("Spammer", "elsewhere.example", What.REFUSE, "No spam"),
            ("jo", "example.com", What.REFUSE, "Come later"),
            ("jo", "mail.example.com", What.REFUSE, "Come later"),
            ("jo", "good.example.com", What.NOTHING, ""),
            ("jo", "very.good.example.com", What.NOTHING, ""),
            ("jo", "a.example.net", What.REFUSE, "Not from below"),
            ("user+tag", "example.org", What.REFUSE, "Access denied"),
            ("a b", "example.org", What.REFUSE, "Access denied"),
        ):
            action = self.access.sender(Address(local, domain))
            self.assertEqual((action.what, action.text), (what, text), (local, domain))

    def test_senders_that_nothing_is_said_of(self):
        for local, domain in (
            ("jo", "example.org"), ("jo", "example.net"), ("jo", "notexample.com"),
            ("lists", "x.example"),
        ):  # fmt: skip
            self.assertIsNone(self.access.sender(Address(local, domain)))

    def test_the_null_sender_has_its_own_key(self):
        self.assertEqual(self.access.sender(None).refusal().permanent, False)
        self.assertIsNone(parse_access(b"a.b OK", "/f").sender(None))

    def test_recipients_by_address_user_and_domain(self):
        for local, domain, what in (
            ("jo", "example.org", What.DISCARD),
            ("jo+tag", "example.org", What.DISCARD),
            ("lists", "anywhere.example", What.RELAY),
            ("jim", "example.org", What.NOTHING),
            ("user+tag", "example.org", What.REFUSE),
            ("jim", "example.com", What.REFUSE),
        ):
            self.assertIs(self.access.recipient(Address(local, domain)).what, what)
        self.assertIsNone(self.access.recipient(Address("spammer", "else.example")))

    def test_what_has_no_effect_is_remarked_upon(self):
        told = [remark.line for remark in self.access.remarks]
        self.assertEqual(told, [21])

    def test_the_origin_of_an_action_is_file_and_line(self):
        self.assertEqual(self.access.client("10.0.0.1").origin, "/etc/mail/access:7")

    def test_a_file_can_be_about_one_thing(self):
        jo = Address("jo", "example.com")
        clients = parse_access(b"a.b REJECT\n10 REJECT", "/f", Tag.CONNECT)
        self.assertIs(clients.client("10.0.0.1").what, What.REFUSE)
        self.assertIsNone(clients.sender(Address("jo", "a.b")))
        senders = parse_access(b"example.com REJECT\nTo:a.b HOLD", "/f", Tag.FROM)
        self.assertIs(senders.sender(jo).what, What.REFUSE)
        self.assertIsNone(senders.recipient(jo))
        self.assertIs(senders.recipient(Address("jo", "a.b")).what, What.HOLD)

    def test_relay_for_what_a_sender_claims_to_be_is_remarked_upon(self):
        [remark] = parse_access(b"From:example.org RELAY", "/f").remarks
        self.assertIn("claim", remark.text)

    def test_faults_name_their_lines(self):
        for line in (
            b"example.org", b"example.org NONSENSE", b"10.0.0.1/8 OK", b"300 OK",
            b"a@b@c OK", b"@example.org OK", b"a.b PREPEND nothing", b"a.b FILTER x:y",
            b"a..b OK",
        ):  # fmt: skip
            error = self.assertRaises(
                MalformedTable, parse_access, b"# one\n" + line, "/f"
            )
            self.assertTrue(str(error).startswith("/f:2: "), error)

    def test_of_two_entries_of_a_key_the_first_counts(self):
        access = parse_access(b"10 REJECT\n10.0.0.0/8 OK\na.b OK\nA.B REJECT", "/f")
        self.assertIs(access.client("10.0.0.1").what, What.REFUSE)
        self.assertIs(access.sender(Address("x", "a.b")).what, What.NOTHING)
        self.assertEqual([remark.line for remark in access.remarks], [2, 4])


class ActionTests(SynchronousTestCase):
    """The right-hand sides."""

    def test_refusals(self):
        for text, permanent, code, status, told in (
            ("REJECT", True, None, "7.1", "Access denied"),
            ("reject Go away", True, None, "7.1", "Go away"),
            ("REJECT 5.1.1 No such user", True, None, "1.1", "No such user"),
            ("550 Go away", True, 550, "7.1", "Go away"),
            ("550", True, 550, "7.1", "Access denied"),
            ("554 5.7.1 Go away", True, 554, "7.1", "Go away"),
            ("421 4.7.1 Later", False, 421, "7.1", "Later"),
            ("ERROR:5.7.1:550 Go away", True, 550, "7.1", "Go away"),
            ('ERROR:"550 Go away"', True, 550, "7.1", "Go away"),
            ("ERROR:4.3.0:450 Later", False, 450, "3.0", "Later"),
            ("ERROR:550 Go away", True, 550, "7.1", "Go away"),
            ("DEFER", False, 450, "7.1", "Access denied for now"),
            ("DEFER Later", False, 450, "7.1", "Later"),
            ("550 5.99.99 Odd", True, 550, "0.0", "Odd"),
        ):
            action = parse_action(text, "/f:1")
            refusal = action.refusal()
            self.assertIs(action.what, What.REFUSE)
            self.assertEqual(
                (refusal.permanent, refusal.code, refusal.status, refusal.text),
                (permanent, code, Status(status), told),
                text,
            )

    def test_all_others(self):
        for text, what, told in (
            ("OK", What.NOTHING, ""),
            ("ok", What.NOTHING, ""),
            ("DUNNO", What.NOTHING, ""),
            ("SKIP", What.NOTHING, ""),
            ("12345", What.NOTHING, ""),
            ("RELAY", What.RELAY, ""),
            ("DISCARD", What.DISCARD, ""),
            ("DISCARD silently", What.DISCARD, "silently"),
            ("HOLD", What.HOLD, ""),
            ("HOLD look at it", What.HOLD, "look at it"),
            ("QUARANTINE:look at it", What.HOLD, "look at it"),
            ('QUARANTINE:"look at it"', What.HOLD, "look at it"),
            ("REDIRECT jo@example.org", What.REDIRECT, "jo@example.org"),
            ("PREPEND X-Seen: yes", What.PREPEND, "X-Seen: yes"),
            ("WARN odd client", What.WARN, "odd client"),
            ("INFO odd client", What.WARN, "odd client"),
        ):
            action = parse_action(text, "/f:1")
            self.assertEqual((action.what, action.text), (what, told), text)

    def test_what_means_nothing_here_is_told(self):
        for text in ("", "NONSENSE", "REDIRECT", "REDIRECT a b", "BCC a@b",
                     "FILTER smtp:x", "DEFER_IF_PERMIT", "reject_unauth_destination",
                     "250 fine", "PREPEND", "550\u2028x"):  # fmt: skip
            self.assertRaises(UnknownAction, parse_action, text, "/f:1")

    def test_a_header_line_is_one_that_a_message_can_have(self):
        for length, fits in ((900, True), (1000, False)):
            text = "PREPEND X-Long: " + "x" * length
            if fits:
                self.assertIs(parse_action(text, "/f:1").what, What.PREPEND)
            else:
                self.assertRaises(UnknownAction, parse_action, text, "/f:1")
        for text in ("X-\u00e9: y", "X-A: \u00e9", "X A: y", "X-A:y", ": y"):
            self.assertRaises(UnknownAction, parse_action, f"PREPEND {text}", "/f:1")

    def test_a_refusal_is_a_new_one_each_time(self):
        action = parse_action("REJECT", "/f:1")
        self.assertIsNot(action.refusal(), action.refusal())


class NetworkTests(SynchronousTestCase):
    """Keys that are networks."""

    def test_spellings(self):
        for text, network in (
            ("10", "10.0.0.0/8"),
            ("10.", "10.0.0.0/8"),
            ("192.0.2", "192.0.2.0/24"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("[192.0.2.1]", "192.0.2.1/32"),
            ("192.0.2.0/25", "192.0.2.0/25"),
            ("2001:db8", "2001:db8::/32"),
            ("2001:DB8:", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("IPv6:2001:db8::1", "2001:db8::1/128"),
            ("[2001:db8::]/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("[::ffff:127.0.0.0]/104", "127.0.0.0/8"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::/95", "::/95"),
        ):
            self.assertEqual(parse_network(text), ip_network(network), text)

    def test_others_are_no_networks(self):
        for text in ("", "example.org", "10.example.org", "a@10", "abcd", "1234"):
            self.assertIsNone(parse_network(text), text)

    def test_bad_ones_are_told(self):
        for text in ("300", "10.0.0.256", "10.0.0.1/24", "10.0.0.0/33", "1::2::3",
                     "2001:db8::/129", "a/b"):  # fmt: skip
            self.assertRaises(NoNetwork, parse_network, text)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=12
        ),
        st.integers(0, 2**32 - 1),
    )
    def test_an_address_has_the_values_of_its_networks(self, made, number):
        address = ip_address(number)
        networks = Networks()
        kept = {}
        for start, length in made:
            network = ip_network((start, length), strict=False)
            if networks.add(network, str(network)):
                kept[network] = str(network)
        expected = sorted(
            ((one.prefixlen, text) for one, text in kept.items() if address in one),
            reverse=True,
        )
        self.assertEqual(list(networks.find(address)), expected)
