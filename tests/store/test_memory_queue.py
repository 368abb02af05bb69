"""Tests for :mod:`mailhub.store.memory_queue`: the contract of all queues."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from mailhub.store.memory import MemoryStore

from ..contracts.queue import QueueContract
from ..contracts.queue_people import AlterContract, ListContract


class MemoryQueueTests(QueueContract, TestCase):
    """The contract of all queues."""

    async def make_store(self):
        return MemoryStore()


class MemoryListTests(ListContract, TestCase):
    """What people see."""

    async def make_store(self):
        return MemoryStore()


class MemoryAlterTests(AlterContract, TestCase):
    """What people do."""

    async def make_store(self):
        return MemoryStore()
