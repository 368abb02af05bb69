"""The way to the servers that DNS names for a domain (RFC 5321, section 5.1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ..errors import MailError, Status
from ..mail.queued import Result
from ..smtp.client import SMTPClient
from .addresses import is_public, leads_to, literal_address
from .carrier import Carrier, gravest
from .mx import Exchanges, addresses_of, exchanges_of
from .parcel import Parcel
from .places import NowhereToGo, Place
from .results import result_of_error
from .tls_policy import HostPolicy, TLSPolicies


@dataclass(frozen=True, slots=True)
class Choice:
    """Which servers are used.

    :ivar own_names: of this server, in lower case.
    :ivar listening: at which addresses it takes mail from other servers.
    :ivar allow_private: whether DNS may lead into private networks, or to ourselves.
    :ivar families: see :func:`mailhub.outbound.mx.addresses_of`.
    """

    own_names: Collection[str] = ()
    listening: Collection[str] = ()
    allow_private: bool = False
    families: str = "ipv6"
    port: int = 25


class ByMX:
    """Sends parcels to the servers of their destination, a domain.

    :param resolver: an ``IResolver``.
    :param shuffle: puts servers that are equally good in random order.
    """

    def __init__(
        self,
        carrier: Carrier,
        resolver: Any,
        policies: TLSPolicies,
        choice: Choice,
        shuffle: Callable[[list[str]], object] = random.shuffle,
    ) -> None:
        self._carrier = carrier
        self._resolver = resolver
        self._policies = policies
        self._choice = choice
        self._shuffle = shuffle

    async def send(self, parcel: Parcel) -> None:
        """One attempt: one host after the other until nobody waits any more.

        :raises MailError: it could not even begin.
        """
        domain = parcel.lease.destination
        exchanges = await self._exchanges(domain)
        policies = await self._policies.of_domain(
            domain,
            exchanges.answer,
            require_tls=parcel.requires_tls,
            waived=parcel.is_tls_waived,
        )
        failures: list[Result] = []
        ends = self._carrier.ends()
        doubtful: list[tuple[list[Place], HostPolicy]] = []
        for host in exchanges.hosts:
            if failures and self._carrier.is_over(ends):
                break
            try:
                policy = await policies.of_host(host, self._choice.port)
                places = await self._places(host)
            except MailError as error:
                failures.append(result_of_error(error))
                continue
            later = [each for each in places if self._carrier.doubts(each)]
            doubtful.append((later, policy))
            at_once = [each for each in places if each not in later]
            failures += await self._carry(parcel, at_once, policy, ends)
            if not parcel.pending:
                return
        for places, policy in doubtful:
            if failures and self._carrier.is_over(ends):
                break
            failures += await self._carry(parcel, places, policy, ends)
            if not parcel.pending:
                return
        parcel.settle_all(gravest(failures))

    async def _carry(
        self, parcel: Parcel, places: list[Place], policy: HostPolicy, ends: float
    ) -> list[Result]:
        return await self._carrier.carry(
            parcel, places, policy, ends, self._refuse_ourselves
        )

    async def _refuse_ourselves(self, client: SMTPClient) -> None:
        """The address may be ours without our knowing (attack: mail in a circle)."""
        if client.name in self._choice.own_names:
            text = f"{client.name} is this server"
            raise NowhereToGo(text, Status.ROUTING_LOOP)

    async def _exchanges(self, domain: str) -> Exchanges:
        literal = literal_address(domain)
        if literal is not None:
            return Exchanges((literal,), None)
        own_names = self._choice.own_names
        return await exchanges_of(domain, self._resolver, own_names, self._shuffle)

    async def _places(self, host: str) -> list[Place]:
        """The addresses of a host that may be used: exactly they are connected to.

        :raises MailError: there are none.
        """
        choice = self._choice
        addresses = await addresses_of(host, self._resolver, choice.families)
        if not addresses:
            raise NowhereToGo(f"{host} has no address", Status.NO_ROUTE)
        if not choice.allow_private:
            public = [each for each in addresses if is_public(each)]
            if not public:
                text = f"{host} leads into a private network: {addresses[0]}"
                raise NowhereToGo(text, Status.ROUTING_LOOP)
            if any(leads_to(each, choice.listening) for each in public):
                raise NowhereToGo(f"{host} leads to this server", Status.ROUTING_LOOP)
            addresses = public
        return [Place(address, choice.port, host) for address in addresses]
