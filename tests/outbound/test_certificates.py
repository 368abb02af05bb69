"""Tests for what chains of certificates prove."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import TLSFault
from mailhub.outbound.certificates import (
    LONGEST_CHAIN,
    PublicTrust,
    name_matches,
    presented_names,
)

from .authority import DAY, NOW, issue

HOST = "mx.far.example"


class NameTests(SynchronousTestCase):
    """RFC 9525, section 6.3; RFC 7672, section 3.2.3."""

    def test_a_star_is_one_whole_label_and_the_first(self):
        for presented, wanted, matches in (
            ("mx.far.example", "mx.far.example", True),
            ("mx.far.example", "mx2.far.example", False),
            ("far.example", "mx.far.example", False),
            ("*.far.example", "mx.far.example", True),
            ("*.far.example", "a.mx.far.example", False),
            ("*.far.example", "far.example", False),
            ("*.far.example", ".far.example", False),
            ("m*.far.example", "mx.far.example", False),
            ("*x.far.example", "mx.far.example", False),
            ("mx.*.example", "mx.far.example", False),
            ("*.example", "far.example", False),
            ("*", "mx", False),
            ("*.", "mx.", False),
        ):
            self.assertEqual(
                name_matches(presented, wanted), matches, (presented, wanted)
            )

    def test_the_common_name_counts_only_without_others_and_where_it_may(self):
        alone = issue(common_name="MX.Far.Example").certificate
        self.assertEqual(presented_names(alone, common_name=True), [HOST])
        self.assertEqual(presented_names(alone), [])
        both = issue("Other.example", common_name=HOST).certificate
        self.assertEqual(presented_names(both, common_name=True), ["other.example"])


class TrustTests(SynchronousTestCase):
    """RFC 5280, section 6."""

    def setUp(self):
        self.root = issue(authority=True, common_name="root")
        self.trust = PublicTrust([self.root.certificate])

    def assert_refused(self, chain, host=HOST):
        self.assertRaises(TLSFault, self.trust.check, chain, host)

    def test_what_a_trusted_authority_has_issued_is_trusted(self):
        middle = issue(by=self.root, authority=True, common_name="middle")
        self.trust.check(issue(HOST, by=self.root).chain, HOST)
        self.trust.check(issue(HOST, by=middle).chain, "MX.far.example")
        self.trust.check(issue("*.far.example", by=middle).chain, HOST)
        self.trust.check(issue(HOST, by=middle, usages=()).chain, HOST)

    def test_the_wrong_certificate_is_not(self):
        other = issue(authority=True, common_name="root")
        impostor = issue(by=self.root, common_name="no authority")
        past, future = {"ends": NOW - DAY / 2}, {"starts": NOW + DAY}
        for issued in (
            issue(HOST),
            issue(HOST, by=other),
            issue(HOST, by=impostor),
            issue("mx.near.example", by=self.root),
            issue(by=self.root, common_name=HOST),
            issue(HOST, by=self.root, **past),
            issue(HOST, by=self.root, **future),
            issue(HOST, by=self.root, usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)),
        ):
            self.assert_refused(issued.chain)

    def test_a_chain_with_a_gap_is_not_trusted(self):
        middle = issue(by=self.root, authority=True, common_name="middle")
        self.assert_refused(issue(HOST, by=middle).chain[:1])

    def test_a_path_longer_than_its_authority_allows_is_not_trusted(self):
        low = issue(by=self.root, authority=True, common_name="low", path_length=0)
        lower = issue(by=low, authority=True, common_name="lower")
        self.trust.check(issue(HOST, by=low).chain, HOST)
        self.assert_refused(issue(HOST, by=lower).chain)

    def test_a_chain_has_its_limit(self):
        leaf = issue(HOST, by=self.root)
        more = [issue(common_name=f"n{n}").certificate for n in range(LONGEST_CHAIN)]
        self.trust.check([*leaf.chain, *more[1:]], HOST)
        self.assert_refused([*leaf.chain, *more])
        self.assert_refused([])

    def test_a_damaged_certificate_proves_nothing(self):
        leaf = issue(HOST, by=self.root)
        der = leaf.certificate.public_bytes(Encoding.DER)
        name = HOST.encode()
        self.assertIn(name, der)
        damaged = x509.load_der_x509_certificate(der.replace(name, b"\xff" * len(name)))
        self.assert_refused([damaged])

    def test_the_machine_s_own_authorities_do_not_know_ours(self):
        leaf = issue(HOST, by=self.root)
        self.assertRaises(TLSFault, PublicTrust().check, leaf.chain, HOST)
