"""The octets of queued messages."""

from __future__ import annotations

import sqlite3

from ...errors import NoSuchMessage
from ...interfaces import IContent
from .fetching import content_of
from .files import BlobFiles

_CONTENT = (
    "select m.prefix, b.blob_id, b.digest, b.size, b.data is null, b.data"
    " from queue_message m join blob b on b.blob_id = m.blob_id"
    " where m.message_id = ?"
)


def queued_content(
    connection: sqlite3.Connection, files: BlobFiles, message_id: int
) -> IContent:
    """See :meth:`mailhub.interfaces.IQueue.open`.

    :raises NoSuchMessage: it has gone.
    """
    rows = connection.execute(_CONTENT, (message_id,)).fetchall()
    if not rows:
        raise NoSuchMessage(f"message {message_id} is not in the queue")
    return content_of(connection, files, *rows[0])
