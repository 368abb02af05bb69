"""The resolver that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from ipaddress import ip_address
from typing import Any

from ..net.dns_exchange import NameServer
from ..net.resolv_conf import SystemServers
from ..net.resolver import DNSLimits, Resolver
from .settings import DNS


def make_resolver(settings: DNS, reactor: Any) -> Resolver:
    """It asks nobody before it is asked."""
    return Resolver(reactor, name_servers(settings, reactor), dns_limits(settings))


def reconfigure(resolver: Resolver, settings: DNS, reactor: Any) -> None:
    """Let *resolver* go on with other settings."""
    resolver.use(name_servers(settings, reactor), dns_limits(settings))


def name_servers(settings: DNS, clock: Any) -> Callable[[], Sequence[NameServer]]:
    """Gives the servers to ask."""

    def trusts(host: str) -> bool:
        return settings.trust == "always" or (
            settings.trust == "loopback" and ip_address(host).is_loopback
        )

    if not settings.servers:
        return SystemServers(clock, trusts)
    servers = [
        NameServer(each.host, each.port, trusts(each.host)) for each in settings.servers
    ]
    return lambda: servers


def dns_limits(settings: DNS) -> DNSLimits:
    """How long to wait and how much to keep."""
    names = [field.name for field in fields(DNSLimits)]
    return DNSLimits(**{name: getattr(settings, name) for name in names})
