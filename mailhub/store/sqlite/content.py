"""The octets of stored messages."""

from __future__ import annotations

import os
import sqlite3
from hashlib import sha256

from zope.interface import implementer

from ...errors import LocalFault
from ...interfaces import IContent
from ..content import READ_SIZE
from .schema import storage_faults


@implementer(IContent)
class FileMessage:
    """A message whose content is a file: *prefix*, then the file's octets.

    The file is opened when it is first read.  Once nothing refers to it any more
    it stays for some time (see :mod:`purge`), then reading fails.
    """

    __slots__ = ("_descriptor", "_digest", "_file", "_prefix", "path", "size")
    data = None

    def __init__(self, prefix: bytes, file: str, size: int, digest: bytes) -> None:
        self._prefix = prefix
        self._file = file
        self._digest = None if prefix else digest
        self._descriptor = -1
        self.size = len(prefix) + size
        self.path: str | None = None if prefix else file

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets; reads them all where there is a prefix."""
        if self._digest is None:
            digest = sha256()
            for start in range(0, self.size, READ_SIZE):
                digest.update(self._read(start, start + READ_SIZE))
            self._digest = digest.digest()
        return self._digest

    async def read(self, start: int, stop: int) -> bytes:
        """
        :raises LocalFault: the message has gone meanwhile, or a disk failed.
        """
        return self._read(start, stop)

    def _read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.size)
        head = self._prefix[start:stop]
        start = max(start - len(self._prefix), 0)
        length = stop - len(self._prefix) - start
        if length <= 0:
            return head
        with storage_faults():
            if self._descriptor < 0:
                self._descriptor = os.open(self._file, os.O_RDONLY)
            data = os.pread(self._descriptor, length, start)
        if len(data) != length:
            raise LocalFault(f"{self._file} is shorter than it was")
        return head + data if head else data

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    __del__ = close


@implementer(IContent)
class RowMessage:
    """A message whose content is in the database, read each time it is asked for.

    :param connection: for reading.
    """

    __slots__ = ("_blob", "_connection", "_prefix", "path", "size")
    data = None

    def __init__(
        self,
        connection: sqlite3.Connection,
        prefix: bytes,
        blob: tuple[int, bytes],
        size: int,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._blob = blob
        self.size = len(prefix) + size
        self.path: str | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets."""
        return sha256(self._octets()).digest()

    async def read(self, start: int, stop: int) -> bytes:
        """
        :raises LocalFault: the message has gone meanwhile, or a disk failed.
        """
        return self._octets()[start:stop]

    def _octets(self) -> bytes:
        try:
            with storage_faults():
                # A number may come back with another content, a digest does not.
                rows = self._connection.execute(
                    "select data from blob where blob_id = ? and digest = ?", self._blob
                ).fetchall()
        except sqlite3.ProgrammingError:
            raise LocalFault("the store is closed") from None
        if not rows:
            raise LocalFault("the message has been removed meanwhile")
        return self._prefix + rows[0][0]

    def close(self) -> None:
        """Nothing is held."""
