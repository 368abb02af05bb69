"""Networks as keys: ``192.0.2.1``, ``192.0.2``, ``192.0.2.0/24``, ``2001:db8``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Generic, TypeVar

T = TypeVar("T")
#: Bits before an IPv4 address that is mapped into IPv6 (RFC 4291, section 2.5.5.2).
_MAPPED = 96
Network = IPv4Network | IPv6Network

_OCTETS = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,3}\.?", re.ASCII)
_GROUPS = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){1,7}:?")


class NoNetwork(ValueError):
    """A text that looks like a network and is none."""


def parse_network(text: str) -> Network | None:
    """The network that *text* names, or ``None`` where it looks like something else.

    Parts of an address from its beginning name the network that begins so: ``10`` and
    ``192.0.2`` as in Sendmail's and Postfix's tables, ``2001:db8`` likewise.
    ``IPv6:`` in front of an address, and brackets around one, make no difference.

    :raises NoNetwork: a number in it is too large, or the address has host bits.
    """
    text = text.lower()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    text = text.removeprefix("ipv6:")
    if "/" in text:
        address, _, length = text.rpartition("/")
        return _network(f"{address.strip('[]')}/{length}")
    if _OCTETS.fullmatch(text):
        parts = text.rstrip(".").split(".")
        full = ".".join(parts + ["0"] * (4 - len(parts)))
        return _network(f"{full}/{8 * len(parts)}")
    if "::" in text:
        return _network(text)
    if _GROUPS.fullmatch(text):
        groups = text.rstrip(":").split(":")
        full = ":".join(groups + ["0"] * (8 - len(groups)))
        return _network(f"{full}/{16 * len(groups)}")
    return None


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise NoNetwork(str(error)) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED))


def parse_host(text: str) -> IPv4Address | IPv6Address | None:
    """The address of a peer; IPv4's where it came mapped into IPv6."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


class Networks(Generic[T]):
    """Values by network; an address has those of the networks it is in."""

    def __init__(self) -> None:
        self._by_length: dict[tuple[int, int], dict[int, T]] = {}
        self._lengths: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def add(self, network: Network, value: T) -> bool:
        """-> whether it is new; what was there first stays."""
        key = network.version, network.prefixlen
        if key not in self._by_length:
            self._by_length[key] = {}
            self._lengths = sorted(self._by_length, reverse=True)
        values = self._by_length[key]
        number = int(network.network_address) >> (network.max_prefixlen - key[1])
        return values.setdefault(number, value) is value

    def find(self, address: IPv4Address | IPv6Address) -> Iterator[tuple[int, T]]:
        """Length and value of the networks that *address* is in, the smallest first."""
        whole, bits = int(address), address.max_prefixlen
        for version, length in self._lengths:
            if version == address.version:
                values = self._by_length[version, length]
                value = values.get(whole >> (bits - length))
                if value is not None:
                    yield length, value
