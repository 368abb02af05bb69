"""The way to a server that a configuration names: a smarthost, an LMTP server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from cryptography.x509 import Certificate

from ..errors import Status
from ..mail.routes import Route, Secrecy
from .addresses import is_loopback
from .carrier import Carrier, gravest
from .certificates import PublicTrust
from .login import Secrets, log_in
from .mx import addresses_of
from .parcel import Parcel
from .places import EHLO, LHLO, NowhereToGo, Place
from .tls_policy import Check, HostPolicy

_USUAL = "opportunistic"


class ByRoute:
    """Sends parcels to a server by its route; it may be anywhere.

    :param resolver: an ``IResolver``.
    :param secrets_of: the passwords of logins.
    :param trust: the authorities whose certificates prove a name.
    """

    def __init__(
        self,
        carrier: Carrier,
        resolver: Any,
        families: str,
        secrets_of: Secrets,
        trust: PublicTrust,
    ) -> None:
        self._carrier = carrier
        self._resolver = resolver
        self._families = families
        self._secrets_of = secrets_of
        self._trust = trust
        self._proofs: dict[str, Check] = {}

    async def send(self, parcel: Parcel, route: Route) -> None:
        """One attempt.

        :raises MailError: it could not even begin.
        """
        places = await self._places(route)
        policy = self._policy(route, parcel)
        logging_in = None
        if route.user:
            is_local = all(is_loopback(place.address) for place in places)
            logging_in = partial(
                log_in,
                host=route.host,
                user=route.user,
                secrets_of=self._secrets_of,
                is_local=is_local,
            )
        ends = self._carrier.ends()
        failures = await self._carrier.carry(parcel, places, policy, ends, logging_in)
        if parcel.pending:
            parcel.settle_all(gravest(failures))

    async def _places(self, route: Route) -> list[Place]:
        verb = LHLO if route.kind == "lmtp" else EHLO
        if route.path:
            return [Place(route.path, 0, "localhost", verb)]
        addresses = await addresses_of(route.host, self._resolver, self._families)
        if not addresses:
            fault = NowhereToGo(f"{route.host} has no address", Status.NO_ROUTE)
            # A name that the configuration has is a mistake, which can be mended.
            fault.permanent = False
            raise fault
        places = [
            Place(each, route.port, route.host, verb, route.implicit_tls, route.user)
            for each in addresses
        ]
        return sorted(places, key=self._carrier.doubts)

    def _policy(self, route: Route, parcel: Parcel) -> HostPolicy:
        host = route.host or "localhost"
        if parcel.requires_tls and route.kind == "smtp":
            return HostPolicy(host, True, host, "requiretls", True, self._proof(host))
        if route.secrecy is Secrecy.VERIFY:
            return HostPolicy(host, True, host, "route", False, self._proof(host))
        needs_tls = route.implicit_tls or route.secrecy is Secrecy.ENCRYPT
        return HostPolicy(host, needs_tls, host, "route" if needs_tls else _USUAL)

    def _proof(self, host: str) -> Check:
        """What looks at the certificate: the same each time, so that a session that
        has passed needs not pass again.
        """
        if host not in self._proofs:

            def check(chain: Sequence[Certificate]) -> None:
                self._trust.check(chain, host)

            self._proofs[host] = check
        return self._proofs[host]
