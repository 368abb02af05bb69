"""Sessions with other servers, as TLS policies want them; new ones, or used ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.x509 import Certificate
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..errors import MailError, TLSFault
from ..net.client_tls import ClientTLS, client_context
from ..net.descriptors import Capacity
from ..net.roll import Roll
from ..smtp.client import SMTPClient, SMTPClientFactory
from ..smtp.client_outcome import SessionFailed
from ..smtp.client_steps import Step, Waits
from .addresses import is_address
from .certificates import peer_chain
from .places import Place
from .pool import Pool, Reuse
from .tls_policy import HostPolicy

#: Does what a session needs; raises a ``MailError`` where it is of no use.
Prepare = Callable[[SMTPClient], Awaitable[None]]
#: Seconds that sessions have to finish a message when the server stops.
DRAIN = 30.0


@dataclass(frozen=True, slots=True)
class Conduct:
    """How we behave towards other servers.

    :ivar hello: what we call ourselves.
    """

    hello: str = "localhost"
    waits: Waits = field(default_factory=Waits)
    reuse: Reuse = field(default_factory=Reuse)


class Sessions:
    """Opens sessions, and keeps those that may be used again.

    :param reactor: ``IReactorTCP``, ``IReactorUNIX`` and ``IReactorTime``.
    :param capacity: of the process, which all its connections share.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, conduct: Conduct, capacity: Capacity | None = None
    ) -> None:
        self._reactor = reactor
        self._conduct = conduct
        self._context = client_context()
        self.roll = Roll("out", capacity=capacity)
        self._pool = Pool(conduct.reuse, reactor.seconds)

    def used(self, place: Place, policy: HostPolicy) -> SMTPClient | None:
        """A session that waits, if there is one and it is what *policy* wants."""
        while (client := self._pool.take(place)) is not None:
            try:
                _check(client, policy)
            except MailError:
                client.quit()
            else:
                return client
        return None

    async def new(
        self, place: Place, policy: HostPolicy, prepare: Prepare | None = None
    ) -> SMTPClient:
        """Another session.

        :param prepare: what is done on it before mail is sent: logging in.
        :raises SessionFailed: there is none, or not as *policy* wants it.
        """
        try:
            return await self._connect(place, policy, prepare, tls=True)
        except SessionFailed as fault:
            if not fault.may_go_clear or place.implicit_tls:
                raise
            try:
                policy.without_tls(fault.text)
            except TLSFault as error:
                raise SessionFailed(Step.TLS, str(error), error=error) from error
            self.log.info(
                "TLS with {host} does not work, going on without: {text}",
                host=place.host, text=fault.text,
            )  # fmt: skip
            return await self._connect(place, policy, prepare, tls=False)

    def give_back(self, place: Place, client: SMTPClient) -> None:
        """*client* is free again."""
        self._pool.give(place, client)

    async def stop(self) -> None:
        """End all of them, those with a message on its way after it."""
        await self.roll.end(DRAIN)

    async def _connect(
        self, place: Place, policy: HostPolicy, prepare: Prepare | None, *, tls: bool
    ) -> SMTPClient:
        conduct = self._conduct
        # RFC 6066, section 3: an address is no name.
        name = "" if is_address(policy.server_name) else policy.server_name
        factory = SMTPClientFactory(
            self._reactor,
            hello=conduct.hello.encode("ascii"),
            verb=place.verb,
            certificates=ClientTLS(self._context, name) if tls else None,
            check=lambda client: _check(client, policy),
            log_in=prepare,
            implicit_tls=place.implicit_tls,
            waits=conduct.waits,
            roll=self.roll,
            idle=conduct.reuse.idle,
        )
        factory.ended = lambda client: self._pool.forget(place, client)
        timeout = conduct.waits.connect
        wrapped: Any = factory
        if place.implicit_tls:
            wrapped = TLSMemoryBIOFactory(factory.certificates, True, factory)
        if place.port:
            self._reactor.connectTCP(place.address, place.port, wrapped, timeout)
        else:
            self._reactor.connectUNIX(place.address, wrapped, timeout)
        return await factory.opened


def _check(client: SMTPClient, policy: HostPolicy) -> None:
    """Whether mail may go over *client*.

    :raises MailError: it may not.
    """
    if client.accepted == policy:
        return
    if client.is_secure:
        policy.check(_chain(client, policy))
    else:
        policy.without_tls("no STARTTLS")
    if not client.able.require_tls:
        policy.without_requiretls()
    client.accepted = policy


def _chain(client: SMTPClient, policy: HostPolicy) -> Sequence[Certificate]:
    """What the server has shown in its handshake."""
    if client.chain is None:
        try:
            client.chain = peer_chain(client.tls)
        except TLSFault:
            if policy.needs_tls:
                raise
            # Whoever it is, nobody asks for a proof.
            return ()
    return client.chain
