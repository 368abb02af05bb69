"""The octets of messages in memory."""

from __future__ import annotations

import sys
from hashlib import sha256

from zope.interface import implementer

from ..interfaces import IContent, ISpool

#: Octets to ask an ``IContent`` for at a time (see its ``read``).
READ_SIZE = 256 * 1024


@implementer(IContent)
class BytesContent:
    """An ``IContent`` whose octets are in memory already.

    :ivar data: the octets; a store may take them without reading.
    """

    __slots__ = ("_digest", "data", "path", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.path: str | None = None
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the octets, computed when first asked for."""
        if self._digest is None:
            self._digest = sha256(self.data).digest()
        return self._digest

    async def read(self, start: int, stop: int) -> bytes:
        """The octets ``[start, stop)``, cut at the end."""
        if start <= 0 and stop >= self.size:
            return self.data
        return self.data[start:stop]

    def close(self) -> None:
        """Nothing to free."""


@implementer(ISpool)
class MemorySpool:
    """An ``ISpool`` that never writes a file: for tests and small messages."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0
        self.in_memory = sys.maxsize

    def write(self, data: bytes) -> None:
        """Add octets."""
        self._parts.append(data)
        self.size += len(data)

    def finish(self) -> BytesContent:
        """The message; the spool is empty after this."""
        content = BytesContent(b"".join(self._parts))
        self._parts = []
        return content

    def close(self) -> None:
        """Throw away what was written."""
        self._parts = []


async def octets_of(content: IContent) -> bytes:
    """All octets of *content*, read in pieces that do not block for long."""
    data: bytes | None = content.data
    if data is not None:
        return data
    size: int = content.size
    pieces = [
        await content.read(start, min(start + READ_SIZE, size))
        for start in range(0, size, READ_SIZE)
    ]
    return b"".join(pieces)
