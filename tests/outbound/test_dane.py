"""Tests for DANE (RFC 6698, 7671, 7672)."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault, TLSFault
from mailhub.mail.dns import TLSA, RecordType
from mailhub.outbound.dane import Published, check, find_published, usable
from tests.resolving import Names

from .authority import DAY, NOW, issue, tlsa

HOST, TARGET = "mx.far.example", "host.near.example"
AT_HOST, AT_TARGET = f"_25._tcp.{HOST}", f"_25._tcp.{TARGET}"
A, AAAA, CNAME = RecordType.A, RecordType.AAAA, RecordType.CNAME
RECORD = TLSA(3, 1, 1, bytes(32))
OTHER = TLSA(3, 1, 1, b"\1" * 32)


class FindingTests(SynchronousTestCase):
    """RFC 7672, section 2.2."""

    def find(self, records, authentic=True, port=25, fault=None):
        self.names = Names(records, authentic)
        if fault:
            self.names.fail(*fault)
        return Deferred.fromCoroutine(find_published(self.names, HOST, port))

    def found(self, *arguments, **more):
        return self.successResultOf(self.find(*arguments, **more))

    def test_records_of_a_signed_zone_are_found(self):
        records = {HOST: {A: ["192.0.2.1"]}, AT_HOST: {RecordType.TLSA: [RECORD]}}
        self.assertEqual(self.found(records), Published(HOST, (RECORD,)))

    def test_another_port_has_others(self):
        records = {
            HOST: {AAAA: ["2001:db8::1"]},
            AT_HOST: {RecordType.TLSA: [RECORD]},
            f"_2525._tcp.{HOST}": {RecordType.TLSA: [OTHER]},
        }
        self.assertEqual(self.found(records, port=2525).records, (OTHER,))

    def test_without_any_there_is_nothing(self):
        for records in (
            {HOST: {A: ["192.0.2.1"]}},
            {HOST: {A: ["192.0.2.1"]}, AT_HOST: {}},
            {HOST: {}},
            {},
        ):
            self.assertIsNone(self.found(records))

    def test_a_zone_that_is_not_signed_is_not_asked(self):
        """Attack: an unsigned zone that claims DANE."""
        records = {HOST: {A: ["192.0.2.1"]}, AT_HOST: {RecordType.TLSA: [RECORD]}}
        self.assertIsNone(self.found(records, authentic=False))
        self.assertNotIn((AT_HOST, RecordType.TLSA), self.names.asked)

    def test_records_that_are_not_authentic_do_not_count(self):
        records = {HOST: {A: ["192.0.2.1"]}, AT_HOST: {RecordType.TLSA: [RECORD]}}
        self.assertIsNone(self.found(records, authentic=[HOST]))

    def test_a_fault_means_that_the_server_is_out_of_reach(self):
        records = {HOST: {A: ["192.0.2.1"]}, AT_HOST: {RecordType.TLSA: [RECORD]}}
        for fault in ((AT_HOST,), (HOST,)):
            self.failureResultOf(self.find(records, fault=fault), DNSFault)

    def test_one_kind_of_address_is_enough(self):
        records = {HOST: {A: ["192.0.2.1"]}, AT_HOST: {RecordType.TLSA: [RECORD]}}
        fault = HOST, DNSFault("no answer"), AAAA
        self.assertEqual(self.found(records, fault=fault).records, (RECORD,))
        records[HOST] = {AAAA: ["2001:db8::1"]}
        fault = HOST, DNSFault("no answer"), A
        self.assertEqual(self.found(records, fault=fault).records, (RECORD,))
        records[HOST] = {}
        self.failureResultOf(self.find(records, fault=fault), DNSFault)

    def test_an_alias_that_is_signed_has_its_target_s_records_else_its_own(self):
        records = {
            HOST: {CNAME: [TARGET]},
            TARGET: {A: ["192.0.2.1"]},
            AT_HOST: {RecordType.TLSA: [RECORD]},
            AT_TARGET: {RecordType.TLSA: [OTHER]},
        }
        self.assertEqual(self.found(records), Published(TARGET, (OTHER,)))
        del records[AT_TARGET]
        self.assertEqual(self.found(records), Published(HOST, (RECORD,)))

    def test_a_signed_alias_of_what_is_not_signed_has_its_own(self):
        records = {
            HOST: {CNAME: [TARGET]},
            TARGET: {A: ["192.0.2.1"]},
            AT_HOST: {RecordType.TLSA: [RECORD]},
            AT_TARGET: {RecordType.TLSA: [OTHER]},
        }
        self.assertEqual(
            self.found(records, authentic=[HOST, AT_HOST, AT_TARGET]),
            Published(HOST, (RECORD,)),
        )
        self.assertIsNone(self.found(records, authentic=[AT_HOST, AT_TARGET]))

    def test_records_that_are_of_no_use_still_ask_for_tls(self):
        records = {
            HOST: {A: ["192.0.2.1"]},
            AT_HOST: {RecordType.TLSA: [replace(RECORD, usage=1)]},
        }
        self.assertEqual(self.found(records), Published(HOST, ()))


class UsableTests(SynchronousTestCase):
    """RFC 7672, section 3.1; RFC 7671, section 9."""

    def test_what_can_prove_nothing_is_left_out(self):
        certificate = issue(HOST).certificate
        good = [
            tlsa(usage, selector, matching, certificate)
            for usage in (2, 3)
            for selector in (0, 1)
            for matching in (0, 1)
        ]
        bad = [
            *(TLSA(usage, 1, 1, bytes(32)) for usage in (0, 1, 4, 255)),
            TLSA(3, 2, 1, bytes(32)),
            TLSA(3, 1, 3, bytes(32)),
            *(TLSA(3, 1, 1, bytes(length)) for length in (0, 31, 33)),
            TLSA(3, 1, 2, bytes(32)),
            TLSA(3, 0, 0, b"no certificate"),
            TLSA(3, 1, 0, b""),
        ]
        self.assertEqual(usable([*bad, *good]), tuple(good))
        self.assertEqual(usable(bad), ())

    def test_a_weaker_digest_of_the_same_does_not_count(self):
        weak, strong = TLSA(3, 1, 1, bytes(32)), TLSA(3, 1, 2, bytes(64))
        other = TLSA(2, 1, 1, bytes(32))
        self.assertEqual(usable([weak, strong, other]), (strong, other))
        damaged = TLSA(3, 1, 2, bytes(63))
        self.assertEqual(usable([weak, damaged]), (weak,))


class CheckTests(SynchronousTestCase):
    """RFC 7672, section 3; attack: the wrong certificate."""

    NAMES = (HOST, "far.example")

    def setUp(self):
        self.root = issue(authority=True, common_name="root")
        self.middle = issue(by=self.root, authority=True, common_name="middle")

    def passes(self, records, chain):
        check(records, self.NAMES, chain, NOW)

    def fails(self, records, chain):
        self.assertRaises(TLSFault, check, records, self.NAMES, chain, NOW)

    def test_a_certificate_that_is_published_needs_no_name_no_date_no_issuer(self):
        for issued in (
            issue(HOST),
            issue("nobody.example"),
            issue(HOST, ends=NOW - DAY / 2),
            issue(HOST, by=self.middle),
        ):
            for selector in (0, 1):
                for matching in (0, 1, 2):
                    record = tlsa(3, selector, matching, issued.certificate)
                    self.passes([record], issued.chain)

    def test_another_one_is_refused(self):
        leaf, other = issue(HOST), issue(HOST)
        for selector in (0, 1):
            for matching in (0, 1, 2):
                record = tlsa(3, selector, matching, leaf.certificate)
                self.fails([record], other.chain)
                self.fails([record], [other.certificate, leaf.certificate])
                self.passes([tlsa(3, 1, 1, other.certificate), record], leaf.chain)

    def test_a_certificate_of_a_published_authority_is_good(self):
        leaf = issue(HOST, by=self.middle)
        whole = [*leaf.chain, self.root.certificate]
        for anchor in (self.middle, self.root):
            for selector in (0, 1):
                for matching in (0, 1, 2):
                    record = tlsa(2, selector, matching, anchor.certificate)
                    self.passes([record], whole)
        self.passes([tlsa(2, 0, 1, self.middle.certificate)], leaf.chain)

    def test_an_authority_that_is_published_whole_need_not_be_shown(self):
        leaf = issue(HOST, by=self.middle)
        self.passes([tlsa(2, 0, 0, self.root.certificate)], leaf.chain)
        self.fails([tlsa(2, 0, 1, self.root.certificate)], leaf.chain)

    def test_it_has_to_have_issued_it(self):
        stranger = issue(by=issue(authority=True), authority=True, common_name="middle")
        leaf = issue(HOST, by=stranger)
        record = tlsa(2, 0, 1, self.middle.certificate)
        self.fails([record], [leaf.certificate, self.middle.certificate])
        self.fails([record], [leaf.certificate])

    def test_names_and_dates_count(self):
        record = tlsa(2, 1, 1, self.middle.certificate)
        for issued, good in (
            (issue("far.example", by=self.middle), True),
            (issue("*.far.example", by=self.middle), True),
            (issue(common_name=HOST, by=self.middle), True),
            (issue("bank.example", common_name=HOST, by=self.middle), False),
            (issue(HOST, by=self.middle, ends=NOW - DAY / 2), False),
            (issue(HOST, by=self.middle, starts=NOW + DAY), False),
        ):
            (self.passes if good else self.fails)([record], issued.chain)

    def test_a_leaf_is_no_authority(self):
        leaf = issue(HOST)
        self.fails([tlsa(2, 0, 1, leaf.certificate)], leaf.chain)
        below = issue(HOST, by=issue(by=self.middle, common_name="no authority"))
        self.fails([tlsa(2, 0, 1, below.chain[1])], below.chain)

    def test_nothing_shown_is_refused(self):
        self.fails([tlsa(3, 1, 1, issue(HOST).certificate)], [])
