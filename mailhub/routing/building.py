"""The router that a configuration asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .expansion import Customs
from .rewriting import Rewriting
from .router import Router
from .sources import Source
from .srs import DAY, SRS


def make_router(
    directory: Any,
    mail: Any,
    routing: Any,
    *,
    host_names: Iterable[str],
    key: Callable[[], bytes],
    sources: Sequence[Source] = (),
    now: Callable[[], float] = time.time,
) -> Router:
    """A router by the tables ``[mail]`` and ``[routing]``.

    :param mail: :class:`mailhub.config.settings.Mail`.
    :param routing: :class:`mailhub.config.settings.Routing`.
    :param host_names: of this machine itself.
    :param key: see :class:`.srs.SRS`.
    """
    domains = (*routing.relay_domains, *routing.backup_mx)
    return Router(
        directory,
        host_names=host_names,
        postmaster=mail.postmaster,
        separator=mail.plus_separator,
        sources=sources,
        relay_domains=[domain.lower() for domain in domains],
        recipients=Rewriting(routing.recipients),
        senders=Rewriting(routing.senders),
        in_headers=routing.senders_in_headers,
        srs=SRS(key, int(routing.srs_lifetime // DAY)) if routing.srs else None,
        customs=Customs(
            routing.addresses, routing.depth, routing.programs, routing.tag_is_mailbox
        ),
        now=now,
    )
