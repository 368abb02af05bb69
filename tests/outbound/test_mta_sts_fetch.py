"""Tests for policies over HTTPS, from a web server on the loopback."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import TestCase

from mailhub.errors import DNSFault, MailError
from mailhub.mail.dns import RecordType
from mailhub.outbound import mta_sts_fetch as module
from mailhub.outbound.mta_sts import MAX_POLICY
from mailhub.outbound.mta_sts_fetch import MAX_HEADER, NoPolicy, PolicyHosts
from tests.resolving import Names

from .authority import DAY, NOW, issue
from .policy_host import PolicyHost, answer

DOMAIN, HOST = "far.example", "mta-sts.far.example"
ROOT = issue(authority=True, common_name="root")
GOOD = issue(HOST, by=ROOT)
TRUST = trustRootFromCertificates([Certificate.loadPEM(ROOT.pem)])
POLICY = b"version: STSv1\r\nmode: none\r\nmax_age: 1\r\n"


class FetchCase(TestCase):
    """With one web server."""

    def setUp(self):
        self.names = Names({HOST: {RecordType.A: ["127.0.0.1"]}})

    def serve(self, response, issued=GOOD):
        host = PolicyHost(issued, response)
        self.addCleanup(lambda: Deferred.fromCoroutine(host.stop()))
        self.port = host.port
        return host

    async def fetch(self, allows=lambda address: True):
        hosts = PolicyHosts(reactor, self.names, allows, TRUST, self.port)
        return await hosts.fetch(DOMAIN)

    async def assert_none(self, kind=NoPolicy, **more):
        try:
            text = await self.fetch(**more)
        except MailError as error:
            self.assertIsInstance(error, kind)
            return str(error)
        self.fail(f"it is {text!r}")


class PolicyTests(FetchCase):
    """RFC 8461, section 3.3."""

    async def test_a_policy_is_fetched(self):
        host = self.serve(answer(POLICY, "text/plain; charset=utf-8"))
        self.assertEqual(await self.fetch(), POLICY.decode())
        self.assertEqual(host.requests, [b"GET /.well-known/mta-sts.txt HTTP/1.1"])
        self.assertEqual(host.hosts, [f"{HOST}:{self.port}".encode()])

    async def test_so_it_is_in_chunks(self):
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(POLICY), POLICY)
        self.serve(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        )
        self.assertEqual(await self.fetch(), POLICY.decode())

    async def test_only_200_counts_and_nothing_is_followed(self):
        for code in ("404 Not Found", "301 Moved\r\nLocation: /", "204 None", "500 X"):
            host = self.serve(answer(POLICY, code=code))
            self.assertIn(code[:3], await self.assert_none())
            self.assertEqual(len(host.requests), 1)

    async def test_a_page_is_no_policy(self):
        for kind in ("text/html", "application/octet-stream", "", "text/plainer"):
            self.serve(answer(POLICY, kind))
            await self.assert_none()

    async def test_what_is_no_utf_8_is_no_policy(self):
        self.serve(answer(b"\xff"))
        await self.assert_none()

    async def test_it_has_a_limit(self):
        for octets, fits in ((MAX_POLICY, True), (MAX_POLICY + 1, False)):
            self.serve(answer(b"x" * octets))
            if fits:
                self.assertEqual(len(await self.fetch()), octets)
            else:
                await self.assert_none()


class CertificateTests(FetchCase):
    """The web server's certificate is all that proves a policy."""

    async def test_the_wrong_certificate_is_none(self):
        for issued in (
            issue(HOST),
            issue(DOMAIN, by=ROOT),
            issue("mta-sts.bank.example", by=ROOT),
            issue(HOST, by=ROOT, ends=NOW - DAY / 2),
            issue(HOST, by=issue(authority=True, common_name="root")),
        ):
            host = self.serve(answer(POLICY), issued)
            await self.assert_none()
            self.assertEqual(host.requests, [])


class AttackTests(FetchCase):
    """Web servers that want more than to be asked."""

    async def test_a_header_without_an_end_is_cut(self):
        line = b"X-More: " + b"x" * 1000 + b"\r\n"
        count = (MAX_POLICY + MAX_HEADER) // len(line) + 2
        self.serve(b"HTTP/1.1 200 OK\r\n" + line * count)
        await self.assert_none()

    async def test_a_body_without_an_end_is_cut(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
        self.serve(head + b"x" * (MAX_POLICY + MAX_HEADER))
        await self.assert_none()

    async def test_what_is_no_http_is_none(self):
        for noise in (b"220 mx.far.example ESMTP\r\n", b"", b"HTTP/1.1 200\r\n"):
            self.serve(noise)
            await self.assert_none()

    async def test_a_server_that_says_nothing_is_left(self):
        self.patch(module, "TIMEOUT", 0.05)
        self.serve(None)
        await self.assert_none()

    async def test_addresses_that_may_not_be_connected_to_are_not(self):
        """A name that leads into this network."""
        host = self.serve(answer(POLICY))
        await self.assert_none(allows=lambda address: address != "127.0.0.1")
        self.assertEqual(host.requests, [])

    async def test_the_next_address_is_tried_but_not_all_of_a_thousand(self):
        self.serve(answer(POLICY))
        addresses = [f"127.0.0.{n}" for n in range(2, 100)]
        self.names.records[HOST] = {RecordType.A: [*addresses[:1], "127.0.0.1"]}
        self.assertEqual(await self.fetch(), POLICY.decode())
        self.names.records[HOST] = {RecordType.A: [*addresses, "127.0.0.1"]}
        await self.assert_none()

    async def test_a_name_that_leads_nowhere_is_none(self):
        self.serve(answer(POLICY))
        self.names.records[HOST] = {}
        await self.assert_none()
        del self.names.records[HOST]
        await self.assert_none()
        self.names.fail(HOST)
        await self.assert_none(DNSFault)
