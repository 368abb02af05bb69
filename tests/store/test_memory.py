"""Tests for :mod:`mailhub.store.memory`: the contract, and what is its own."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from mailhub.store.memory import MemoryStore

from ..contracts.fixture import ALICE
from ..contracts.store import StoreContract


class MemoryStoreTests(StoreContract, TestCase):
    """The contract of all backends."""

    async def make_store(self):
        return MemoryStore()


class RestartTests(TestCase):
    """Nothing outlives the process, so nothing of it may seem to."""

    async def test_uidvalidities_of_a_later_process_are_higher(self):
        seen = []
        for now in (1_000_000.0, 1_000_100.0):
            store = MemoryStore(now=lambda at=now: at)
            await store.directory.add_account(ALICE, "")
            account = await store.open_account(ALICE)
            seen += [
                (await account.status(info.name)).uidvalidity
                for info in await account.mailboxes()
            ]
        self.assertEqual(len(set(seen)), len(seen))
        self.assertLess(max(seen[: len(seen) // 2]), min(seen[len(seen) // 2 :]))
