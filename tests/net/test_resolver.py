"""Tests for the resolver, with servers that are functions and a clock of its own."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault, NoSuchDomain
from mailhub.mail.dns import MX, Answer, RecordType
from mailhub.net import resolver as module
from mailhub.net.dns_exchange import NameServer
from mailhub.net.dns_message import Code, Reply
from mailhub.net.resolver import MAX_LINKS, DNSLimits, Resolver

FIRST = NameServer("127.0.0.1", 5300, trusted=True)
SECOND = NameServer("127.0.0.2", 5300, trusted=True)
STRANGER = NameServer("192.0.2.53")
FAR = b"\x03far\x07example\x00"


def found(*records, ttl=300, name="far.example", authentic=False, links=0):
    return Reply(0, False, authentic, name, records, ttl, links)


def link(target, ttl=300):
    return Reply(0, False, True, target, (), ttl, 1, complete=False)


ADDRESS = found("192.0.2.1")


class Servers:
    """What servers answer: a ``Reply``, an error, or ``None`` for nothing yet."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.open = []

    async def __call__(self, server, name, kind):
        self.asked.append((server, name, kind))
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            answer = Deferred()
            self.open.append(answer)
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


class ResolverCase(SynchronousTestCase):
    """With one resolver."""

    def make(self, *answers, servers=(FIRST, SECOND), **limits):
        self.clock = Clock()
        self.servers = Servers(*answers)
        self.resolver = Resolver(
            self.clock, lambda: servers, DNSLimits(**limits), self.servers
        )

    def ask(self, name="far.example", kind=RecordType.A):
        return Deferred.fromCoroutine(self.resolver.query(name, kind))

    def answer(self, name="far.example", kind=RecordType.A):
        return self.successResultOf(self.ask(name, kind))

    def fault(self, kind=DNSFault, name="far.example"):
        return self.failureResultOf(self.ask(name), kind).value


class QuestionTests(ResolverCase):
    """What is asked, and what comes of it."""

    def test_it_asks_the_first_server(self):
        self.make(found(MX(10, "mx.far.example"), ttl=60))
        self.assertEqual(
            self.answer("Far.Example.", RecordType.MX),
            Answer("far.example", (MX(10, "mx.far.example"),), False, 60),
        )
        self.assertEqual(self.servers.asked, [(FIRST, FAR, RecordType.MX)])

    def test_no_records_are_an_answer(self):
        self.make(found())
        self.assertEqual(self.answer().records, ())

    def test_a_name_that_does_not_exist_is_no_fault(self):
        self.make(Reply(Code.NXDOMAIN, False, False, "far.example", (), 60, 0))
        self.assertEqual(str(self.fault(NoSuchDomain)), "far.example does not exist")

    def test_what_can_be_no_name_does_not_exist_and_is_not_asked_for(self):
        self.make()
        for name in ("a..b", "x" * 64 + ".example", "b\u00fccher.example", "a b.c"):
            self.fault(NoSuchDomain, name)
        self.assertEqual(self.servers.asked, [])

    def test_only_the_word_of_trusted_servers_is_authentic(self):
        for server, told, believed in (
            (FIRST, True, True), (FIRST, False, False), (STRANGER, True, False),
        ):  # fmt: skip
            self.make(found("192.0.2.1", authentic=told), servers=[server])
            self.assertEqual(self.answer().authentic, believed)

    def test_where_some_are_trusted_the_others_cannot_undo_what_they_say(self):
        servfail = Reply(Code.SERVFAIL, False, False, "far.example", (), 0, 0)
        self.make(servfail, ADDRESS, servers=[STRANGER, FIRST])
        self.fault()
        self.assertEqual([asked[0] for asked in self.servers.asked], [FIRST])

    def test_no_servers_are_a_fault(self):
        self.make(servers=[])
        self.fault()


class ChainTests(ResolverCase):
    """CNAMEs that a server does not follow to their end (RFC 1034, section 5.3.3)."""

    def test_it_asks_for_where_they_lead_to(self):
        self.make(link("b.example", ttl=20), found("192.0.2.1", name="b.example"))
        self.assertEqual(
            self.answer(), Answer("b.example", ("192.0.2.1",), False, 20)
        )
        self.assertEqual(self.servers.asked[1][1], b"\x01b\x07example\x00")

    def test_every_link_has_to_be_authentic(self):
        end = found("192.0.2.1", authentic=True)
        self.make(link("b.example"), end)
        self.assertTrue(self.answer().authentic)
        loose = Reply(0, False, False, "b.example", (), 9, 1, complete=False)
        self.make(loose, end)
        self.assertFalse(self.answer().authentic)

    def test_a_chain_has_its_limit_whoever_follows_it(self):
        fits = [link(f"{n}.example") for n in range(MAX_LINKS)]
        self.make(*fits, ADDRESS)
        self.assertEqual(self.answer().records, ("192.0.2.1",))
        self.make(*fits, link("one-more.example"), ADDRESS)
        self.fault()
        self.make(found("192.0.2.1", links=MAX_LINKS))
        self.answer()
        self.make(found("192.0.2.1", links=50))
        self.fault()

    def test_a_chain_has_no_more_time_than_a_question(self):
        self.make(link("b.example"), total=10.0)
        asking = self.ask()
        self.clock.advance(9.9)
        self.assertNoResult(asking)
        self.clock.advance(0.2)
        self.failureResultOf(asking, DNSFault)


class FaultTests(ResolverCase):
    """Servers that do not answer, or not what was asked."""

    def test_the_next_server_is_asked_after_any_fault(self):
        for fault in (
            DNSFault("damaged"),
            Reply(Code.SERVFAIL, False, False, "far.example", (), 0, 0),
            Reply(Code.REFUSED, False, False, "far.example", (), 0, 0),
            Reply(4000, False, False, "far.example", (), 0, 0),
        ):
            self.make(fault, ADDRESS)
            self.assertEqual(self.answer().records, ("192.0.2.1",))
            self.assertEqual(
                [asked[0] for asked in self.servers.asked], [FIRST, SECOND]
            )

    def test_all_servers_at_fault_are_a_fault_and_each_is_asked_once(self):
        refused = Reply(Code.REFUSED, False, False, "far.example", (), 0, 0)
        self.make(refused, refused)
        fault = self.fault()
        self.assertEqual(
            str(fault), "far.example A: 127.0.0.2:5300 answers REFUSED"
        )
        self.assertFalse(fault.permanent)
        self.assertEqual(len(self.servers.asked), 2)

    def test_a_silent_server_is_asked_again_after_the_others(self):
        self.make(attempt=3.0, total=20.0)
        asking = self.ask()
        for _ in range(4):
            self.clock.advance(3)
        self.assertEqual(
            [asked[0] for asked in self.servers.asked], [FIRST, SECOND] * 2
        )
        self.assertNoResult(asking)
        self.clock.advance(8)
        self.assertEqual(
            str(self.failureResultOf(asking, DNSFault).value),
            "far.example A: no answer in time",
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_that_comes_late_still_counts(self):
        self.make(attempt=3.0, total=10.0)
        asking = self.ask()
        self.clock.advance(5)
        self.servers.open[0].callback(ADDRESS)
        self.assertEqual(self.successResultOf(asking).records, ("192.0.2.1",))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_server_that_was_slow_is_asked_last_for_a_while(self):
        self.make(None, ADDRESS, ADDRESS, ADDRESS, attempt=3.0)
        asking = self.ask()
        self.clock.advance(3)
        self.successResultOf(asking)
        self.answer("b.example")
        self.assertEqual(self.servers.asked[-1][0], SECOND)
        self.clock.advance(30)
        self.answer("c.example")
        self.assertEqual(self.servers.asked[-1][0], FIRST)

    def test_a_bug_ends_the_question_and_is_told(self):
        self.make(ZeroDivisionError())
        self.fault()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.servers.answers = [ADDRESS]
        self.answer()

    def test_the_end_of_the_server_ends_all_questions(self):
        self.make()
        asking = self.ask()
        self.resolver.stop()
        self.failureResultOf(asking, DNSFault)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class MergingTests(ResolverCase):
    """Many who ask for the same."""

    def test_they_are_one_question(self):
        self.make()
        asking = [self.ask(name) for name in ("far.example", "FAR.example.")]
        other = self.ask(kind=RecordType.AAAA)
        self.assertEqual(len(self.servers.asked), 2)
        self.servers.open[0].callback(ADDRESS)
        for each in asking:
            self.assertEqual(self.successResultOf(each).records, ("192.0.2.1",))
        self.assertNoResult(other)

    def test_they_have_a_fault_each_of_their_own(self):
        self.make(servers=[FIRST])
        asking = [self.ask(), self.ask()]
        self.servers.open[0].errback(DNSFault("damaged"))
        first, second = (self.failureResultOf(each, DNSFault) for each in asking)
        self.assertIsNot(first.value, second.value)

    def test_one_who_waits_no_longer_takes_nothing_from_the_others(self):
        self.make()
        hasty, patient = self.ask(), self.ask()
        hasty.addErrback(lambda _: None)
        hasty.cancel()
        self.servers.open[0].callback(ADDRESS)
        self.assertEqual(self.successResultOf(patient).records, ("192.0.2.1",))

    def test_questions_at_a_time_have_a_limit_and_so_have_those_that_wait(self):
        self.patch(module, "MAX_OPEN", 2)
        self.patch(module, "MAX_WAITING", 1)
        self.make()
        asking = [self.ask(f"{n}.example") for n in range(3)]
        self.assertEqual(len(self.servers.asked), 2)
        self.fault(name="3.example")
        self.servers.open[0].callback(ADDRESS)
        self.successResultOf(asking[0])
        self.assertEqual(len(self.servers.asked), 3)
        for each in self.servers.open[1:]:
            each.callback(ADDRESS)
        for each in asking[1:]:
            self.successResultOf(each)
        self.servers.answers = [ADDRESS]
        self.answer("4.example")

    def test_who_waits_for_room_has_no_more_time_than_others(self):
        self.patch(module, "MAX_OPEN", 1)
        self.make(total=10.0)
        asking = [self.ask(f"{n}.example") for n in range(2)]
        self.clock.advance(10)
        for each in asking:
            self.failureResultOf(each, DNSFault)
        self.servers.answers = [ADDRESS]
        self.answer("2.example")


class CacheTests(ResolverCase):
    """Answers are kept for as long as they say (RFC 1035, section 7.4; RFC 2308)."""

    def test_an_answer_is_kept_for_its_time(self):
        self.make(found("192.0.2.1", ttl=60), found("192.0.2.2"))
        self.answer()
        self.clock.advance(59)
        self.assertEqual(self.answer().ttl, 1)
        self.assertEqual(self.answer("FAR.example.").records, ("192.0.2.1",))
        self.clock.advance(1)
        self.assertEqual(self.answer().records, ("192.0.2.2",))
        self.assertEqual(self.resolver.counts.hits, 2)
        self.assertEqual(self.resolver.counts.questions, 2)

    def test_that_there_is_nothing_is_kept_as_long_as_the_soa_says(self):
        self.make(Reply(3, False, False, "far.example", (), 60, 0), ADDRESS)
        self.fault(NoSuchDomain)
        self.clock.advance(59)
        self.fault(NoSuchDomain)
        self.clock.advance(1)
        self.answer()

    def test_a_fault_is_kept_for_a_moment(self):
        self.make(DNSFault("damaged"), ADDRESS, servers=[FIRST])
        self.fault()
        self.clock.advance(4)
        self.fault()
        self.clock.advance(1)
        self.answer()

    def test_without_a_ttl_nothing_is_kept(self):
        self.make(found("192.0.2.1", ttl=0), found("192.0.2.2"))
        self.answer()
        self.assertEqual(self.answer().records, ("192.0.2.2",))

    def test_nothing_is_kept_after_it_was_to_be_forgotten(self):
        self.make(ADDRESS, found("192.0.2.2"))
        self.answer()
        self.resolver.forget()
        self.assertEqual(self.answer().records, ("192.0.2.2",))
