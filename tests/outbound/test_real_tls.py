"""DANE and MTA-STS from end to end: Knot signs a zone, Unbound validates it, a web
server has a policy, and mail goes to a server of ours, or does not.

Attack: STARTTLS is taken out of what the server says, or somebody else is there.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.protocols.basic import LineReceiver

from mailhub.config.settings import TLS, Outbound
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queued import Lease, Outcome, QueuedMessage, Waiting
from mailhub.net.resolver import Resolver
from mailhub.outbound.building import way_out
from mailhub.outbound.certificates import PublicTrust
from mailhub.outbound.mta_sts_fetch import PolicyHosts
from mailhub.outbound.mta_sts_policies import Policies, Shelf
from mailhub.outbound.tls_policy import TLSPolicies
from mailhub.store.content import BytesContent
from tests.dns_servers import RealNames
from tests.servers import MESSAGE, Servers, write

from .authority import issue, tlsa
from .policy_host import PolicyHost, answer

SIGNED, PLAIN = "signed.example", "plain.example"
ROOT = issue(authority=True, common_name="root")
SIGNED_MX = issue(f"mx.{SIGNED}", by=ROOT)
PLAIN_MX = issue(f"mx.{PLAIN}", by=ROOT)
SOMEBODY = issue(f"mx.{PLAIN}", f"mx.{SIGNED}")
POLICY = f"version: STSv1\nmode: enforce\nmx: mx.{PLAIN}\nmax_age: 86400\n"


class Stripped(LineReceiver):
    """A server whose STARTTLS somebody has taken out."""

    def connectionMade(self):
        self.sendLine(b"220 mx ESMTP")

    def lineReceived(self, line):
        self.factory.seen.append(line)
        is_quit = line.upper() == b"QUIT"
        self.sendLine(b"221 2.0.0 bye" if is_quit else b"250 mx")
        if is_quit:
            self.transport.loseConnection()


class RealTLSCase(Servers):
    """With a mail server whose certificate is up to the test."""

    async def serve(self, issued):
        """Begin; where it listens."""
        path = self.mktemp()
        write(path, issued.pem.decode())
        server = await self.start(
            self.memory(tls=TLS(certificate=path, key=path))
        )
        self.store = server.store
        self.smtp = server.factories["smtp"]
        for domain in (SIGNED, PLAIN):
            await self.store.directory.add_account(f"jo@{domain}", "{PLAIN}x")
        return server.addresses()["smtp"][1]

    def strip(self):
        """The same, of a server that offers no TLS."""
        factory = Factory.forProtocol(Stripped)
        factory.noisy = False
        factory.seen = self.seen = []
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        return port.getHost().port

    def name(self, port, *records, sts=True):
        """DNS, and what sends by it to servers on *port*.

        :param records: TLSA records of the signed zone's server.
        """
        host = PolicyHost(issue(f"mta-sts.{PLAIN}", by=ROOT), answer(POLICY.encode()))
        self.addCleanup(lambda: Deferred.fromCoroutine(host.stop()))
        lines = "".join(
            f"_{port}._tcp.mx TLSA {each.usage} {each.selector} {each.matching}"
            f" {each.data.hex()}\n"
            for each in records
        )
        common = "@ MX 10 mx\nmx A 127.0.0.1\n"
        policy = '_mta-sts TXT "v=STSv1; id=1;"\nmta-sts A 127.0.0.1\n' if sts else ""
        names = RealNames({SIGNED: common + lines, PLAIN: common + policy}, (SIGNED,))
        self.addCleanup(names.stop)
        names.start()
        resolver = Resolver(reactor, lambda: [names.resolver])
        roots = trustRootFromCertificates([Certificate.loadPEM(ROOT.pem)])
        fetch = PolicyHosts(reactor, resolver, bool, roots, host.port).fetch
        shelf = Shelf(os.path.join(self.folder, "mta-sts"))
        policies = TLSPolicies(
            resolver,
            Policies(resolver, fetch, time.time, shelf),
            PublicTrust([ROOT.certificate]),
        )
        settings = Outbound(allow_private=True, families="ipv4", port=port)
        self.way = way_out(
            settings, reactor, resolver, "out.example", policies=policies
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(self.way.stop()))

    async def send(self, domain, *, require_tls=False, content=MESSAGE):
        """What becomes of a message to jo@*domain*, and whether it arrived."""
        message = QueuedMessage(
            1, "Q1", "al@far.example", None, MailParameters(require_tls=require_tls),
            len(content), 0.0, 1e12,
        )  # fmt: skip
        waiting = Waiting(1, f"jo@{domain}", domain, None, None, 0.0)
        lease = Lease(message, domain, (waiting,), 1, 1e12)
        [result] = await self.way.send(lease, BytesContent(content))
        return result

    async def arrived(self, domain):
        """Whether there is mail for jo@*domain*."""
        account = await self.store.open_account(f"jo@{domain}")
        return (await account.status("INBOX")).messages > 0

    def assert_sent(self, result):
        self.assertIs(result.outcome, Outcome.DELIVERED, result)

    def assert_waits(self, result):
        self.assertIs(result.outcome, Outcome.DEFERRED, result)
        self.assertEqual(result.status, "4.7.5", result)


class DANETests(RealTLSCase):
    """RFC 7672."""

    async def test_mail_goes_to_the_server_that_is_published(self):
        port = await self.serve(SOMEBODY)
        self.name(port, tlsa(3, 1, 1, SOMEBODY.certificate))
        result = await self.send(SIGNED)
        self.assert_sent(result)
        self.assertTrue(await self.arrived(SIGNED))

    async def test_so_it_does_by_a_published_authority(self):
        port = await self.serve(
            replace(SIGNED_MX, chain=(*SIGNED_MX.chain, ROOT.certificate))
        )
        self.name(port, tlsa(2, 0, 1, ROOT.certificate))
        result = await self.send(SIGNED)
        self.assert_sent(result)

    async def test_it_waits_where_somebody_else_is(self):
        port = await self.serve(SOMEBODY)
        self.name(port, tlsa(3, 1, 1, SIGNED_MX.certificate))
        self.assert_waits(await self.send(SIGNED))
        self.assertFalse(await self.arrived(SIGNED))

    async def test_it_waits_where_starttls_is_stripped(self):
        self.name(self.strip(), tlsa(3, 1, 1, SIGNED_MX.certificate))
        self.assert_waits(await self.send(SIGNED))
        self.assertEqual([line[:4] for line in self.seen][:1], [b"EHLO"])
        self.assertFalse([line for line in self.seen if b"@" in line])


class MTASTSTests(RealTLSCase):
    """RFC 8461."""

    async def test_mail_goes_to_a_server_of_the_policy(self):
        self.name(await self.serve(PLAIN_MX))
        result = await self.send(PLAIN)
        self.assert_sent(result)
        self.assertTrue(await self.arrived(PLAIN))
        self.assertEqual(os.listdir(os.path.join(self.folder, "mta-sts")), [PLAIN])

    async def test_it_waits_where_somebody_else_is(self):
        self.name(await self.serve(SOMEBODY))
        self.assert_waits(await self.send(PLAIN))
        self.assertFalse(await self.arrived(PLAIN))

    async def test_it_waits_where_starttls_is_stripped(self):
        self.name(self.strip())
        self.assert_waits(await self.send(PLAIN))
        self.assertFalse([line for line in self.seen if b"@" in line])

    async def test_without_a_policy_anybody_gets_it(self):
        self.name(await self.serve(SOMEBODY), sts=False)
        result = await self.send(PLAIN)
        self.assert_sent(result)

    async def test_a_message_may_say_that_it_need_not_be_secret(self):
        self.name(await self.serve(SOMEBODY))
        result = await self.send(PLAIN, content=b"TLS-Required: No\r\n" + MESSAGE)
        self.assert_sent(result)


class RequireTLSTests(RealTLSCase):
    """RFC 8689, section 4.2.1."""

    async def test_it_goes_where_dnssec_and_a_certificate_prove_the_server(self):
        self.name(await self.serve(SIGNED_MX))
        self.smtp.smtp_service = replace(self.smtp.smtp_service, queues=True)
        result = await self.send(SIGNED, require_tls=True)
        self.assert_sent(result)

    async def test_it_comes_back_where_the_server_does_not_know_it(self):
        self.name(await self.serve(SIGNED_MX))
        self.smtp.smtp_service = replace(self.smtp.smtp_service, queues=False)
        result = await self.send(SIGNED, require_tls=True)
        self.assertEqual((result.outcome, result.status), (Outcome.FAILED, "5.7.30"))

    async def test_it_comes_back_where_nothing_proves_the_server(self):
        self.name(await self.serve(SOMEBODY), sts=False)
        result = await self.send(PLAIN, require_tls=True)
        self.assertEqual((result.outcome, result.status), (Outcome.FAILED, "5.7.30"))
        self.assertFalse(await self.arrived(PLAIN))
