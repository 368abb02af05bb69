"""Whether there is room for a message, asked before it is taken."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from contextlib import closing

from twisted.trial.unittest import TestCase

from mailhub.errors import LocalFault, StorageFull
from mailhub.store.sqlite import purge

from ..contracts.fixture import message
from .sqlite_fixture import SQLiteFixture, database_of


class Volume:
    """What statvfs(3) says of one with 100 free blocks, or others."""

    f_frsize = 4096

    def __init__(self, f_bavail: int) -> None:
        self.f_bavail = f_bavail


class RoomTests(SQLiteFixture, TestCase):
    """RFC 1870, section 6.1: what there is no room for is not asked for."""

    def setUp(self):
        self.free = 100
        self.patch(os, "statvfs", lambda path: Volume(self.free))
        return super().setUp()

    def test_the_reserve_to_the_octet(self) -> None:
        # More than what may lie in rows: only the volume itself counts.
        large = 65_537
        for reserve in (0, 4096):
            self.store.check_room(100 * 4096 - reserve, reserve)
            self.assertRaises(
                StorageFull, self.store.check_room, 100 * 4096 - reserve + 1, reserve
            )
        self.store.check_room(large, 100 * 4096 - large)
        self.assertRaises(
            StorageFull, self.store.check_room, large, 100 * 4096 - large + 1
        )

    async def test_what_was_removed_from_the_database_is_room_for_small_ones(self):
        for _ in range(20):
            await self.append(message(body=secrets.token_hex(20_000)))
        uids = list(range(1, 21))
        await (await self.open()).expunge(uids, deleted_only=False)
        self.free = 0
        self.assertRaises(StorageFull, self.store.check_room, 1000, 100_000)
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            connection.isolation_level = None
            purge.purge(connection, self.store._access.files, time.time())
        self.store.check_room(65_536, 100_000)
        self.assertRaises(StorageFull, self.store.check_room, 65_537, 100_000)

    def test_a_volume_that_cannot_be_looked_at_is_a_fault_of_ours(self) -> None:
        def gone(path: str) -> None:
            raise OSError(5, "Input/output error")

        self.patch(os, "statvfs", gone)
        self.assertRaises(LocalFault, self.store.check_room, 1, 1)

    async def test_a_closed_store_has_no_room(self) -> None:
        await self.store.stop()
        self.assertRaises(LocalFault, self.store.check_room, 1, 1)
