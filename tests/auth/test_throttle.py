from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.throttle import LoginLimits, LoginThrottled, Throttle, address_key
from mailhub.net.shared_counts import SharedCounts, make_memory

from .fakes import make_peer

HOME, CAFE, EVIL = "198.51.100.7", "203.0.113.9", "192.0.2.66"


class Addresses(SynchronousTestCase):
    def test_what_is_counted_for_a_host(self) -> None:
        table = {
            "192.0.2.1": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
            "2001:db8:1:2::": "2001:db8:1:2::/64",
            "2001:db8:1:3::1": "2001:db8:1:3::/64",
            "fe80::1%eth0": "fe80::/64",
            "::1": "::/64",
            "": "",
            "/run/mailhub.sock": "",
        }
        for host, key in table.items():
            self.assertEqual(address_key(host), key)


class FailuresOfAnAddress(SynchronousTestCase):
    """Attack: guessing from one place."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock)

    def miss(self, host: str, times: int, user: str = "") -> None:
        for number in range(times):
            self.throttle.failed(make_peer(host), user or f"user{number}")

    def is_open(self, host: str, user: str = "someone") -> bool:
        try:
            self.throttle.check(make_peer(host), user)
        except LoginThrottled:
            return False
        return True

    def test_ten_failures_a_minute_and_no_more(self) -> None:
        self.miss(EVIL, 9)
        self.assertTrue(self.is_open(EVIL))
        self.miss(EVIL, 1)
        self.assertFalse(self.is_open(EVIL))
        self.assertTrue(self.is_open(HOME))

    def test_a_minute_later_there_are_ten_more(self) -> None:
        self.miss(EVIL, 10)
        self.clock.advance(59.9)
        self.assertFalse(self.is_open(EVIL))
        self.clock.advance(0.1)
        self.assertTrue(self.is_open(EVIL))
        self.miss(EVIL, 10)
        self.assertFalse(self.is_open(EVIL))

    def test_fifty_failures_a_day_and_no_more(self) -> None:
        for _ in range(4):
            self.miss(EVIL, 10)
            self.clock.advance(61)
        self.miss(EVIL, 9)
        self.clock.advance(61)
        self.assertTrue(self.is_open(EVIL))
        self.miss(EVIL, 1)
        self.clock.advance(61)
        self.assertFalse(self.is_open(EVIL))
        self.clock.advance(86_400)
        self.assertTrue(self.is_open(EVIL))

    def test_a_walk_through_an_ipv6_network_is_one_address(self) -> None:
        for number in range(10):
            self.miss(f"2001:db8:0:1::{number:x}", 1, f"user{number}")
        self.assertFalse(self.is_open("2001:db8:0:1:ffff::1"))
        self.assertTrue(self.is_open("2001:db8:0:2::1"))

    def test_a_unix_socket_has_no_address_to_count(self) -> None:
        self.miss("", 100)
        self.assertTrue(self.is_open(""))

    def test_memory_is_bounded(self) -> None:
        self.throttle = Throttle(self.clock, LoginLimits(tracked=3))
        self.miss(EVIL, 10)
        self.miss("192.0.2.1", 1)
        self.miss("192.0.2.2", 1)
        self.assertFalse(self.is_open(EVIL))
        self.miss("192.0.2.3", 1)
        self.assertTrue(self.is_open(EVIL))
        self.assertEqual(len(self.throttle._addresses._failures), 3)


class FailuresOfAUser(SynchronousTestCase):
    """Attack: guessing one user's password from a thousand places."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock)
        self.throttle.succeeded(make_peer(HOME), "alice")

    def is_open(self, host: str, user: str = "alice") -> bool:
        try:
            self.throttle.check(make_peer(host), user)
        except LoginThrottled:
            return False
        return True

    def spray(self, count: int) -> None:
        for number in range(count):
            host = f"10.0.{number >> 8}.{number & 255}"
            self.throttle.failed(make_peer(host), "alice")

    def test_ten_failures_a_minute_and_no_more(self) -> None:
        self.spray(9)
        self.assertTrue(self.is_open(CAFE))
        self.spray(1)
        self.assertFalse(self.is_open(CAFE))
        self.assertTrue(self.is_open(CAFE, "bob"))
        self.clock.advance(60)
        self.assertTrue(self.is_open(CAFE))

    def test_a_hundred_failures_a_day_and_no_more(self) -> None:
        for _ in range(10):
            self.assertTrue(self.is_open(CAFE))
            self.spray(10)
            self.clock.advance(60)
        self.assertFalse(self.is_open(CAFE))

    def test_the_owner_still_gets_in_from_a_known_address(self) -> None:
        self.spray(1_000)
        self.assertTrue(self.is_open(HOME))
        self.assertFalse(self.is_open(CAFE))

    def test_a_known_address_is_known_for_its_own_user_only(self) -> None:
        self.throttle.succeeded(make_peer(EVIL), "mallory")
        self.spray(10)
        self.assertFalse(self.is_open(EVIL))

    def test_a_known_address_has_a_count_of_its_own(self) -> None:
        for _ in range(9):
            self.throttle.failed(make_peer(HOME), "alice")
        self.assertTrue(self.is_open(HOME))
        self.throttle.failed(make_peer(HOME), "alice")
        self.assertFalse(self.is_open(HOME))
        self.assertTrue(self.is_open(CAFE))
        self.clock.advance(60)
        self.assertTrue(self.is_open(HOME))

    def test_one_user_s_old_telephone_does_not_lock_out_the_office(self) -> None:
        for _ in range(100):
            self.throttle.failed(make_peer(HOME), "alice")
        self.assertTrue(self.is_open(HOME, "bob"))

    def test_guesses_from_the_office_do_not_lock_out_who_works_there(self) -> None:
        for number in range(10):
            self.throttle.failed(make_peer(HOME), f"user{number}")
        self.assertFalse(self.is_open(HOME, "bob"))
        self.assertTrue(self.is_open(HOME))

    def test_known_addresses_are_bounded(self) -> None:
        for number in range(LoginLimits().known_addresses):
            self.throttle.succeeded(make_peer(f"198.18.0.{number}"), "alice")
        self.spray(10)
        self.assertFalse(self.is_open(HOME))
        self.assertTrue(self.is_open("198.18.0.0"))

    def test_users_with_known_addresses_are_bounded(self) -> None:
        throttle = self.throttle = Throttle(self.clock, LoginLimits(tracked=2))
        for user in ("alice", "bob", "carol"):
            throttle.succeeded(make_peer(HOME), user)
        self.assertEqual(list(throttle._known), ["bob", "carol"])


class Penalty(SynchronousTestCase):
    """A failure is told late, and many wait at the same time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock, LoginLimits(delayed=3))

    def wait(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.throttle.penalty())

    def test_failures_wait_side_by_side(self) -> None:
        waiting = [self.wait() for _ in range(3)]
        self.clock.advance(1.49)
        for answer in waiting:
            self.assertNoResult(answer)
        self.clock.advance(0.01)
        for answer in waiting:
            self.successResultOf(answer)

    def test_when_too_many_wait_the_next_does_not(self) -> None:
        waiting = [self.wait() for _ in range(3)]
        self.successResultOf(self.wait())
        self.clock.advance(1.5)
        self.assertNoResult(self.wait())
        self.assertEqual(len(waiting), 3)

    def test_who_hangs_up_makes_room(self) -> None:
        waiting = [self.wait() for _ in range(3)]
        waiting[0].cancel()
        self.failureResultOf(waiting[0])
        self.assertNoResult(self.wait())
        self.assertEqual(len(self.clock.getDelayedCalls()), 3)


class ManyProcesses(SynchronousTestCase):
    """Attack: guessing at several workers, to have each limit more than once."""

    def setUp(self) -> None:
        memory = make_memory(2, 1, 100, 1_000)
        self.addCleanup(os.close, memory)
        self.clock = Clock()
        self.workers = []
        for row in range(2):
            counts = SharedCounts(memory, row)
            self.addCleanup(counts.close)
            self.workers.append(Throttle(self.clock, shared=counts))

    def is_open(self, worker: int, host: str, user: str) -> bool:
        try:
            self.workers[worker].check(make_peer(host), user)
        except LoginThrottled:
            return False
        return True

    def test_an_address_has_ten_failures_a_minute_in_all(self) -> None:
        for number in range(9):
            self.workers[number % 2].failed(make_peer(EVIL), f"user{number}")
        self.assertTrue(self.is_open(0, EVIL, "someone"))
        self.workers[1].failed(make_peer(EVIL), "other")
        self.assertFalse(self.is_open(0, EVIL, "someone"))
        self.assertFalse(self.is_open(1, EVIL, "someone"))
        self.clock.advance(60)
        self.assertTrue(self.is_open(0, EVIL, "someone"))

    def test_a_user_has_ten_failures_a_minute_in_all(self) -> None:
        for number in range(10):
            self.workers[number % 2].failed(make_peer(f"10.0.0.{number}"), "alice")
        self.assertFalse(self.is_open(0, CAFE, "alice"))
        self.assertFalse(self.is_open(1, CAFE, "alice"))
        self.assertTrue(self.is_open(1, CAFE, "bob"))

    def test_the_owner_gets_in_at_every_worker(self) -> None:
        self.workers[0].succeeded(make_peer(HOME), "alice")
        for number in range(100):
            self.workers[1].failed(make_peer(f"10.0.0.{number}"), "alice")
        for worker in range(2):
            self.assertTrue(self.is_open(worker, HOME, "alice"))
            self.assertFalse(self.is_open(worker, CAFE, "alice"))
            for _ in range(5):
                self.workers[worker].failed(make_peer(HOME), "alice")
        for worker in range(2):
            self.assertFalse(self.is_open(worker, HOME, "alice"))

    def test_an_address_that_is_no_longer_a_user_s_own_is_forgotten(self) -> None:
        limits = LoginLimits(known_addresses=1)
        for worker in self.workers:
            worker.limits = limits
        self.workers[0].succeeded(make_peer(HOME), "alice")
        self.workers[0].succeeded(make_peer(CAFE), "alice")
        for number in range(10):
            self.workers[1].failed(make_peer(f"10.0.0.{number}"), "alice")
        self.assertFalse(self.is_open(1, HOME, "alice"))
        self.assertTrue(self.is_open(1, CAFE, "alice"))

    def test_other_limits_hold_at_once(self) -> None:
        self.workers[0].failed(make_peer(EVIL), "someone")
        self.assertTrue(self.is_open(1, EVIL, "someone"))
        self.workers[1].limits = LoginLimits(address_per_minute=1)
        self.assertFalse(self.is_open(1, EVIL, "someone"))
