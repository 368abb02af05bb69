"""What keeps mail, and what decides where it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..config.naming import server_name
from ..config.settings import Config
from ..logbook import Complaints
from ..net.spool import Spool
from ..routing.building import make_router
from ..routing.router import Router
from ..routing.sources import Source
from ..routing.srs import load_key, random_key
from ..store.memory import MemoryStore
from ..store.sqlite.store import SQLiteStore


def make_store(
    config: Config, reactor: Any, complaints: Complaints | None = None
) -> Any:
    """The ``IMailStore`` that *config* asks for, not yet started.

    :param complaints: whether a fault of the store is logged.
    """
    if config.store.kind == "memory":
        return MemoryStore()
    return SQLiteStore(
        config.server.data, reactor=reactor, spool=Spool, complaints=complaints
    )


def router_of(
    config: Config,
    directory: Any,
    sources: Sequence[Source] = (),
    passing_key: Callable[[], bytes] = random_key,
) -> Router:
    """What decides where mail goes, by *config*; files are read when first needed.

    :param passing_key: gives the key of forwarded senders where nothing is kept: the
        same for all routers of a server, or bounces do not find their way back.
    """
    key: Callable[[], bytes] = partial(load_key, config.server.data)
    if config.store.kind == "memory":
        key = passing_key
    return make_router(
        directory,
        config.mail,
        config.routing,
        host_names=[server_name(config)],
        key=key,
        sources=sources,
    )
