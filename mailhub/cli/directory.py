"""The users, domains and aliases of the server, opened for a command.

The server may run or not: SQLite lets both in, one change at a time.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from contextlib import closing, contextmanager

from ..config.faults import ConfigError
from ..store.feed import announce
from ..store.sqlite.directory import Directory
from ..store.sqlite.schema import FILE_NAME, connect, transaction
from .invocation import Invocation
from .outcome import Exit, Failure


@contextmanager
def reading(invocation: Invocation) -> Iterator[Directory]:
    """The directory that the server uses.

    :raises Failure: there is none yet.
    """
    path = _path(invocation)
    if not os.path.exists(path):
        folder = os.path.dirname(path)
        raise Failure(Exit.UNAVAILABLE, f"there is no mail store in {folder} yet")
    with closing(connect(path)) as connection:
        yield Directory(connection)


@contextmanager
def changing(invocation: Invocation) -> Iterator[Directory]:
    """The directory that the server uses, made where there is none yet.

    All changes inside are durable at the end, or none is made.
    """
    path = _path(invocation)
    if not os.path.exists(path):
        folder = os.path.dirname(path)
        invocation.terminal.tell(f"making a mail store in {folder}")
    with closing(connect(path, create=True)) as connection:
        directory = Directory(connection)
        with transaction(connection):
            yield directory
        if directory.touched:
            announce(os.path.dirname(path), directory.touched)


def _path(invocation: Invocation) -> str:
    config = invocation.config()
    if config.store.kind != "sqlite":
        fault = config.fault("store", "kind", "keeps nothing between two commands")
        raise ConfigError([fault])
    return os.path.join(config.server.data, FILE_NAME)
