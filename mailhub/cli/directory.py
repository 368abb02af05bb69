"""The users, domains and aliases of the server, as commands reach them.

Where a server runs, it does the work of a command; else the command does the same
work on the store itself.  SQLite lets others in at any time, one change at a time, so
it does no harm where a command does not see the server.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from ..admin.client import TooLong, find
from ..config.faults import ConfigError
from ..config.folder import as_owner_of
from ..config.settings import Config
from .invocation import Invocation
from .outcome import Exit, Failure

if TYPE_CHECKING:
    from ..store.sqlite.directory import Directory


def perform(invocation: Invocation, name: str, **details: Any) -> dict[str, Any]:
    """What a piece of work comes to.

    :param name: a key of :data:`mailhub.admin.work.WORK`.
    :raises Failure: it was not done.
    """
    config = invocation.config()
    server = find(config.server.data)
    if server is not None:
        with server:
            try:
                answer = server.ask("command", work=name, details=details)
                return answered(answer)
            except TooLong:
                if config.store.kind == "memory":
                    text = "that is too much for the server at once"
                    raise Failure(Exit.DATA_WRONG, text) from None
    return _perform_here(invocation, config, name, details)


def answered(answer: dict[str, Any]) -> dict[str, Any]:
    """What a server did.

    :raises Failure: it says that it did not.
    """
    if "failure" in answer:
        failure = answer["failure"]
        raise Failure(Exit(failure["code"]), failure["text"])
    result: dict[str, Any] = answer["result"]
    return result


def _perform_here(
    invocation: Invocation, config: Config, name: str, details: dict[str, Any]
) -> dict[str, Any]:
    """Without a server."""
    from ..admin.work import WORK  # a server has them, too
    from ..store.sqlite.at_once import perform_at_once

    work = WORK[name]
    opened = _changing(invocation, config) if work.changes else reading(config)
    with opened as directory:
        return perform_at_once(lambda there: work.do(there, details), directory)


@contextmanager
def reading(config: Config) -> Iterator[Directory]:
    """The directory of the store.

    :raises Failure: there is none yet.
    """
    from ..store.sqlite.directory import Directory
    from ..store.sqlite.schema import connect

    path = store_path(config)
    if not os.path.exists(path):
        folder = os.path.dirname(path)
        raise Failure(Exit.UNAVAILABLE, f"there is no mail store in {folder} yet")
    with closing(connect(path)) as connection:
        yield Directory(connection)


@contextmanager
def _changing(invocation: Invocation, config: Config) -> Iterator[Directory]:
    """The directory of the store, made where there is none yet.

    All changes inside are durable at the end, or none is made.
    """
    from ..store.feed import announce
    from ..store.sqlite.directory import Directory
    from ..store.sqlite.schema import connect, transaction

    path = store_path(config)
    folder = os.path.dirname(path)
    if not os.path.exists(path):
        invocation.terminal.tell(f"making a mail store in {folder}")
    with as_owner_of(folder), closing(connect(path, create=True)) as connection:
        directory = Directory(connection)
        with transaction(connection):
            yield directory
        if directory.touched:
            announce(folder, directory.touched)


def store_path(config: Config) -> str:
    """The database of the store.

    :raises ConfigError: the store has none.
    """
    from ..store.sqlite.schema import FILE_NAME

    if config.store.kind != "sqlite":
        expected = "keeps its users in a server, and none is running"
        raise ConfigError([config.fault("store", "kind", expected)])
    return os.path.join(config.server.data, FILE_NAME)
