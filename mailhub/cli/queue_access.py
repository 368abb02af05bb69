"""The queue, as commands reach it.

Where a server runs, it does the work of a command; else the command does the same work
on the store itself.
"""

from __future__ import annotations

import os
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from ..admin.client import find
from ..config.settings import Config
from .directory import answered, store_path
from .invocation import Invocation
from .outcome import Exit, Failure

#: Messages that are asked for at once.
PAGE = 500


def perform(invocation: Invocation, work: str, **details: Any) -> dict[str, Any]:
    """What a piece of work comes to.

    :param work: a key of :data:`mailhub.admin.queue_work.QUEUE_WORK`.
    :raises Failure: it was not done.
    """
    config = invocation.config()
    server = find(config.server.data)
    if server is None:
        return _perform_here(config, work, details)
    with server:
        return answered(server.ask("queue", work=work, details=details))


def messages(
    invocation: Invocation, selection: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """All that are selected, in the order in which they came.

    :raises Failure: the queue cannot be read.
    """
    after: int | None = 0
    while after is not None:
        page = perform(
            invocation, "list", selection=selection or {}, limit=PAGE, after=after
        )
        yield from page["messages"]
        after = page["next"]


def octets(invocation: Invocation, queue_id: str) -> Iterator[bytes]:
    """A message, piece by piece.

    :raises Failure: there is none.
    """
    offset, size = 0, 1
    while offset < size:
        answer = perform(invocation, "read", queue_id=queue_id, offset=offset)
        data, size = b64decode(answer["data"]), answer["size"]
        yield data
        offset += len(data)


def _perform_here(
    config: Config, work: str, details: dict[str, Any]
) -> dict[str, Any]:
    """Without a server."""
    from ..admin.queue_work import QUEUE_WORK  # a server has them, too
    from ..store.sqlite.at_once import result_of
    from ..store.sqlite.queue_at_once import QueueAtOnce
    from ..store.sqlite.schema import connect

    path = store_path(config)
    folder = os.path.dirname(path)
    try:
        os.stat(path)
    except PermissionError:
        text = f"{folder} is the server's own: ask its user, or root"
        raise Failure(Exit.NO_PERMISSION, text) from None
    except OSError:
        text = f"there is no mail store in {folder} yet"
        raise Failure(Exit.UNAVAILABLE, text) from None
    with closing(connect(path)) as connection:
        queue = QueueAtOnce(connection, folder)
        return result_of(QUEUE_WORK[work](queue, details, time.time()))
