"""Tests of :mod:`mailhub.policy.names`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.dns import RecordType
from mailhub.mail.envelope import Peer
from mailhub.policy.names import MAX_NAMES, PAUSE, SECONDS, PeerBook

from ..resolving import Names

PTR, A, AAAA = RecordType.PTR, RecordType.A, RecordType.AAAA
REVERSE = "7.2.0.192.in-addr.arpa"
REVERSE_6 = "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa"


class PeerNameCase(SynchronousTestCase):
    """A book that asks a dictionary."""

    def setUp(self):
        self.clock = Clock()
        self.dns = Names({
            REVERSE: {PTR: ["mx.far.example"]},
            "mx.far.example": {A: ["192.0.2.1", "192.0.2.7"], AAAA: ["2001:db8::1"]},
            REVERSE_6: {PTR: ["mx.far.example"]},
        })
        self.book = PeerBook(self.dns, self.clock)
        self.peer = self.at("192.0.2.7")

    def at(self, host):
        return Peer(host, 25, "smtp", "mx.example.org")

    def names(self, peer=None):
        asked = Deferred.fromCoroutine(self.book.of(peer or self.peer).names())
        return self.successResultOf(asked)


class ConfirmedNameTests(PeerNameCase):
    """RFC 1912, section 2.1: PTR and A belong together."""

    def test_a_name_that_has_the_address_counts(self):
        self.assertEqual(self.names(), ("mx.far.example",))

    def test_ipv6_is_confirmed_by_ipv6(self):
        self.assertEqual(self.names(self.at("2001:db8::1")), ("mx.far.example",))
        self.assertEqual(self.dns.asked[-1], ("mx.far.example", AAAA))

    def test_ipv4_may_come_mapped_and_ipv6_with_a_zone(self):
        for host in ("::ffff:192.0.2.7", "2001:db8::1%eth0"):
            self.assertEqual(self.names(self.at(host)), ("mx.far.example",))

    def test_a_name_in_somebody_elses_domain_is_none(self):
        self.dns.records["mx.far.example"] = {A: ["192.0.2.1"]}
        self.assertEqual(self.names(), ())

    def test_a_name_that_does_not_exist_is_none(self):
        for name in ("none.example", "", "a..b", "a b", "x" * 300):
            self.dns.records[REVERSE] = {PTR: [name]}
            self.assertEqual(self.names(self.at("192.0.2.7")), ())

    def test_who_has_no_name_is_asked_about_once(self):
        self.assertEqual(self.names(self.at("192.0.2.8")), ())
        self.assertEqual(len(self.dns.asked), 1)

    def test_of_several_names_those_count_that_are_confirmed(self):
        self.dns.records[REVERSE] = {PTR: ["z.example", "mx.far.example", "a.example"]}
        self.dns.records["z.example"] = {A: ["192.0.2.7"]}
        self.assertEqual(self.names(), ("mx.far.example", "z.example"))

    def test_many_names_are_not_asked_for(self):
        """Attack: an address with a thousand names."""
        names = [f"n{number:04}.example" for number in range(1000)]
        self.dns.records[REVERSE] = {PTR: names}
        self.names()
        self.assertEqual(len(self.dns.asked), 1 + MAX_NAMES)

    def test_this_machine_and_unix_sockets_need_no_dns(self):
        for host, names in (
            ("127.0.0.2", ("localhost",)), ("::1", ("localhost",)), ("", ()),
        ):  # fmt: skip
            self.assertEqual(self.names(self.at(host)), names)
        self.assertEqual(self.dns.asked, [])


class KeptTests(PeerNameCase):
    """An answer is kept for as long as the connection."""

    def test_one_connection_asks_once(self):
        self.names()
        asked = len(self.dns.asked)
        self.names()
        self.assertEqual(len(self.dns.asked), asked)

    def test_another_connection_asks_again(self):
        self.names()
        self.dns.records["mx.far.example"] = {}
        self.assertEqual(self.names(self.at("192.0.2.7")), ())


class DoubtTests(PeerNameCase):
    """What DNS cannot tell now."""

    def doubtful(self):
        return self.book.of(self.peer).is_doubtful

    def test_no_answer_is_no_name_for_now(self):
        for name in (REVERSE, "mx.far.example"):
            self.dns.fail(name)
            self.assertEqual((self.names(), self.doubtful()), ((), True))
            self.dns.recover()
            self.clock.advance(PAUSE)
        self.assertEqual((self.names(), self.doubtful()), (("mx.far.example",), False))

    def test_it_is_not_asked_for_again_at_once(self):
        """Attack: a hundred recipients while DNS is silent."""
        self.dns.fail(REVERSE)
        for _ in range(100):
            self.assertEqual((self.names(), self.doubtful()), ((), True))
        self.assertEqual(len(self.dns.asked), 1)
        self.clock.advance(PAUSE)
        self.names()
        self.assertEqual(len(self.dns.asked), 2)

    def test_one_confirmed_name_is_enough(self):
        self.dns.records[REVERSE] = {PTR: ["mx.far.example", "slow.example"]}
        self.dns.fail("slow.example")
        self.assertEqual((self.names(), self.doubtful()), (("mx.far.example",), False))

    def test_all_questions_together_have_an_end(self):
        self.dns.wait("mx.far.example")
        asked = Deferred.fromCoroutine(self.book.of(self.peer).names())
        self.clock.advance(SECONDS - 0.1)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        self.assertEqual((self.successResultOf(asked), self.doubtful()), ((), True))
