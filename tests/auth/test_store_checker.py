from __future__ import annotations

from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth import memory_hard, schemes
from mailhub.auth.credentials import LoginFailed
from mailhub.auth.store_checker import StoreChecker
from mailhub.auth.verifier import PasswordVerifier
from mailhub.auth.workers import HashWorkers
from mailhub.errors import Busy, LocalFault, StorageFull

from .fakes import (
    ALICE,
    FakeDirectory,
    HeldPool,
    ThreadlessReactor,
    count_hashes,
    login_as,
    make_verifier,
)

STRONG = schemes.hash_password(b"right")


class StoreUsers(SynchronousTestCase):
    """Login with the accounts of the store."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = FakeDirectory()
        self.directory.add("alice@example.org", STRONG)
        self.directory.add("off@example.org", STRONG, enabled=False)
        self.directory.add("none@example.org", "")
        self.directory.add("bad@example.org", "{NOPE}x")
        self.checker = StoreChecker(self.directory, make_verifier(self.clock))

    def check(self, name: bytes, password: bytes) -> Deferred[Any]:
        return self.checker.requestAvatarId(login_as(name, password))

    def test_the_right_password_gives_the_canonical_address(self) -> None:
        answer = self.check(b"Alice@Example.ORG", b"right")
        self.assertEqual(self.successResultOf(answer), ALICE)

    def test_stock_credentials_of_cred_work(self) -> None:
        answer = self.checker.requestAvatarId(UsernamePassword(ALICE, b"right"))
        self.assertEqual(self.successResultOf(answer), ALICE)

    def test_everybody_else_fails(self) -> None:
        for name, password in (
            (ALICE, b"wrong"), (b"nobody@example.org", b"right"), (b"alice", b"right"),
            (b"off@example.org", b"right"), (b"none@example.org", b""),
            (b"none@example.org", b"x"), (ALICE, b""), (ALICE, b"right\0x"),
            (b"a\r\nset x", b"right"), (b"\xff", b"right"), (b"", b"right"),
            (ALICE, b"x" * (1 << 20)),
        ):
            with self.subTest(name=name, password=password[:9]):
                self.failureResultOf(self.check(name, password), LoginFailed)

    def test_unknown_users_cost_the_hashes_that_known_ones_cost(self) -> None:
        verified = count_hashes(self)
        self.failureResultOf(self.check(ALICE, b"wrong"), LoginFailed)
        known = [stored.rsplit("$", 2)[0] for stored in verified]
        for name in (b"nobody@example.org", b"off@example.org", b"none@example.org"):
            verified.clear()
            self.failureResultOf(self.check(name, b"wrong"), LoginFailed)
            costs = [stored.rsplit("$", 2)[0] for stored in verified]
            self.assertEqual(costs, known)

    def test_a_weak_stored_hash_does_not_betray_its_user(self) -> None:
        self.directory.add("old@example.org", "{PLAIN}right")
        verified = count_hashes(self)
        self.failureResultOf(self.check(b"old@example.org", b"wrong"), LoginFailed)
        self.assertEqual(verified[0], "{PLAIN}right")
        self.assertTrue(memory_hard.is_strong(verified[1]))

    def test_the_directory_sees_only_canonical_names(self) -> None:
        for name in (b"Alice@Example.org", b"' OR 1--", b"a\0b", b"*)(uid=*", b"%u"):
            self.failureResultOf(self.check(name, b"wrong"), LoginFailed)
        self.assertEqual(self.directory.found, ["alice@example.org", "*)(uid=*", "%u"])

    def test_an_unusable_stored_hash_fails_like_a_wrong_password(self) -> None:
        self.failureResultOf(self.check(b"bad@example.org", b"x"), LoginFailed)

    def test_a_missing_library_is_a_temporary_fault(self) -> None:
        self.patch(memory_hard, "find_argon2", lambda: None)
        self.checker = StoreChecker(self.directory, make_verifier(self.clock))
        self.failureResultOf(self.check(ALICE, b"right"), LocalFault)


class Caching(SynchronousTestCase):
    """A success is known for a minute, unless the stored hash changes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = FakeDirectory()
        self.directory.add("alice@example.org", STRONG)
        self.checker = StoreChecker(self.directory, make_verifier(self.clock))
        self.successResultOf(self.checker.requestAvatarId(login_as(ALICE, b"right")))
        self.verified = count_hashes(self)

    def check(self, password: bytes) -> Deferred[Any]:
        return self.checker.requestAvatarId(login_as(ALICE, password))

    def test_the_next_login_computes_no_hash(self) -> None:
        self.successResultOf(self.check(b"right"))
        self.assertEqual(self.verified, [])

    def test_a_wrong_password_does_and_fails(self) -> None:
        self.failureResultOf(self.check(b"wrong"), LoginFailed)
        self.assertEqual(len(self.verified), 1)

    def test_a_changed_password_ends_it_at_once(self) -> None:
        self.directory.add("alice@example.org", schemes.hash_password(b"new"))
        self.failureResultOf(self.check(b"right"), LoginFailed)
        self.successResultOf(self.check(b"new"))

    def test_a_disabled_account_ends_it_at_once(self) -> None:
        self.directory.add("alice@example.org", STRONG, enabled=False)
        self.failureResultOf(self.check(b"right"), LoginFailed)

    def test_it_ends_after_a_minute(self) -> None:
        self.clock.advance(60)
        self.successResultOf(self.check(b"right"))
        self.assertEqual(len(self.verified), 1)


class Renewal(SynchronousTestCase):
    """Old hashes become new ones when their users log in."""

    def setUp(self) -> None:
        self.directory = FakeDirectory()
        self.directory.add("alice@example.org", "{PLAIN}right")
        self.checker = StoreChecker(self.directory, make_verifier(Clock()))

    def check(self, password: bytes) -> Deferred[Any]:
        return self.checker.requestAvatarId(login_as(ALICE, password))

    def test_a_weak_hash_is_replaced_by_a_strong_one(self) -> None:
        self.successResultOf(self.check(b"right"))
        stored = self.directory.password_of("alice@example.org")
        self.assertTrue(memory_hard.is_strong(stored))
        self.assertTrue(schemes.verify(stored, b"right"))

    def test_a_wrong_password_replaces_nothing(self) -> None:
        self.failureResultOf(self.check(b"wrong"), LoginFailed)
        self.assertEqual(
            self.directory.password_of("alice@example.org"), "{PLAIN}right"
        )

    def test_a_full_disk_does_not_stop_the_login(self) -> None:
        async def fail(*_: str, **__: str) -> bool:
            raise StorageFull("no space")

        self.patch(self.directory, "set_password", fail)
        self.assertEqual(self.successResultOf(self.check(b"right")), ALICE)

    def test_a_password_changed_meanwhile_is_not_undone(self) -> None:
        pool = HeldPool()
        verifier = PasswordVerifier(HashWorkers(ThreadlessReactor(), pool=pool))
        self.checker = StoreChecker(self.directory, verifier)
        answer = self.check(b"right")
        pool.work()
        self.directory.add("alice@example.org", "{PLAIN}changed")
        pool.work()
        self.assertEqual(self.successResultOf(answer), ALICE)
        self.assertEqual(
            self.directory.password_of("alice@example.org"), "{PLAIN}changed"
        )


class Overload(SynchronousTestCase):
    def test_a_full_queue_is_busy_and_not_a_wrong_password(self) -> None:
        directory = FakeDirectory()
        directory.add("alice@example.org", STRONG)
        workers = HashWorkers(ThreadlessReactor(), threads=1, queue=0, pool=HeldPool())
        checker = StoreChecker(directory, PasswordVerifier(workers))
        self.assertNoResult(checker.requestAvatarId(login_as(ALICE, b"wrong")))
        second = checker.requestAvatarId(login_as(ALICE, b"right"))
        self.failureResultOf(second, Busy)
