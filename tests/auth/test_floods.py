"""Row 80 of the house's list of attacks: logins that are meant to cost time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth import memory_hard, schemes
from mailhub.auth.cache import SuccessCache
from mailhub.auth.chain import ChainChecker
from mailhub.auth.credentials import LoginFailed
from mailhub.auth.identity import MAX_PASSWORD
from mailhub.auth.store_checker import StoreChecker
from mailhub.auth.throttle import Throttle
from mailhub.auth.verifier import PasswordVerifier
from mailhub.auth.workers import HASH_QUEUE, HASH_THREADS, HashWorkers
from mailhub.errors import Busy

from .fakes import ALICE, FakeDirectory, HeldPool, ThreadlessReactor, login_as

BOB = b"bob@example.org"
STRONG = schemes.hash_password(b"right")
ROOM = HASH_THREADS + HASH_QUEUE


class FloodTests(SynchronousTestCase):
    """Everything that a portal does with a password, but for the threads."""

    def setUp(self) -> None:
        self.reactor = ThreadlessReactor()
        self.pool = HeldPool()
        directory = FakeDirectory()
        for name in (ALICE, BOB):
            directory.add(name.decode(), STRONG)
        workers = HashWorkers(self.reactor, pool=self.pool)
        verifier = PasswordVerifier(workers, SuccessCache(self.reactor))
        self.chain = ChainChecker(
            [StoreChecker(directory, verifier)], throttle=Throttle(self.reactor)
        )

    def login(self, name: bytes, password: bytes, host: str) -> Deferred[Any]:
        return self.chain.requestAvatarId(login_as(name, password, host))

    def flood(self, count: int) -> list[Deferred[Any]]:
        """Wrong logins of many users from many addresses, all at once."""
        return [
            self.login(b"user%d" % n, b"wrong", f"10.0.{n >> 8}.{n & 255}")
            for n in range(count)
        ]

    def test_a_flood_of_logins_waits_for_so_many_hashes_and_no_more(self) -> None:
        answers = self.flood(1_000)
        self.assertEqual(len(self.pool.waiting), ROOM)
        for answer in answers[:ROOM]:
            self.assertNoResult(answer)
        for answer in answers[ROOM:]:
            self.failureResultOf(answer, Busy)
        while self.pool.waiting:
            self.pool.work()
        self.reactor.advance(2)
        for answer in answers[:ROOM]:
            self.failureResultOf(answer, LoginFailed)

    def test_who_logged_in_a_moment_ago_gets_in_during_a_flood(self) -> None:
        first = self.login(ALICE, b"right", "198.51.100.7")
        self.pool.work()
        self.assertEqual(self.successResultOf(first), ALICE)
        for answer in self.flood(1_000):
            answer.addErrback(lambda failure: None)
        self.assertEqual(
            self.successResultOf(self.login(ALICE, b"right", "198.51.100.7")), ALICE
        )

    def test_who_was_told_to_come_later_gets_in_then(self) -> None:
        for answer in self.flood(1_000):
            answer.addErrback(lambda failure: None)
        self.failureResultOf(self.login(BOB, b"right", "198.51.100.8"), Busy)
        self.pool.work()
        again = self.login(BOB, b"right", "198.51.100.8")
        for _ in range(ROOM):
            self.pool.work()
        self.assertEqual(self.successResultOf(again), BOB)

    def test_passwords_over_the_limit_are_not_hashed(self) -> None:
        # Whatever is hashed now fails for want of a library.
        self.patch(memory_hard, "find_argon2", lambda: None)
        for octets in (MAX_PASSWORD + 1, 1 << 20):
            answer = self.login(ALICE, b"x" * octets, "198.51.100.7")
            self.pool.work()
            self.reactor.advance(2)
            self.failureResultOf(answer, LoginFailed)
        answer = self.login(ALICE, b"x" * MAX_PASSWORD, "198.51.100.7")
        self.pool.work()
        self.reactor.advance(2)
        self.failureResultOf(answer, memory_hard.SchemeUnavailable)
