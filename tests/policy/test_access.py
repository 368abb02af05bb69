"""Tests of :mod:`mailhub.policy.access`, with the files it asks."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailhub.errors import LocalFault, Refused
from mailhub.interfaces import ICheck
from mailhub.mail.address import Address
from mailhub.mail.dns import RecordType
from mailhub.mail.envelope import Envelope, MailParameters, Order, Peer
from mailhub.policy.access import AccessCheck
from mailhub.policy.check import Pipeline
from mailhub.policy.names import PeerBook
from mailhub.tables.tags import Tag
from mailhub.watched.access import AccessFiles
from mailhub.watched.places import AccessPlace
from mailhub.watched.shelf import LOOK_SECONDS, Shelf, run_here

from ..resolving import Names
from ..watched.places import Folder

FILE = """
Connect:192.0.2.1     REJECT
Connect:192.0.2.2     550 5.7.1 Not you
Connect:192.0.2.3     RELAY
Connect:192.0.2.4     DISCARD
Connect:192.0.2.5     HOLD odd peer
Connect:192.0.2.6     PREPEND X-Peer: odd
Connect:192.0.2.7     WARN odd peer
Connect:192.0.2       OK
From:bad@example.com  REJECT Not him
From:odd@example.com  QUARANTINE:odd sender
From:claims.example   RELAY
From:gone@example.com DISCARD
From:pre@example.com  PREPEND X-From: odd
To:closed@example.org 421 4.7.1 Later
To:spool@example.org  HOLD
To:null@example.org   DISCARD
To:gone@example.org   REDIRECT jim@example.org
From:other@example.com REDIRECT jo@example.org
To:friends.example    RELAY
"""


class AccessCase(SynchronousTestCase):
    """A check that is asked by files."""

    def setUp(self):
        self.folder = Folder(self.mktemp())
        self.clock = Clock()
        self.shelf = Shelf(self.clock, run_here)
        self.use(AccessPlace(self.folder.write("access", FILE)))

    def use(self, *places, relays=()):
        files = AccessFiles(self.shelf, places, relays)
        self.dns = Names()
        self.check = AccessCheck(files, PeerBook(self.dns, self.clock))
        self.pipeline = Pipeline([self.check])

    def envelope(self, host="198.51.100.1", sender="jo@example.net", user=None):
        local, _, domain = sender.partition("@")
        peer = Peer(host, 25, "smtp", "mx.example.org")
        address = Address(local, domain) if sender else None
        return Envelope("1", peer, user, address, MailParameters())

    def mail(self, **facts):
        """The envelope after MAIL was answered."""
        envelope = self.envelope(**facts)
        self.successResultOf(Deferred.fromCoroutine(self.pipeline.sender(envelope)))
        return envelope

    def refused(self, **facts):
        asked = Deferred.fromCoroutine(self.pipeline.sender(self.envelope(**facts)))
        return self.failureResultOf(asked, Refused).value

    def orders(self, recipient, **facts):
        local, _, domain = recipient.partition("@")
        asked = self.pipeline.recipient(self.envelope(**facts), Address(local, domain))
        return self.successResultOf(Deferred.fromCoroutine(asked))


class AccessTests(AccessCase):
    """Sendmail's and Postfix's actions at the moments they belong to."""

    def test_it_is_a_check(self):
        verifyObject(ICheck, self.check)

    def test_peers_are_refused(self):
        self.assertEqual(self.refused(host="192.0.2.1").text, "Access denied")
        refusal = self.refused(host="192.0.2.2")
        self.assertEqual((refusal.text, refusal.code), ("Not you", 550))

    def test_senders_are_refused(self):
        self.assertEqual(self.refused(sender="bad@example.com").text, "Not him")

    def test_a_refusal_is_a_new_one_each_time(self):
        first, second = (self.refused(host="192.0.2.1") for _ in range(2))
        self.assertIsNot(first, second)

    def test_recipients_are_refused(self):
        asked = self.pipeline.recipient(
            self.envelope(), Address("closed", "example.org")
        )
        refusal = self.failureResultOf(Deferred.fromCoroutine(asked), Refused).value
        self.assertEqual((refusal.code, refusal.permanent), (421, False))

    def test_peers_and_senders_order_what_becomes_of_all_of_a_message(self):
        for facts, orders in (
            ({"host": "192.0.2.4"}, {Order.DISCARD: f"access table, {self.at(5)}"}),
            ({"host": "192.0.2.5"}, {Order.HOLD: "odd peer"}),
            ({"sender": "odd@example.com"}, {Order.HOLD: "odd sender"}),
            (
                {"host": "192.0.2.4", "sender": "odd@example.com"},
                {Order.DISCARD: f"access table, {self.at(5)}"},
            ),
            (
                {"host": "192.0.2.3", "sender": "odd@example.com"},
                {Order.HOLD: "odd sender"},
            ),
            ({"sender": "other@example.com"}, {Order.REDIRECT: "jo@example.org"}),
            ({"host": "192.0.2.9"}, {}),
        ):
            self.assertEqual(self.mail(**facts).orders, orders)

    def at(self, line):
        return f"{self.folder.path}/access:{line}"

    def test_recipients_order_what_becomes_of_theirs(self):
        for address, orders in (
            ("spool@example.org", [Order.HOLD]),
            ("null@example.org", [Order.DISCARD]),
            ("gone@example.org", [Order.REDIRECT]),
            ("x@a.friends.example", [Order.RELAY]),
            ("jo@example.org", []),
        ):
            self.assertEqual(list(self.orders(address)), orders)

    def test_peers_may_send_everywhere(self):
        self.assertEqual(list(self.orders("x@y.z", host="192.0.2.3")), [Order.RELAY])

    def test_nobody_may_send_everywhere_by_claiming_to_be_somebody(self):
        """RFC 5321, section 7.1: anybody can claim to be a sender."""
        self.assertEqual(self.mail(sender="jo@claims.example").orders, {})
        self.assertEqual(self.orders("x@y.z", sender="jo@claims.example"), {})

    def test_headers_are_put_on_top(self):
        envelope = self.mail(host="192.0.2.6", sender="pre@example.com")
        self.assertEqual(envelope.trace, b"X-Peer: odd\r\nX-From: odd\r\n")

    def test_warnings_are_logged(self):
        with capturedLogs() as events:
            self.assertEqual(self.mail(host="192.0.2.7").orders, {})
        [event] = [one for one in events if "text" in one]
        self.assertEqual((event["origin"], event["text"]), (self.at(8), "odd peer"))

    def test_what_is_said_of_strangers_is_not_about_users(self):
        for facts in ({"host": "192.0.2.1"}, {"sender": "bad@example.com"}):
            self.assertEqual(self.mail(user="jo@example.org", **facts).orders, {})
        self.assertEqual(
            list(self.orders("spool@example.org", user="jo@example.org")), [Order.HOLD]
        )

    def test_the_null_sender_is_no_sender(self):
        self.assertEqual(self.mail(sender="").orders, {})


NAMED = """
Connect:mx.far.example    OK
Connect:far.example       REJECT
Connect:trusted.example   RELAY
Connect:192.0.2           REJECT
Connect:198.51.100.9      DISCARD
"""


class NameTests(AccessCase):
    """``Connect:`` with a domain; Postfix's access(5): host names."""

    def setUp(self):
        super().setUp()
        self.use(AccessPlace(self.folder.write("named", NAMED)))
        self.call(1, "mx.far.example")
        self.call(2, "dialup.far.example")
        self.call(3, "out.trusted.example")

    def call(self, number, name):
        reverse = f"{number}.2.0.192.in-addr.arpa"
        self.dns.records[reverse] = {RecordType.PTR: [name]}
        self.dns.records[name] = {RecordType.A: [f"192.0.2.{number}"]}

    def test_a_name_comes_before_the_address(self):
        self.assertEqual(self.mail(host="192.0.2.1").orders, {})
        self.assertEqual(self.refused(host="192.0.2.2").permanent, True)
        self.assertEqual(self.refused(host="192.0.2.4").permanent, True)

    def test_a_name_may_let_a_peer_send_everywhere(self):
        self.assertEqual(list(self.orders("x@y.z", host="192.0.2.3")), [Order.RELAY])
        self.assertEqual(list(self.orders("x@y.z", host="192.0.2.1")), [])

    def test_a_name_that_is_not_confirmed_lets_nobody_in(self):
        """Attack: a reverse name in somebody else's domain."""
        self.dns.records["4.2.0.192.in-addr.arpa"] = {
            RecordType.PTR: ["out.trusted.example", "mx.far.example"]
        }
        self.refused(host="192.0.2.4")
        self.assertEqual(list(self.orders("x@y.z", host="192.0.2.4")), [])

    def test_nothing_is_refused_for_good_or_lost_while_dns_is_away(self):
        self.dns.fail("1.2.0.192.in-addr.arpa")
        refusal = self.refused(host="192.0.2.1")
        self.assertEqual((refusal.permanent, refusal.code), (False, 450))
        self.dns.fail("9.100.51.198.in-addr.arpa")
        self.assertFalse(self.refused(host="198.51.100.9").permanent)
        self.dns.recover()
        self.assertEqual(self.mail(host="192.0.2.1").orders, {})

    def test_whether_a_peer_may_relay_is_undecided_while_dns_is_away(self):
        self.dns.fail("3.2.0.192.in-addr.arpa")
        self.assertEqual(
            list(self.orders("x@y.z", host="192.0.2.3")), [Order.UNDECIDED]
        )

    def test_a_table_that_lets_no_name_relay_is_decided(self):
        self.use(AccessPlace(self.folder.write("few", "Connect:far.example REJECT")))
        self.dns.fail("3.2.0.192.in-addr.arpa")
        self.assertEqual(list(self.orders("x@y.z", host="192.0.2.3")), [])

    def test_dns_is_asked_only_where_a_table_has_names_of_peers(self):
        for number, (text, asks) in enumerate((
            (FILE.replace("friends.example", "x@friends.example"), False),
            ("Connect:localhost RELAY\nlocalhost.localdomain RELAY", False),
            ("From:far.example REJECT\njo@far.example REJECT\n<> OK", False),
            ("far.example REJECT", True),
            ("Connect:.far.example REJECT", True),
        )):
            self.use(AccessPlace(self.folder.write(f"other{number}", text)))
            self.mail(host="203.0.113.9")
            self.assertEqual(bool(self.dns.asked), asks, text)

    def test_users_are_not_asked_about(self):
        self.mail(host="192.0.2.2", user="jo@example.org")
        self.assertEqual(self.dns.asked, [])

    def test_this_machine_is_called_localhost(self):
        self.use(AccessPlace(self.folder.write("local", "Connect:localhost RELAY")))
        for host, orders in (("127.0.0.1", [Order.RELAY]), ("192.0.2.1", [])):
            self.assertEqual(list(self.orders("x@y.z", host=host)), orders)


class FileTests(AccessCase):
    """The files it asks."""

    def test_a_change_counts_from_the_next_look_on(self):
        self.mail(sender="new@example.com")
        self.folder.write("access", "From:new@example.com REJECT")
        self.mail(sender="new@example.com")
        self.clock.advance(LOOK_SECONDS)
        self.refused(sender="new@example.com")

    def test_the_first_file_that_knows_counts(self):
        first = self.folder.write("first", "bad@example.com OK\n192.0.2.1 OK")
        second = self.folder.write("second", FILE)
        self.use(AccessPlace(first), AccessPlace(second))
        self.mail(host="192.0.2.1", sender="bad@example.com")
        self.refused(host="192.0.2.2")

    def test_a_file_about_one_thing(self):
        path = self.folder.write("clients", "192.0.2.1 REJECT\nexample.net REJECT")
        self.use(AccessPlace(path, Tag.CONNECT))
        self.mail(sender="jo@example.net")
        self.refused(host="192.0.2.1")

    def test_relay_domains_may_have_networks_of_peers(self):
        path = self.folder.write("relays", "example.com\n10\n2001:db8::/32\n")
        self.use(relays=[path])
        for host, orders in (
            ("10.1.2.3", [Order.RELAY]), ("2001:db8::1", [Order.RELAY]),
            ("11.0.0.1", []), ("", []),
        ):  # fmt: skip
            self.assertEqual(list(self.orders("x@y.z", host=host)), orders)
        self.folder.write("relays", "11")
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(list(self.orders("x@y.z", host="11.1.1.1")), [Order.RELAY])
        self.assertEqual(list(self.orders("x@y.z", host="10.1.2.3")), [])

    def test_a_file_that_was_never_right_lets_mail_wait(self):
        self.use(AccessPlace(self.folder.write("wrong", "a.b NONSENSE")))
        asked = Deferred.fromCoroutine(self.pipeline.sender(self.envelope()))
        self.failureResultOf(asked, LocalFault)
