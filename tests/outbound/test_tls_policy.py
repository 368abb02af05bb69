"""Tests for what a server has to prove before mail goes to it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault, RequireTLSUnsupported, TLSFault
from mailhub.mail.dns import MX, TLSA, Answer, RecordType
from mailhub.outbound.certificates import PublicTrust
from mailhub.outbound.mta_sts import Mode, Policy
from mailhub.outbound.tls_policy import TLSPolicies
from tests.resolving import Names

from .authority import issue, tlsa

DOMAIN, HOST = "far.example", "mx.far.example"
ROOT = issue(authority=True, common_name="root")
GOOD = issue(HOST, by=ROOT)
WRONG = issue("mx.bank.example", by=ROOT)
SELF_SIGNED = issue(HOST)
ALLOWS = Policy(Mode.ENFORCE, (HOST,), 86_400)
REFUSES = Policy(Mode.ENFORCE, ("other.example",), 86_400)


class FixedPolicies:
    """In place of those that are fetched."""

    def __init__(self, policy):
        self.policy = policy
        self.asked = []

    async def of(self, domain):
        self.asked.append(domain)
        return self.policy


class PolicyCase(SynchronousTestCase):
    """With names and a policy of MTA-STS."""

    def setUp(self):
        self.names = Names({HOST: {RecordType.A: ["192.0.2.1"]}}, True)
        self.is_signed = False
        self.policy = None
        self.mx = Answer(DOMAIN, (MX(10, HOST),), False, 300)

    def ask(self, host=HOST, **more):
        signed = Answer(self.mx.name, self.mx.records, self.is_signed, 300)
        self.fixed = FixedPolicies(self.policy)
        policies = TLSPolicies(self.names, self.fixed, PublicTrust([ROOT.certificate]))

        async def find():
            domain = await policies.of_domain(DOMAIN, signed, **more)
            return await domain.of_host(host)

        return Deferred.fromCoroutine(find())

    def found(self, *arguments, **more):
        return self.successResultOf(self.ask(*arguments, **more))

    def publish(self, *records):
        """TLSA records, in a zone that is signed."""
        self.is_signed = True
        self.names.records[f"_25._tcp.{HOST}"] = {RecordType.TLSA: list(records)}

    def assert_proves(self, policy, *issued):
        """Only *issued* pass; none may go in the clear."""
        for each in (GOOD, WRONG, SELF_SIGNED):
            if each in issued:
                policy.check(each.chain)
            else:
                fault = self.assertRaises(TLSFault, policy.check, each.chain)
                self.assertFalse(fault.permanent)
                self.assertEqual(fault.status.value, "7.5")
        self.assertRaises(TLSFault, policy.check, [])
        for why in ("no STARTTLS", "454 not now", "the handshake failed"):
            self.assertRaises(TLSFault, policy.without_tls, why)


class OpportunisticTests(PolicyCase):
    """RFC 7435: some protection most of the time."""

    def test_anything_goes(self):
        policy = self.found()
        for each in (GOOD, WRONG, SELF_SIGNED):
            policy.check(each.chain)
        policy.check([])
        policy.without_tls("no STARTTLS")
        policy.without_requiretls()
        self.assertFalse(policy.needs_tls)
        self.assertEqual((policy.server_name, policy.basis), (HOST, "opportunistic"))

    def test_tlsa_records_behind_an_unsigned_mx_do_not_count(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        self.is_signed = False
        self.assertFalse(self.found().needs_tls)

    def test_a_policy_of_none_asks_for_nothing(self):
        self.policy = Policy(Mode.NONE, (), 86_400)
        self.assertFalse(self.found().needs_tls)

    def test_a_policy_that_is_tried_out_only_tells(self):
        self.policy = Policy(Mode.TESTING, (HOST,), 86_400)
        policy = self.found()
        with capturedLogs() as events:
            policy.check(GOOD.chain)
            self.assertEqual(events, [])
            policy.check(WRONG.chain)
            policy.without_tls("no STARTTLS")
        self.assertEqual([event["domain"] for event in events], [DOMAIN])
        self.policy = Policy(Mode.TESTING, ("other.example",), 86_400)
        policy = self.found()
        with capturedLogs() as events:
            policy.check(GOOD.chain)
        self.assertEqual(len(events), 1)


class MTASTSTests(PolicyCase):
    """RFC 8461; attack: STARTTLS is stripped, the certificate is another."""

    def test_only_a_trusted_certificate_for_the_mx_name_will_do(self):
        self.policy = ALLOWS
        policy = self.found()
        self.assert_proves(policy, GOOD)
        self.assertEqual((policy.server_name, policy.basis), (HOST, "mta-sts"))
        self.assertEqual(self.fixed.asked, [DOMAIN])

    def test_a_host_that_is_not_in_the_policy_gets_nothing(self):
        self.policy = REFUSES
        fault = self.failureResultOf(self.ask(), TLSFault).value
        self.assertFalse(fault.permanent)

    def test_unusable_tlsa_records_do_not_weaken_it(self):
        self.publish(TLSA(1, 1, 1, bytes(32)))
        self.policy = ALLOWS
        self.assert_proves(self.found(), GOOD)


class DANETests(PolicyCase):
    """RFC 7672; attack: STARTTLS is stripped, the certificate is another."""

    def test_only_what_is_published_will_do(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        policy = self.found()
        self.assert_proves(policy, SELF_SIGNED)
        self.assertEqual((policy.server_name, policy.basis), (HOST, "dane"))

    def test_it_goes_before_mta_sts(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        for self.policy in (ALLOWS, REFUSES):
            self.assert_proves(self.found(), SELF_SIGNED)

    def test_a_certificate_may_be_for_the_domain_before_and_after_a_cname(self):
        self.publish(tlsa(2, 0, 0, ROOT.certificate))
        self.mx = Answer("target.example", (MX(10, HOST),), True, 300)
        policy = self.found()
        for name in (HOST, DOMAIN, "target.example"):
            policy.check(issue(name, by=ROOT).chain)
        self.assertRaises(TLSFault, policy.check, WRONG.chain)

    def test_records_that_are_of_no_use_ask_for_tls_with_anybody(self):
        self.publish(TLSA(1, 1, 1, bytes(32)))
        policy = self.found()
        policy.check(WRONG.chain)
        self.assertRaises(TLSFault, policy.without_tls, "no STARTTLS")

    def test_a_fault_of_dns_means_that_the_host_cannot_be_used(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        self.names.fail(f"_25._tcp.{HOST}")
        self.failureResultOf(self.ask(), DNSFault)

    def test_a_host_that_the_configuration_names_is_held_to_its_own_records(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        self.policy = REFUSES
        policies = TLSPolicies(self.names, FixedPolicies(REFUSES))

        async def find():
            return await (await policies.of_domain(DOMAIN, None)).of_host(HOST)

        policy = self.successResultOf(Deferred.fromCoroutine(find()))
        self.assert_proves(policy, SELF_SIGNED)


    def test_an_address_has_no_records(self):
        policies = TLSPolicies(self.names, FixedPolicies(REFUSES))

        async def find(host):
            return await (await policies.of_domain(DOMAIN, None)).of_host(host)

        for host in ("192.0.2.1", "2001:db8::1", "::a"):
            policy = self.successResultOf(Deferred.fromCoroutine(find(host)))
            self.assertFalse(policy.needs_tls)
        self.assertEqual(self.names.asked, [])


class RequireTLSTests(PolicyCase):
    """RFC 8689, section 4.2.1."""

    def test_the_name_of_the_server_has_to_be_proved(self):
        fault = self.failureResultOf(
            self.ask(require_tls=True), RequireTLSUnsupported
        ).value
        self.assertTrue(fault.permanent)
        self.assertEqual(fault.status.value, "7.30")

    def test_dnssec_or_mta_sts_prove_it_and_then_its_certificate_counts(self):
        for signed, mode in (
            (True, None), (False, Mode.ENFORCE), (False, Mode.TESTING),
        ):  # fmt: skip
            self.is_signed = signed
            self.policy = mode and Policy(mode, (HOST,), 86_400)
            policy = self.found(require_tls=True)
            self.assert_proves(policy, GOOD)
            self.assertTrue(policy.needs_requiretls)
            self.assertRaises(RequireTLSUnsupported, policy.without_requiretls)

    def test_so_does_dane(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        policy = self.found(require_tls=True)
        self.assert_proves(policy, SELF_SIGNED)
        self.assertTrue(policy.needs_requiretls)

    def test_a_domain_without_mx_is_its_own_server(self):
        self.mx = Answer(HOST, (), False, 300)
        self.assert_proves(self.found(require_tls=True), GOOD)

    def test_a_message_may_waive_what_its_domain_asks_for(self):
        self.publish(tlsa(3, 1, 1, SELF_SIGNED.certificate))
        self.policy = ALLOWS
        policy = self.found(waived=True)
        policy.without_tls("no STARTTLS")
        policy.check(WRONG.chain)
        self.assertTrue(self.found(waived=True, require_tls=True).needs_tls)
