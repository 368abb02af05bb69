from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.cache import CACHE_SECONDS, SuccessCache


class RememberedLogins(SynchronousTestCase):
    """Attacks: cached wrong user, changed password, password in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.cache = SuccessCache(self.clock, size=3)
        self.cache.remember("store:alice", "{X}1", b"secret")

    def test_the_same_login_is_known(self) -> None:
        self.assertTrue(self.cache.knows("store:alice", "{X}1", b"secret"))

    def test_nothing_that_differs_is_known(self) -> None:
        for identity, stored, password in (
            ("store:bob", "{X}1", b"secret"),
            ("file:alice", "{X}1", b"secret"),
            ("store:alice", "{X}2", b"secret"),
            ("store:alice", "{X}1", b"Secret"),
            ("store:alice", "{X}", b"1secret"),
            ("store:alice", "{X}1s", b"ecret"),
            ("store:alice", "", b""),
        ):
            self.assertFalse(self.cache.knows(identity, stored, password))

    def test_it_is_forgotten_in_time(self) -> None:
        self.clock.advance(CACHE_SECONDS - 0.01)
        self.assertTrue(self.cache.knows("store:alice", "{X}1", b"secret"))
        self.clock.advance(0.01)
        self.assertFalse(self.cache.knows("store:alice", "{X}1", b"secret"))

    def test_being_asked_does_not_prolong_it(self) -> None:
        for _ in range(6):
            self.clock.advance(CACHE_SECONDS / 6)
            known = self.cache.knows("store:alice", "{X}1", b"secret")
        self.assertFalse(known)

    def test_the_oldest_goes_when_it_is_full(self) -> None:
        for number in range(2):
            self.cache.remember(f"store:{number}", "{X}1", b"secret")
        self.assertTrue(self.cache.knows("store:alice", "{X}1", b"secret"))
        self.cache.remember("store:2", "{X}1", b"secret")
        self.assertFalse(self.cache.knows("store:alice", "{X}1", b"secret"))
        self.assertTrue(self.cache.knows("store:0", "{X}1", b"secret"))

    def test_no_password_is_in_memory(self) -> None:
        self.assertNotIn("secret", repr(vars(self.cache)))

    def test_two_caches_share_nothing(self) -> None:
        other = SuccessCache(self.clock)
        other.remember("store:alice", "{X}1", b"secret")
        mine, theirs = vars(self.cache)["_entries"], vars(other)["_entries"]
        self.assertNotEqual(mine["store:alice"][0], theirs["store:alice"][0])
