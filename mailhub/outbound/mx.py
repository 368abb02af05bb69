"""The servers of a domain: MX records, or the domain itself (RFC 5321, section 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from ..errors import DNSFault, NoSuchDomain, Status
from ..mail.dns import MX, Answer, RecordType
from .addresses import is_address
from .places import NowhereToGo

#: Servers of one domain that are tried (attack: ten thousand MX records).
MOST_HOSTS = 16
#: Addresses of one server that are tried.
MOST_ADDRESSES = 8


@dataclass(frozen=True, slots=True)
class Exchanges:
    """The servers of a domain, the best first.

    :ivar answer: to the question for MX records; ``None``: nobody was asked.
    """

    hosts: tuple[str, ...]
    answer: Answer | None


async def exchanges_of(
    domain: str,
    resolver: object,
    own_names: Collection[str],
    shuffle: Callable[[list[str]], object],
) -> Exchanges:
    """The servers to try for *domain*, in order, random among equals.

    :param resolver: an ``IResolver``.
    :param own_names: of this server: what is no better than itself would send the
        mail back to it.
    :raises NowhereToGo: for good.
    :raises NoSuchDomain: likewise.
    :raises DNSFault: it cannot be known now.
    """
    answer = await resolver.query(domain, RecordType.MX)  # type: ignore[attr-defined]
    records = [each for each in answer.records if isinstance(each, MX)]
    if not records:
        # The implicit MX; behind a CNAME it is the name that this led to.
        if domain in own_names or answer.name in own_names:
            raise NowhereToGo(f"{domain} is this server", Status.ROUTING_LOOP)
        return Exchanges((answer.name,), answer)
    if not any(each.host for each in records):
        raise NowhereToGo(f"{domain} takes no mail (null MX)", Status.NULL_MX)
    return Exchanges(_in_order(domain, records, own_names, shuffle), answer)


def _in_order(
    domain: str,
    records: list[MX],
    own_names: Collection[str],
    shuffle: Callable[[list[str]], object],
) -> tuple[str, ...]:
    groups: dict[int, list[str]] = {}
    for each in records:
        if each.host:
            groups.setdefault(each.preference, []).append(each.host)
    hosts: list[str] = []
    for preference in sorted(groups):
        group = list(dict.fromkeys(groups[preference]))
        if any(host in own_names for host in group):
            # RFC 5321, section 5.1: only what is better than ourselves.
            if not hosts:
                raise NowhereToGo(
                    f"the best MX of {domain} is this server", Status.ROUTING_LOOP
                )
            break
        if len(group) > 1:
            shuffle(group)
        hosts += group
    return tuple(dict.fromkeys(hosts))[:MOST_HOSTS]


async def addresses_of(host: str, resolver: object, families: str) -> list[str]:
    """The addresses of *host* in the order they are tried; ``[]`` for none.

    :param families: ``ipv4`` or ``ipv6``: which come first; with ``-only`` behind it,
        the others never.
    :param host: may be an address itself.
    :raises DNSFault: it cannot be known now.
    """
    if is_address(host):
        return [host]
    if host == "localhost":
        # RFC 6761, section 6.3: DNS is not asked.
        return ["127.0.0.1", "::1"]
    # They are asked for at the same time.
    asked = [
        Deferred.fromCoroutine(_lookup(host, kind, resolver))
        for kind in _KINDS[families]
    ]
    found = [await each for each in asked]
    addresses = [
        address for each in found if isinstance(each, list) for address in each
    ]
    if not addresses:
        for each in found:
            if isinstance(each, DNSFault):
                raise each
    return addresses[:MOST_ADDRESSES]


_KINDS = {
    "ipv4": (RecordType.A, RecordType.AAAA),
    "ipv6": (RecordType.AAAA, RecordType.A),
    "ipv4-only": (RecordType.A,),
    "ipv6-only": (RecordType.AAAA,),
}


async def _lookup(
    host: str, kind: RecordType, resolver: object
) -> list[str] | DNSFault:
    try:
        answer = await resolver.query(host, kind)  # type: ignore[attr-defined]
    except NoSuchDomain:
        return []
    except DNSFault as fault:
        return fault
    return [str(each) for each in answer.records]
