"""Tests for questions over sockets, to a server on the loopback."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import DNSFault
from mailhub.mail.dns import RecordType
from mailhub.net.dns_exchange import MAX_STRANGERS, Exchange, NameServer, mixed_case
from mailhub.net.dns_message import Code, encode_name

from .dns_server import FakeServer
from .dns_wire import TRUNCATED, address, question_of, reply, txt

NAME = "a-name-of-many-letters.far.example"
GOOD, FORGED = "192.0.2.1", "192.0.2.66"


def good(query, by_tcp=False):
    return reply(query, address(NAME, GOOD))


def forged(query):
    return reply(query, address(NAME, FORGED))


class ExchangeCase(TestCase):
    """With one server."""

    def serve(self, respond, host="127.0.0.1"):
        server = FakeServer(respond, host)
        self.where = server.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    async def ask(self, kind=RecordType.A):
        return await Exchange(reactor).ask(self.where, encode_name(NAME), kind)

    async def assert_fault(self):
        with self.assertRaises(DNSFault):
            await self.ask()


class UDPTests(ExchangeCase):
    """RFC 1035, section 4.2.1; RFC 5452."""

    async def test_an_answer_comes_back(self):
        self.serve(good)
        self.assertEqual((await self.ask()).records, (GOOD,))

    async def test_so_it_does_by_ipv6(self):
        self.serve(good, "::1")
        self.assertEqual((await self.ask()).records, (GOOD,))

    async def test_number_port_and_letters_are_other_ones_each_time(self):
        server = self.serve(good)
        for _ in range(8):
            await self.ask()
        queries = [query for query, _ in server.queries]
        self.assertGreater(len({query[:2] for query in queries}), 4)
        self.assertGreater(len({question_of(query) for query in queries}), 4)
        self.assertGreater(len(set(server.ports)), 4)

    async def test_forgeries_are_passed_over(self):
        def respond(query, by_tcp):
            end = query.index(b"\0", 12)
            other = query[: end - 1] + b"x" + query[end:]
            return [
                bytes((query[0] ^ 1,)) + forged(query)[1:],
                forged(other),
                b"",
                forged(query)[:20],
                query,
                good(query),
            ]

        self.serve(respond)
        self.assertEqual((await self.ask()).records, (GOOD,))

    async def test_who_guesses_too_often_is_talked_to_by_tcp_only(self):
        def respond(query, by_tcp):
            if by_tcp:
                return good(query)
            wrong = bytes((query[0] ^ 1,)) + query[1:]
            return [forged(wrong)] * MAX_STRANGERS + [forged(query)]

        server = self.serve(respond)
        self.assertEqual((await self.ask()).records, (GOOD,))
        self.assertEqual([by_tcp for _, by_tcp in server.queries], [False, True])

    async def test_one_guess_less_is_borne(self):
        def respond(query, by_tcp):
            wrong = bytes((query[0] ^ 1,)) + query[1:]
            return [forged(wrong)] * (MAX_STRANGERS - 1) + [good(query)]

        server = self.serve(respond)
        self.assertEqual((await self.ask()).records, (GOOD,))
        self.assertEqual(len(server.queries), 1)

    async def test_an_answer_in_another_case_is_asked_for_by_tcp(self):
        def respond(query, by_tcp):
            return good(query) if by_tcp else forged(query).lower()

        server = self.serve(respond)
        self.assertEqual((await self.ask()).records, (GOOD,))
        self.assertTrue(server.queries[-1][1])

    async def test_a_damaged_answer_is_a_fault(self):
        self.serve(lambda query, by_tcp: good(query)[:-1])
        await self.assert_fault()

    async def test_where_nobody_listens_it_is_known_at_once(self):
        server = self.serve(good)
        await server.stop()
        await self.assert_fault()

    async def test_a_network_that_cannot_be_reached_is_a_fault(self):
        self.where = NameServer("255.255.255.255")
        await self.assert_fault()

    async def test_who_gives_up_leaves_nothing_open(self):
        arrived = Deferred()
        self.serve(lambda query, by_tcp: arrived.callback(None))
        asking = Deferred.fromCoroutine(self.ask())
        asking.addErrback(lambda _: None)
        await arrived
        asking.cancel()  # trial complains of a socket that is still read

    async def test_a_server_without_edns_is_asked_without(self):
        def respond(query, by_tcp):
            return reply(query, code=Code.FORMERR) if query[11] else good(query)

        server = self.serve(respond)
        self.assertEqual((await self.ask()).records, (GOOD,))
        self.assertEqual([query[11] for query, _ in server.queries], [1, 0])


class TCPTests(ExchangeCase):
    """What does not fit into a datagram (RFC 7766)."""

    def test_a_truncated_answer_is_asked_for_again(self):
        return self.long_answer(
            lambda query, by_tcp: (
                reply(query, txt(NAME, *[b"x" * 255] * 250))
                if by_tcp
                else reply(query, flags=TRUNCATED)
            )
        )

    async def long_answer(self, respond):
        server = self.serve(respond)
        answer = await self.ask(RecordType.TXT)
        self.assertEqual([len(record) for record in answer.records], [63_750])
        self.assertEqual([by_tcp for _, by_tcp in server.queries], [False, True])

    async def test_what_is_no_answer_to_it_is_a_fault(self):
        for respond in (
            lambda query: bytes((query[0] ^ 1,)) + forged(query)[1:],
            lambda query: b"",
            lambda query: None,
            lambda query: reply(query, flags=TRUNCATED)[:40],
        ):
            self.serve(
                lambda query, by_tcp, respond=respond: (
                    respond(query) if by_tcp else reply(query, flags=TRUNCATED)
                )
            )
            await self.assert_fault()

    async def test_who_gives_up_leaves_nothing_open(self):
        arrived = Deferred()

        def respond(query, by_tcp):
            if not by_tcp:
                return reply(query, flags=TRUNCATED)
            arrived.callback(None)
            return None

        self.serve(respond)
        asking = Deferred.fromCoroutine(self.ask())
        asking.addErrback(lambda _: None)
        await arrived
        asking.cancel()


class CaseTests(SynchronousTestCase):
    """Letters are mixed; nothing else is touched."""

    def test_only_letters_change(self):
        name = encode_name("_25._tcp.mx-1.far.example")
        seen = {mixed_case(name) for _ in range(50)}
        self.assertGreater(len(seen), 10)
        self.assertEqual({each.lower() for each in seen}, {name})
