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
POLICY = "version: STSv1\nmode: {}\nmx: {}\nmax_age: 86400\n"
DAY = 86_400.0


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

    web_server = issue(f"mta-sts.{PLAIN}", by=ROOT)

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

    def name(self, port, *records, signed=True, mx="mx", sts=None):
        """DNS, and what sends by it to servers on *port*.

        :param records: TLSA records of the server, in both zones.
        :param signed: whether the signed zone is signed with the key that it should be.
        :param mx: the name in the MX records.
        :param sts: a policy for the zone that is not signed.
        """
        lines = f"@ MX 10 {mx}\nmx A 127.0.0.1\nalias CNAME mx\n" + "".join(
            f"_{port}._tcp.mx TLSA {each.usage} {each.selector} {each.matching}"
            f" {each.data.hex()}\n"
            for each in records
        )
        policy = '_mta-sts TXT "v=STSv1; id=1;"\nmta-sts A 127.0.0.1\n'
        zones = {SIGNED: lines, PLAIN: lines + (policy if sts else "")}
        if signed:
            names = RealNames(zones, (SIGNED,))
        else:
            names = RealNames(zones | {"key.example": ""}, ("key.example",), (SIGNED,))
        self.addCleanup(names.stop)
        names.start()
        self.resolver = Resolver(reactor, lambda: [names.resolver])
        self.host = PolicyHost(self.web_server, answer((sts or "").encode()))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.host.stop()))
        self.port = port
        self.begin()

    def begin(self, later=0.0):
        """What sends, which has not sent before.

        :param later: seconds that have passed for it.
        """
        roots = trustRootFromCertificates([Certificate.loadPEM(ROOT.pem)])
        fetch = PolicyHosts(reactor, self.resolver, bool, roots, self.host.port).fetch
        shelf = Shelf(os.path.join(self.folder, "mta-sts"))
        policies = TLSPolicies(
            self.resolver,
            Policies(self.resolver, fetch, lambda: time.time() + later, shelf),
            PublicTrust([ROOT.certificate]),
        )
        settings = Outbound(allow_private=True, families="ipv4", port=self.port)
        way = self.way = way_out(
            settings, reactor, self.resolver, "out.example", policies=policies
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(way.stop()))

    async def send(
        self, domain, *, require_tls=False, content=MESSAGE, sender="al@far.example"
    ):
        """What becomes of a message to jo@*domain*, and whether it arrived."""
        message = QueuedMessage(
            1, "Q1", sender, None, MailParameters(require_tls=require_tls),
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

    def assert_waits(self, result, status="4.7.5"):
        self.assertIs(result.outcome, Outcome.DEFERRED, result)
        self.assertEqual(result.status, status, result)


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

    async def test_records_of_a_zone_that_is_not_signed_do_not_count(self):
        self.name(await self.serve(SOMEBODY), tlsa(3, 1, 1, SIGNED_MX.certificate))
        self.assert_sent(await self.send(PLAIN))

    async def test_nor_do_those_behind_an_mx_record_that_may_be_forged(self):
        """RFC 7672, section 2.2.1: it leads anywhere as it is."""
        record = tlsa(3, 1, 1, SIGNED_MX.certificate)
        self.name(await self.serve(SOMEBODY), record, mx=f"mx.{SIGNED}.")
        self.assert_sent(await self.send(PLAIN))
        self.begin()
        self.assert_waits(await self.send(SIGNED))

    async def test_the_records_may_be_where_an_alias_leads_to(self):
        """RFC 7672, section 2.2.2."""
        port = await self.serve(SOMEBODY)
        self.name(port, tlsa(3, 1, 1, SOMEBODY.certificate), mx="alias")
        self.assert_sent(await self.send(SIGNED))

    async def test_records_that_are_of_no_use_ask_for_tls_with_anybody(self):
        """RFC 7672, section 2.2."""
        useless = tlsa(1, 1, 1, SIGNED_MX.certificate)
        self.name(await self.serve(SOMEBODY), useless)
        self.assert_sent(await self.send(SIGNED))

    async def test_but_not_without(self):
        self.name(self.strip(), tlsa(1, 1, 1, SIGNED_MX.certificate))
        self.assert_waits(await self.send(SIGNED))

    async def test_it_waits_where_names_are_forged(self):
        self.name(await self.serve(SIGNED_MX), signed=False)
        self.assert_waits(await self.send(SIGNED), "4.4.3")


class MTASTSTests(RealTLSCase):
    """RFC 8461."""

    def with_policy(self, port, mode="enforce", mx=f"mx.{PLAIN}"):
        self.name(port, sts=POLICY.format(mode, mx))

    async def test_mail_goes_to_a_server_of_the_policy(self):
        self.with_policy(await self.serve(PLAIN_MX))
        self.assert_sent(await self.send(PLAIN))
        self.assertTrue(await self.arrived(PLAIN))
        self.assertEqual(os.listdir(os.path.join(self.folder, "mta-sts")), [PLAIN])

    async def test_so_it_does_where_a_star_stands_for_it(self):
        self.with_policy(await self.serve(PLAIN_MX), mx=f"*.{PLAIN}")
        self.assert_sent(await self.send(PLAIN))

    async def test_it_waits_where_somebody_else_is(self):
        self.with_policy(await self.serve(SOMEBODY))
        self.assert_waits(await self.send(PLAIN))
        self.assertFalse(await self.arrived(PLAIN))

    async def test_it_waits_where_starttls_is_stripped(self):
        self.with_policy(self.strip())
        self.assert_waits(await self.send(PLAIN))
        self.assertFalse([line for line in self.seen if b"@" in line])

    async def test_it_waits_where_the_policy_has_other_servers(self):
        self.with_policy(await self.serve(PLAIN_MX), mx=f"*.mx.{PLAIN}")
        self.assert_waits(await self.send(PLAIN))

    async def test_a_policy_that_is_tried_out_stops_nothing(self):
        """RFC 8461, section 5."""
        self.with_policy(await self.serve(SOMEBODY), "testing")
        self.assert_sent(await self.send(PLAIN))

    async def test_one_that_says_none_asks_for_nothing(self):
        self.with_policy(await self.serve(SOMEBODY), "none")
        self.assert_sent(await self.send(PLAIN))

    async def test_it_holds_without_its_web_server_until_its_time_is_over(self):
        """RFC 8461, section 3.3: "the sender MUST apply that cached policy"."""
        self.with_policy(await self.serve(SOMEBODY))
        self.assert_waits(await self.send(PLAIN))
        await self.host.stop()
        self.begin(later=0.9 * DAY)
        self.assert_waits(await self.send(PLAIN))
        self.begin(later=DAY)
        self.assert_sent(await self.send(PLAIN))

    async def test_without_a_policy_anybody_gets_it(self):
        self.name(await self.serve(SOMEBODY))
        self.assert_sent(await self.send(PLAIN))

    async def test_a_policy_of_who_proves_nothing_is_none(self):
        """RFC 8461, section 3.3: the certificate of the web server has to be good."""
        self.patch(self, "web_server", issue(f"mta-sts.{PLAIN}"))
        self.with_policy(await self.serve(SOMEBODY))
        self.assert_sent(await self.send(PLAIN))
        self.assertFalse(self.host.requests)

    async def test_a_message_may_say_that_it_need_not_be_secret(self):
        self.with_policy(await self.serve(SOMEBODY))
        for line in (b"TLS-Required: No\r\n", b"tls-required:\r\n no\r\n"):
            self.assert_sent(await self.send(PLAIN, content=line + MESSAGE))


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

    async def test_what_comes_back_is_not_lost_for_it(self):
        """RFC 8689, section 5."""
        self.name(await self.serve(SOMEBODY))
        self.assert_sent(await self.send(PLAIN, sender="", require_tls=True))

    async def test_it_comes_back_where_nothing_proves_the_server(self):
        self.name(await self.serve(SOMEBODY))
        result = await self.send(PLAIN, require_tls=True)
        self.assertEqual((result.outcome, result.status), (Outcome.FAILED, "5.7.30"))
        self.assertFalse(await self.arrived(PLAIN))
