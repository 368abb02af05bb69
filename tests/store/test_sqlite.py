"""The SQLite store keeps the contract of a backend."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailhub.net.spool import Spool
from mailhub.store.sqlite.store import SQLiteStore

from ..contracts.store import StoreContract


class SQLiteStoreTests(StoreContract, TestCase):
    """What every backend must do, done on a disk."""

    async def make_store(self):
        return SQLiteStore(self.mktemp(), reactor=reactor, spool=Spool)
