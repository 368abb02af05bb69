"""TLS where it works, and the clear where nobody asks for more (RFC 7435)."""

from __future__ import annotations

from mailhub.mail.dns import RecordType
from mailhub.outbound.tls_policy import HostPolicy, TLSPolicies
from tests.servers import USER, Servers

from .far_server import HELLO
from .way_case import MESSAGE, WayCase, told

STARTTLS = (*HELLO, b"STARTTLS")
TAKEN = [("delivered", "2.0.0")]


class Demanding(TLSPolicies):
    """Every server has to speak TLS."""

    def __init__(self) -> None:
        super().__init__(None)

    async def of_domain(self, domain, mx, **more):
        return self

    async def of_host(self, host, port=25):
        return HostPolicy(host, True, host, "test")


class FallingBackTests(WayCase):
    """A server whose TLS does not work."""

    def broken(self, **more):
        """Its handshake is no handshake."""
        far = self.far(offers=STARTTLS, **more)
        far.replies.setdefault(b"STARTTLS", b"220 go")
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        return far

    async def test_mail_goes_in_the_clear_by_another_connection(self):
        far = self.broken()
        self.make(far.port)
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual((far.connections, far.messages), (2, [MESSAGE]))
        # Whoever got through in the clear is used again.
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(far.connections, 2)

    async def test_or_by_the_same_where_starttls_is_refused(self):
        far = self.broken(replies={b"STARTTLS": b"454 4.7.0 not now"})
        self.make(far.port)
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(far.connections, 1)

    async def test_but_not_where_somebody_asks_for_tls(self):
        for answer in (b"454 4.7.0 not now", b"220 go"):
            far = self.broken(replies={b"STARTTLS": answer})
            self.make(far.port, policies=Demanding())
            self.assertEqual(told(await self.send()), [("delayed", "4.7.5")])
            self.assertNotIn(b"MAIL", far.verbs())
            await far.stop()

    async def test_nor_where_something_was_put_behind_the_answer(self):
        """Attack: response injection; it is an attack, not a server without TLS."""
        far = self.broken(replies={b"STARTTLS": b"220 go\r\n250 ok"})
        self.make(far.port)
        [result] = await self.send()
        self.assertEqual(told([result]), [("delayed", "4.4.2")])
        self.assertEqual((far.connections, far.messages), (1, []))

    async def test_a_session_in_the_clear_is_not_used_where_tls_is_asked_for(self):
        far = self.far()
        self.exchange((10, "mx.far.example", "127.0.0.1"))
        self.make(far.port)
        await self.send()
        self.way._by_mx._policies = Demanding()
        self.assertEqual(told(await self.send()), [("delayed", "4.7.5")])
        self.assertEqual(len(far.messages), 1)


class WorkingTests(Servers):
    """A server whose TLS works, whoever it is."""

    async def test_mail_goes_over_tls_without_a_question(self):
        server = await self.start(self.memory())
        await self.add_user(server)
        case = WayCase()
        case.setUp()
        case.names.records["example.org"] = {RecordType.A: ["127.0.0.1"]}
        way = case.make(server.addresses()["smtp"][1])
        results = await case.send(USER, destination="example.org")
        self.assertEqual(results[0].outcome.value, "delivered", results)
        tally = server.factories["smtp"].tally
        self.assertEqual((tally.handshakes, tally.accepted), (1, 1))
        await way.stop()
