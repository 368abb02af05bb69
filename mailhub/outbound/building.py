"""The way out that a configuration asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..config.settings import Outbound
from ..net.descriptors import Capacity
from ..smtp.client_steps import Waits
from .by_mx import ByMX, Choice
from .by_route import ByRoute
from .carrier import Carrier
from .certificates import PublicTrust
from .pool import Reuse
from .routes import routes_of
from .secrets import secrets_in
from .sessions import Conduct, Sessions
from .tls_policy import TLSPolicies
from .ways import WayOut


def way_out(
    settings: Outbound,
    reactor: Any,
    resolver: Any,
    host_name: str,
    *,
    listening: Collection[str] = (),
    policies: TLSPolicies | None = None,
    trust: PublicTrust | None = None,
    others: Mapping[str, Any] | None = None,
    capacity: Capacity | None = None,
) -> WayOut:
    """An ``IWayOut`` that does as *settings* say; nothing is opened before it is used.

    :param resolver: an ``IResolver``.
    :param host_name: what this server calls itself.
    :param listening: at which addresses it takes mail from other servers.
    :param policies: what servers have to prove; those of DANE unless given.
    :param trust: the authorities whose certificates prove a smarthost's name.
    :param others: see :class:`~mailhub.outbound.ways.WayOut`; ``http`` is there.
    :param capacity: of the process, which all its connections share.
    """
    # Twisted's endpoints take the variables by which systemd passes sockets, when they
    # are imported: not before we have read them.
    from .http import ByHTTP

    sessions = Sessions(reactor, conduct_of(settings, host_name), capacity)
    carrier = Carrier(reactor, sessions, settings.attempt, settings.connections)
    choice = Choice(
        frozenset((host_name.lower(),)),
        frozenset(listening),
        settings.allow_private,
        settings.families,
        settings.port,
    )
    policies = policies or TLSPolicies(resolver)
    by_route = ByRoute(
        carrier,
        resolver,
        settings.families,
        secrets_in(settings.passwords, reactor),
        trust or PublicTrust(),
    )
    return WayOut(
        routes_of(settings),
        ByMX(carrier, resolver, policies, choice),
        by_route,
        sessions,
        {"http": ByHTTP(reactor), **(others or {})},
    )


def conduct_of(settings: Outbound, host_name: str) -> Conduct:
    """How long to wait, and how long to use a session."""
    waits = Waits(
        connect=settings.connect,
        greeting=settings.reply,
        command=settings.reply,
        data=settings.data,
        content=settings.stall,
        end=settings.end,
    )
    reuse = Reuse(settings.messages, settings.age, settings.idle)
    return Conduct(host_name, waits, reuse)
