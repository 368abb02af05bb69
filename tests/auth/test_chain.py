from __future__ import annotations

from typing import Any

from twisted.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import Anonymous, IUsernamePassword, UsernamePassword
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailhub.auth.chain import ChainChecker
from mailhub.auth.credentials import LoginFailed, LoginThrottled
from mailhub.auth.throttle import Throttle
from mailhub.errors import Busy, LocalFault

from .fakes import ALICE, login_as


@implementer(ICredentialsChecker)
class Scripted:
    """Answers with, or raises, what it was given; remembers who asked."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(credentials)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def memory(**users: str) -> InMemoryUsernamePasswordDatabaseDontUse:
    """A stock checker of cred."""
    return InMemoryUsernamePasswordDatabaseDontUse(
        **{name: password.encode() for name, password in users.items()}
    )


class Chained(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def ask(self, credentials: Any, *checkers: Any) -> Deferred[Any]:
        self.chain = ChainChecker(checkers, throttle=Throttle(self.clock))
        return self.chain.requestAvatarId(credentials)

    def refused(self, answer: Deferred[Any], *kinds: Any) -> Any:
        """The failure of *answer*, after its delay."""
        self.assertNoResult(answer)
        self.clock.advance(1.5)
        return self.failureResultOf(answer, *kinds).value


class Order(Chained):
    """Every checker is asked until one accepts."""

    def test_the_first_that_accepts_decides(self) -> None:
        third = Scripted(b"third")
        answer = self.ask(
            login_as(b"bob", b"pw"), memory(alice="pw"), memory(bob="pw"), third
        )
        self.assertEqual(self.successResultOf(answer), b"bob")
        self.assertEqual(third.asked, [])

    def test_nobody_accepts(self) -> None:
        answer = self.ask(login_as(b"bob", b"no"), memory(alice="no"), memory(bob="pw"))
        self.refused(answer, LoginFailed)

    def test_no_checker_at_all(self) -> None:
        self.refused(self.ask(login_as(b"bob", b"pw")), LoginFailed)

    def test_a_broken_checker_is_a_temporary_fault_unless_another_accepts(self) -> None:
        login, broken = login_as(b"bob", b"pw"), Scripted(KeyError("bug"))
        answer = self.ask(login, broken, memory(bob="pw"))
        self.assertEqual(self.successResultOf(answer), b"bob")
        self.failureResultOf(self.ask(login, broken, memory(bob="x")), LocalFault)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_busy_is_told_at_once_and_counts_as_no_failure(self) -> None:
        self.failureResultOf(
            self.ask(login_as(ALICE, b"pw"), Scripted(Busy("full"))), Busy
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hanging_up_asks_nobody_else(self) -> None:
        second = Scripted(b"bob")
        answer = self.ask(login_as(b"bob", b"pw"), Scripted(Deferred()), second)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(second.asked, [])

    def test_credentials_of_another_kind_go_where_they_are_understood(self) -> None:
        answer = self.ask(Anonymous(), memory(bob="pw"), AllowAnonymousAccess())
        self.assertEqual(self.successResultOf(answer), ANONYMOUS)
        self.assertEqual(len(self.chain.credentialInterfaces), 3)

    def test_credentials_without_a_peer_work(self) -> None:
        answer = self.ask(UsernamePassword(b"bob", b"pw"), memory(bob="pw"))
        self.assertEqual(self.successResultOf(answer), b"bob")
        self.refused(self.ask(UsernamePassword(b"bob", b"x"), memory(bob="pw")))


class Identity(Chained):
    """Attack: two spellings, or two logins, mixed up."""

    def test_checkers_see_the_canonical_name(self) -> None:
        checker = Scripted(ALICE)
        self.ask(login_as(b"ALICE@Example.ORG", b"pw"), checker)
        self.assertEqual([c.username for c in checker.asked], [ALICE])

    def test_answers_become_canonical(self) -> None:
        for answer in (b"Alice@Example.org", "Alice@Example.org"):
            avatar = self.successResultOf(
                self.ask(login_as(b"x", b"pw"), Scripted(answer))
            )
            self.assertEqual(avatar, ALICE)

    def test_hostile_names_reach_no_checker(self) -> None:
        checker = Scripted(ALICE)
        for name in (b"a\r\nset x", b"a\0b", b"\xff", b"' OR 1--", b"", b"a" * 255):
            self.refused(self.ask(login_as(name, b"pw"), checker), LoginFailed)
        self.assertEqual(checker.asked, [])

    def test_a_second_request_inherits_nothing(self) -> None:
        users = memory(alice="a", bob="b")
        chain = ChainChecker([users], throttle=Throttle(self.clock))
        self.successResultOf(chain.requestAvatarId(login_as(b"alice", b"a")))
        self.refused(chain.requestAvatarId(login_as(b"bob", b"a")), LoginFailed)
        answer = chain.requestAvatarId(login_as(b"bob", b"b"))
        self.assertEqual(self.successResultOf(answer), b"bob")


class Guessing(Chained):
    """Attack: a thousand passwords."""

    def setUp(self) -> None:
        super().setUp()
        self.checker = Scripted(LoginFailed("no"))
        self.chain = ChainChecker([self.checker], throttle=Throttle(self.clock))

    def guess(self, host: str, name: bytes = ALICE) -> Deferred[Any]:
        return self.chain.requestAvatarId(login_as(name, b"guess", host))

    def test_one_address_gets_ten_answers_a_minute(self) -> None:
        for number in range(1_000):
            self.guess("192.0.2.1", b"user%d" % number).addErrback(lambda f: None)
        self.assertEqual(len(self.checker.asked), 10)
        self.clock.advance(60)
        self.refused(self.guess("192.0.2.1"), LoginFailed)
        self.assertEqual(len(self.checker.asked), 11)

    def test_one_user_gets_ten_answers_a_minute_from_everywhere(self) -> None:
        for number in range(1_000):
            guess = self.guess(f"10.0.{number >> 8}.{number & 255}")
            guess.addErrback(lambda f: None)
        self.assertEqual(len(self.checker.asked), 10)

    def test_a_refusal_without_asking_is_delayed_as_well(self) -> None:
        for _ in range(10):
            self.guess("192.0.2.1").addErrback(lambda f: None)
        self.refused(self.guess("192.0.2.1"), LoginThrottled)

    def test_hostile_names_count_for_the_address(self) -> None:
        for _ in range(10):
            self.guess("192.0.2.1", b"\xff").addErrback(lambda f: None)
        self.refused(self.guess("192.0.2.1"), LoginThrottled)
        self.assertEqual(self.checker.asked, [])

    def test_guesses_in_parallel_learn_no_more_than_guesses_in_a_row(self) -> None:
        hashing: list[Deferred[Any]] = [Deferred() for _ in range(11)]
        answers = []
        for slow in hashing:
            self.checker.answer = slow
            answers.append(self.guess("192.0.2.1"))
        for slow in hashing[:10]:
            slow.errback(LoginFailed("no"))
        hashing[10].callback(ALICE)
        self.clock.advance(1.5)
        for answer in answers[:10]:
            self.failureResultOf(answer, LoginFailed)
        self.failureResultOf(answers[10], LoginThrottled)

    def test_an_owner_at_a_known_address_gets_in_during_an_attack(self) -> None:
        self.checker.answer = ALICE
        self.successResultOf(self.guess("198.51.100.7"))
        self.checker.answer = LoginFailed("no")
        for number in range(500):
            self.guess(f"10.0.{number >> 8}.{number & 255}").addErrback(lambda f: None)
        self.checker.answer = ALICE
        self.refused(self.guess("203.0.113.9"), LoginThrottled)
        self.assertEqual(self.successResultOf(self.guess("198.51.100.7")), ALICE)

    def test_all_failures_have_the_same_text(self) -> None:
        texts = set()
        for name in (ALICE, b"nobody@example.org", b"off@example.org"):
            texts.add(str(self.refused(self.guess("192.0.2.1", name))))
        self.assertEqual(texts, {"wrong user or password"})
