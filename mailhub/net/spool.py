"""A message while it arrives: small in memory, large in a file."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from typing import BinaryIO

from zope.interface import implementer

from ..errors import LocalFault, StorageFull
from ..interfaces import IContent, ISpool

#: Messages up to this many octets stay in memory.  A file for what is larger takes
#: 0.02 ms.
MEMORY_LIMIT = 32_768
#: Pieces that are kept apart: each takes 40 octets more than it has (attack: a message
#: in segments of two octets, which would take a mebibyte).
_PIECES = 64
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@implementer(IContent)
class MemoryContent:
    """The octets of a small message."""

    __slots__ = ("data", "digest", "size")
    path = None

    def __init__(self, data: bytes, digest: bytes) -> None:
        self.data = data
        self.digest = digest
        self.size = len(data)

    async def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]

    def close(self) -> None:
        """Nothing is held outside of memory."""


@implementer(IContent)
class FileContent:
    """The octets of a large message, in a temporary file of our own."""

    __slots__ = ("_file", "digest", "path", "size")
    data = None

    def __init__(self, file: BinaryIO, path: str, size: int, digest: bytes) -> None:
        self._file = file
        self.path: str | None = path
        self.size = size
        self.digest = digest

    async def read(self, start: int, stop: int) -> bytes:
        length = min(stop, self.size) - start
        return os.pread(self._file.fileno(), max(length, 0), start)

    def close(self) -> None:
        if self.path is not None:
            self._file.close()
            _remove(self.path)
            self.path = None


@implementer(ISpool)
class Spool:
    """Gathers a message that arrives in pieces.

    :param directory: where large ones go; the store's own volume makes it
        possible to link the file instead of copying it.
    """

    __slots__ = (
        "_directory", "_file", "_hash", "_parts", "_path", "in_memory", "size"
    )  # fmt: skip

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._parts: list[bytes] = []
        self._hash = sha256()
        self._file: BinaryIO | None = None
        self._path = ""
        self.in_memory = MEMORY_LIMIT
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._hash.update(data)
        self._parts.append(data)
        if self._file is not None or self.size > self.in_memory:
            self._write_out()
        elif len(self._parts) >= _PIECES:
            self._parts = [b"".join(self._parts)]

    def _write_out(self) -> None:
        try:
            if self._file is None:
                descriptor, self._path = tempfile.mkstemp(
                    prefix="spool-", dir=self._directory
                )
                self._file = os.fdopen(descriptor, "w+b", buffering=0)
            data = memoryview(b"".join(self._parts))
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFull(str(error)) from error
            raise LocalFault(str(error)) from error
        self._parts.clear()

    def finish(self) -> IContent:
        digest = self._hash.digest()
        if self._file is None:
            return MemoryContent(b"".join(self._parts), digest)
        content = FileContent(self._file, self._path, self.size, digest)
        self._file = None
        return content

    def close(self) -> None:
        self._parts.clear()
        if self._file is not None:
            self._file.close()
            _remove(self._path)
            self._file = None


def _remove(path: str) -> None:
    """Remove a temporary file; one that stays is swept away at the next start.

    What became of the message is known by now, and a volume that takes no more
    changes is no reason to tell the peer something else.
    """
    with suppress(OSError):
        os.unlink(path)
