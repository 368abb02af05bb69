"""What people ask of the queue, over a connection: every answer is there at once.

For commands that run while no server does.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence

from ...interfaces import IContent
from ...mail.queue_list import ALL, AgeRow, Alteration, Entry, Selection
from ..feed import announce
from . import queue_altering, queue_listing
from .change import Change
from .files import BlobFiles
from .queue_content import queued_content
from .schema import transaction


class QueueAtOnce:
    """Some methods of ``IQueue``, which never suspend.

    :param folder: the data directory.
    """

    def __init__(self, connection: sqlite3.Connection, folder: str) -> None:
        self._connection = connection
        self._folder = folder
        # Nothing is written there.
        self._files = BlobFiles(f"{folder}/blobs", f"{folder}/tmp")

    async def open(self, message_id: int) -> IContent:
        """See :class:`mailhub.interfaces.IQueue`; likewise below."""
        return queued_content(self._connection, self._files, message_id)

    async def entries(
        self, selection: Selection, limit: int, after: int = 0
    ) -> list[Entry]:
        found: list[Entry] = []
        for messages in self._pieces(selection, after):
            found += queue_listing.entries(self._connection, messages, selection)
            if len(found) >= limit:
                break
        return found[:limit]

    async def alter(
        self, selection: Selection, alteration: Alteration, now: float
    ) -> int:
        altered = 0
        for messages in self._pieces(selection):
            change = Change(self._connection, self._files, time.time())
            with transaction(self._connection):
                altered += queue_altering.alter(
                    change, messages, selection, alteration, now
                )
            announce(self._folder, change.touched)
        return altered

    async def ages(self, now: float, bounds: Sequence[float]) -> list[AgeRow]:
        ages = queue_listing.Ages(now, bounds)
        for messages in self._pieces(ALL):
            ages.add(queue_listing.arrivals(self._connection, messages))
        return ages.rows()

    def _pieces(self, selection: Selection, after: int = 0) -> Iterator[list[int]]:
        while messages := queue_listing.next_messages(
            self._connection, selection, after
        ):
            yield messages
            after = messages[-1]
