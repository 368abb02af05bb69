"""Tests for what is kept of DNS."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault, NoSuchDomain
from mailhub.mail.dns import MX, TLSA, Answer, RecordType
from mailhub.net.dns_cache import ENTRY_COST, RECORD_COST, Cache, Failed

TXT, A = RecordType.TXT, RecordType.A
YEAR = 366 * 86_400


def text(octets, ttl=300):
    return Answer("a.example", (bytes(octets),), False, ttl)


class CacheTests(SynchronousTestCase):
    """Times and room."""

    def test_times_have_limits(self):
        for outcome, longest in (
            (text(1, YEAR), 86_400),
            (Answer("a.example", (), False, YEAR), 900),
            (Failed(NoSuchDomain, "", YEAR), 900),
            (Failed(DNSFault, "", YEAR), 5),
        ):
            cache = Cache(10_000)
            cache.put(("a.example", TXT), outcome, 1000.0)
            last = cache.get(("a.example", TXT), 1000.0 + longest - 1)
            self.assertEqual(last.ttl, 1)
            self.assertIsNone(cache.get(("a.example", TXT), 1000.0 + longest))

    def test_room_is_counted_in_octets_so_that_large_records_do_not_fill_memory(self):
        each = ENTRY_COST + 1 + RECORD_COST + 60_000
        cache = Cache(3 * each)
        for name in "abc":
            cache.put((name, TXT), text(60_000), 0.0)
        self.assertEqual(len(cache), 3)
        self.assertIsNotNone(cache.get(("a", TXT), 1.0))
        cache.put(("d", TXT), text(60_000), 1.0)
        self.assertEqual(len(cache), 3)
        self.assertIsNone(cache.get(("b", TXT), 1.0))
        self.assertIsNotNone(cache.get(("a", TXT), 1.0))

    def test_what_has_no_room_at_all_is_not_kept(self):
        room = ENTRY_COST + 1 + RECORD_COST + 100
        cache = Cache(room)
        cache.put(("a", TXT), text(100), 0.0)
        cache.put(("b", TXT), text(101), 0.0)
        self.assertIsNotNone(cache.get(("a", TXT), 0.0))
        self.assertIsNone(cache.get(("b", TXT), 0.0))

    def test_room_comes_back(self):
        cache = Cache(2_000)
        for round_ in range(50):
            now = round_ * 1000.0
            cache.put(("a", A), Answer("a", (MX(1, "b"), TLSA(3, 1, 1, b"x"), 7),
                                       False, 300), now)  # fmt: skip
            cache.put(("a", A), Failed(DNSFault, "", 300), now)
            if round_ % 2:
                cache.drop(("a", A))
            self.assertIsNone(cache.get(("a", A), now + 500))
        cache.clear()
        self.assertEqual((len(cache), cache._cost), (0, 0))
