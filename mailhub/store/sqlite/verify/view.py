"""A store as it is looked at: for reading only, one state at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from ....errors import NotPermitted
from .. import schema
from ..files import BlobFiles
from ..schema import storage_faults

#: Milliseconds to wait for a process that recovers the database.
_PATIENCE = 10_000


class Opened:
    """A way to read a store that changes nothing in it.

    A database without a log is open nowhere; it is read as a file that nobody
    changes, without as much as a lock.  When a log appears, somebody has opened
    it: from then on it is read with SQLite's locks, which live in memory that it
    shares with the others.

    :param path: the data directory.
    :raises NotPermitted: there is no store, or not one that this program reads.
    :raises LocalFault: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self._database = f"{os.path.abspath(path)}/{schema.FILE_NAME}"
        if not os.path.exists(self._database):
            raise NotPermitted(f"no mail store at {self._database}")
        self._is_alone = False
        self.connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._is_alone = not os.path.exists(f"{self._database}-wal")
        how = "immutable=1" if self._is_alone else "mode=ro"
        with storage_faults():
            connection = sqlite3.connect(
                f"file:{quote(self._database)}?{how}", uri=True, isolation_level=None
            )
            try:
                connection.execute(f"pragma busy_timeout={_PATIENCE}")
                self._check(schema.check_version(connection, self._database))
            except BaseException:
                connection.close()
                raise
        return connection

    def _check(self, version: int) -> None:
        if version < schema.VERSION:
            raise NotPermitted(
                f"{self._database} has version {version}, this program's have"
                f" {schema.VERSION}: start the server once, which brings it up to that"
            )

    def refresh(self) -> sqlite3.Connection:
        """A connection that sees what has been committed until now."""
        if self._is_alone and os.path.exists(f"{self._database}-wal"):
            self.connection.close()
            self.connection = self._connect()
        return self.connection

    def close(self) -> None:
        """Read no more."""
        self.connection.close()


@dataclass(slots=True)
class View:
    """What topics look at.

    :ivar connection: inside a transaction while a topic looks.
    :ivar path: the data directory.
    :ivar now: seconds since the epoch.
    :ivar account_id: look at this account only.
    :ivar quick: leave the octets of messages and the database's pages unread.
    :ivar rescue: the account that gets what belongs to nobody.
    :ivar lost_blobs: whether octets have been found missing in the database.
    :ivar messages: looked at so far.
    :ivar octets: of content read so far.
    """

    connection: sqlite3.Connection
    path: str
    now: float
    account_id: int | None = None
    quick: bool = False
    rescue: int | None = None
    lost_blobs: bool = False
    messages: int = 0
    octets: int = 0
    files: BlobFiles = field(init=False)

    def __post_init__(self) -> None:
        self.path = os.path.abspath(self.path)
        self.files = BlobFiles(f"{self.path}/blobs", f"{self.path}/tmp")

    def rows(self, statement: str, *values: object) -> list[tuple]:
        """All rows of a statement."""
        return self.connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: object) -> tuple:
        """The only row of a statement that always has one."""
        [row] = self.rows(statement, *values)
        return row

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the database, for some statements."""
        connection = self.connection
        connection.execute("begin")
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("rollback")
