"""Addresses that mail may be sent to.

Whoever controls a domain's DNS decides where we connect to.  So an address that is
not of the public Internet is never used, unless the configuration allows it (attack:
an MX that leads to services inside our network, or back to us).
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

#: Where an IPv4 address stands inside of an IPv6 address, from its first bit.
_EMBEDDED = (
    (IPv6Network("64:ff9b::/96"), 96),  # RFC 6052
    (IPv6Network("2002::/16"), 16),  # RFC 3056
    (IPv6Network("::/96"), 96),  # RFC 4291, section 2.5.5.1
)
#: Not marked as private by every Python: RFC 6598, 6890, 8215, 3879, 9637 and 9602.
_NOT_PUBLIC = (
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.0.0.0/24"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("fec0::/10"),
    IPv6Network("3fff::/20"),
    IPv6Network("5f00::/16"),
)
#: Of no matter: nothing is sent there.
_ANY_PORT = 25


@lru_cache(4096)
def is_public(address: str) -> bool:
    """Whether *address*, an IP address as text, is of the public Internet."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        inner = _embedded(parsed)
        if inner is not None:
            parsed = inner
    return not (
        parsed.is_private
        or parsed.is_loopback
        or parsed.is_link_local
        or parsed.is_multicast
        or parsed.is_reserved
        or parsed.is_unspecified
        or any(parsed in network for network in _NOT_PUBLIC)
    )


def is_address(host: str) -> bool:
    """Whether *host* is an IP address, and no name: such as ``4.example`` is."""
    return ":" in host or host.replace(".", "").isdigit()


def is_own(address: str) -> bool:
    """Whether *address* is this machine's: the kernel would send from it to itself.

    Nothing is sent for that.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trying:
            trying.connect((address, _ANY_PORT))
            return bool(trying.getsockname()[0] == address)
    except OSError:
        return False


def leads_to(address: str, listening: Collection[str]) -> bool:
    """Whether who connects to *address* gets a server that listens at *listening*.

    :param listening: addresses; ``0.0.0.0`` and ``::`` are all that the machine has.
        On one of its own that the server does not listen at, another one may.
    """
    everywhere = "::" if ":" in address else "0.0.0.0"
    return address in listening or (everywhere in listening and is_own(address))


def is_loopback(address: str) -> bool:
    """Whether what goes there never leaves this machine: a UNIX socket, too."""
    return address.startswith("/") or ip_address(address).is_loopback


def literal_address(domain: str) -> str | None:
    """The address in ``[192.0.2.1]`` or ``[ipv6:2001:db8::1]``; ``None`` for
    anything else.
    """
    if not domain.startswith("["):
        return None
    try:
        return str(ip_address(domain[1:-1].removeprefix("ipv6:")))
    except ValueError:
        return None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if int(address) > 1:
        for network, start in _EMBEDDED:
            if address in network:
                return IPv4Address(int(address) >> (96 - start) & 0xFFFFFFFF)
    return None
