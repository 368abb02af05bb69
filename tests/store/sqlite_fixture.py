"""What the tests of the SQLite store start from."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import Any

from twisted.internet import reactor

from mailhub.net.spool import Spool
from mailhub.store.sqlite import schema
from mailhub.store.sqlite.store import SQLiteStore

from ..contracts.fixture import StoreFixture


def make_store(path: str, **options: Any) -> SQLiteStore:
    """A store in *path*, not started."""
    return SQLiteStore(path, reactor=reactor, spool=Spool, **options)


def database_of(path: str) -> str:
    """The database file of the store in *path*."""
    return f"{path}/{schema.FILE_NAME}"


def blob_files(path: str) -> list[str]:
    """Names of the files of large bodies."""
    return sorted(name for _, _, names in os.walk(f"{path}/blobs") for name in names)


def count(path: str, table: str) -> int:
    """Rows of a table, as a process of its own sees them."""
    connection = sqlite3.connect(database_of(path))
    try:
        [[number]] = connection.execute(f"select count(*) from {table}").fetchall()
    finally:
        connection.close()
    return int(number)


def write_file(path: str, data: bytes) -> None:
    """Make a file."""
    with open(path, "wb") as file:
        file.write(data)


def read_file(path: str) -> bytes:
    """What a file holds."""
    with open(path, "rb") as file:
        return file.read()


def python(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Another process that runs *code*; standard input and output are pipes."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )


class SQLiteFixture(StoreFixture):
    """A started SQLite store with Alice's account, in the directory ``path``."""

    path: str

    async def make_store(self) -> SQLiteStore:
        self.path = self.mktemp()  # type: ignore[attr-defined]
        return make_store(self.path)

    async def restart(self) -> None:
        """Stop the store and start another one in the same place."""
        await self.store.stop()
        self.store = make_store(self.path)
        await self.store.start()
        self.addCleanup(self.store.stop)  # type: ignore[attr-defined]

    async def another(self) -> SQLiteStore:
        """A second store in the same place, as another process has it."""
        store = make_store(self.path)
        await store.start()
        self.addCleanup(store.stop)  # type: ignore[attr-defined]
        return store
