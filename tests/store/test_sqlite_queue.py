"""Tests for :mod:`mailhub.store.sqlite.queue`: the contract, and what is its own."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from ..contracts.queue import QueueContract
from ..contracts.queue_people import AlterContract, ListContract
from .sqlite_fixture import SQLiteFixture


class SQLiteQueueTests(QueueContract, SQLiteFixture, TestCase):
    """The contract of all queues."""


class SQLiteListTests(ListContract, SQLiteFixture, TestCase):
    """What people see."""


class SQLiteAlterTests(AlterContract, SQLiteFixture, TestCase):
    """What people do."""
