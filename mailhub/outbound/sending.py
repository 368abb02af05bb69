"""The way out to the servers that DNS names for a domain (``IWayOut``).

One attempt goes through the domain's MX hosts and their addresses until one of them
has decided about every recipient.  What a server says of a recipient counts; only
where it says nothing (no connection, no TLS that is good enough, a session that ends)
the next one is tried.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ..errors import LocalFault, MailError, Status
from ..interfaces import IWayOut
from ..mail.queued import Lease, Outcome, Result
from ..smtp.client import SessionFailed, SMTPClient
from ..smtp.client_steps import Step
from .addresses import is_address, is_public, literal_address
from .mx import Exchanges, addresses_of, exchanges_of
from .parcel import Parcel
from .places import LHLO, NowhereToGo, Place
from .results import result_of_error, result_of_fault
from .sessions import Sessions
from .tls_policy import HostPolicy, TLSPolicies


@dataclass(frozen=True, slots=True)
class Choice:
    """Which servers are used.

    :ivar own_names: of this server, in lower case.
    :ivar own_addresses: where it listens to the world.
    :ivar allow_private: whether DNS may lead into private networks.
    :ivar families: see :func:`mailhub.outbound.mx.addresses_of`.
    :ivar attempt: seconds after which no further server is tried.
    """

    own_names: Collection[str] = ()
    own_addresses: Collection[str] = ()
    allow_private: bool = False
    families: str = "ipv6"
    port: int = 25
    attempt: float = 900.0


@implementer(IWayOut)
class WayOut:
    """Sends mail to the servers of its domain.

    :param reactor: for the time.
    :param resolver: an ``IResolver``.
    :param shuffle: puts servers that are equally good in random order.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        resolver: Any,
        sessions: Sessions,
        policies: TLSPolicies,
        choice: Choice,
        shuffle: Callable[[list[str]], object] = random.shuffle,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._sessions = sessions
        self._policies = policies
        self._choice = choice
        self._shuffle = shuffle

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``."""
        parcel = None
        try:
            parcel = await Parcel.unpack(lease, content)
            parcel.set_aside_malformed()
            if parcel.pending:
                await self._by_mx(parcel)
            return parcel.results
        except MailError as error:
            failure = result_of_error(error)
        except Exception:
            self.log.failure("sending {id} failed", id=lease.message.queue_id)
            failure = result_of_error(LocalFault("a fault of this server"))
        if parcel is None:
            return [failure] * len(lease.recipients)
        parcel.settle_all(failure)
        return parcel.results

    async def stop(self) -> None:
        """See ``IWayOut``."""
        await self._sessions.stop(30.0)

    async def _by_mx(self, parcel: Parcel) -> None:
        domain = parcel.lease.destination
        literal = literal_address(domain)
        if literal is not None:
            exchanges = Exchanges((literal,), None)
        else:
            exchanges = await exchanges_of(
                domain, self._resolver, self._choice.own_names, self._shuffle
            )
        policies = await self._policies.of_domain(
            domain,
            exchanges.answer,
            require_tls=parcel.parameters.require_tls,
            waived=parcel.is_tls_waived,
        )
        failures = []
        ends = self._reactor.seconds() + self._choice.attempt
        for host in exchanges.hosts:
            if self._reactor.seconds() >= ends:
                break
            try:
                policy = await policies.of_host(host, self._choice.port)
                places = await self._places_of(host)
            except MailError as error:
                failures.append(result_of_error(error))
                continue
            failures += await self._try_all(places, policy, parcel)
            if not parcel.pending:
                return
        parcel.settle_all(_gravest(failures))

    async def _places_of(self, host: str) -> list[Place]:
        """The addresses of a host that may be used; exactly they are connected to.

        :raises MailError: there are none.
        """
        choice = self._choice
        if is_address(host):
            addresses = [host]
        else:
            addresses = await addresses_of(host, self._resolver, choice.families)
        if not addresses:
            raise NowhereToGo(f"{host} has no address", Status.NO_ROUTE)
        if any(each in choice.own_addresses for each in addresses):
            raise NowhereToGo(f"{host} leads to this server", Status.ROUTING_LOOP)
        if not choice.allow_private:
            refused = addresses
            addresses = [each for each in addresses if is_public(each)]
            if not addresses:
                raise NowhereToGo(
                    f"{host} leads into a private network: {refused[0]}",
                    Status.ROUTING_LOOP,
                )
        return [Place(address, choice.port, host) for address in addresses]

    async def _try_all(
        self, places: list[Place], policy: HostPolicy, parcel: Parcel
    ) -> list[Result]:
        """Send to one address after the other until nobody waits any more.

        -> what went wrong
        """
        failures = []
        for place in places:
            try:
                await self._send_to(place, policy, parcel)
            except SessionFailed as fault:
                failures.append(result_of_fault(fault, place))
            except MailError as error:
                failures.append(result_of_error(error, place))
            if not parcel.pending:
                break
        return failures

    async def _send_to(self, place: Place, policy: HostPolicy, parcel: Parcel) -> None:
        client = self._sessions.used(place, policy)
        if client is not None:
            try:
                await self._send_over(client, place, parcel)
                return
            except SessionFailed as fault:
                # It may have ended while it waited, which says nothing about now.
                if fault.step is not Step.MAIL:
                    raise
        client = await self._sessions.new(place, policy)
        await self._send_over(client, place, parcel)

    async def _send_over(
        self, client: SMTPClient, place: Place, parcel: Parcel
    ) -> None:
        """All transactions that are needed.

        :raises SessionFailed: it ended before they did.
        :raises MailError: the server cannot be given this message.
        """
        able, is_lmtp = client.able, place.verb == LHLO
        try:
            while parcel.pending:
                group = parcel.next_group(able)
                now = self._reactor.seconds()
                mail = parcel.mail(group, able, now, one_by_one=is_lmtp)
                sent = await client.send_mail(mail)
                parcel.note(group, sent, place, relayed=not able.dsn)
                if sent.fault is not None and parcel.pending:
                    raise sent.fault
        finally:
            self._sessions.give_back(place, client)


def _gravest(failures: list[Result]) -> Result:
    """What the recipients that nobody decided about are told of.

    One server that may be better later is a reason to wait.
    """
    for failure in failures:
        if failure.outcome is Outcome.DEFERRED:
            return failure
    return failures[-1]
