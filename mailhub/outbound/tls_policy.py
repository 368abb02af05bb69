"""What a connection to another server has to prove before mail goes over it.

By itself SMTP is opportunistic: TLS where it is offered, whoever is behind it.  A
domain asks for more by DANE (RFC 7672) or MTA-STS (RFC 8461), a sender by REQUIRETLS
(RFC 8689).  Who sends asks :class:`TLSPolicies` once per domain, the answer once per
MX host, and then does as that :class:`HostPolicy` says::

    domain = await policies.of_domain("far.example", mx_answer)
    for mx in in_order(mx_answer):
        policy = await domain.of_host(mx.host)  # a MailError: the next host
        ...                                     # STARTTLS, SNI policy.server_name
        policy.check(peer_chain(tls_connection))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.x509 import Certificate
from twisted.logger import Logger

from ..errors import RequireTLSUnsupported, TLSFault
from ..mail.dns import Answer
from .addresses import is_address
from .certificates import PublicTrust
from .dane import Published, check, find_published
from .mta_sts import Mode, Policy
from .mta_sts_policies import Policies

#: Shown, leaf first, what the other server has shown in its handshake; raises
#: ``TLSFault``.
Check = Callable[[Sequence[Certificate]], None]


def _anything(chain: Sequence[Certificate]) -> None:
    """Any certificate, or none, will do: nobody has said what it should be."""


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """What one server has to prove.

    :ivar needs_tls: without TLS nothing may be sent.  Where it is ``False`` and TLS
        fails, sending in the clear is allowed (RFC 7435).
    :ivar server_name: for the handshake (SNI; RFC 7672, section 8.1).
    :ivar basis: who asks for it: ``opportunistic``, ``dane``, ``mta-sts`` or
        ``requiretls``.  For the log.
    :ivar needs_requiretls: its EHLO within TLS has to offer REQUIRETLS, which goes
        with MAIL (RFC 8689, section 4.2.1).
    """

    host: str
    needs_tls: bool = False
    server_name: str = ""
    basis: str = "opportunistic"
    needs_requiretls: bool = False
    certificate_check: Check = _anything

    def check(self, chain: Sequence[Certificate]) -> None:
        """Look at what the server has shown, right after the handshake.

        :param chain: leaf first, as it was sent
            (:func:`mailhub.outbound.certificates.peer_chain`).
        :raises TLSFault: not who it should be; nothing may be sent.
        """
        try:
            self.certificate_check(chain)
        except TLSFault as fault:
            raise TLSFault(f"{self.host}: {self.basis}: {fault}") from None

    def without_tls(self, why: str) -> None:
        """The server offers no STARTTLS, refuses it, or the handshake fails.

        :param why: one of these, for the log.
        :raises TLSFault: the mail may not go to this server in the clear.
        """
        if self.needs_tls:
            raise TLSFault(f"{self.host}: {why}, but {self.basis} asks for TLS")

    def without_requiretls(self) -> None:
        """The server's EHLO within TLS does not offer REQUIRETLS.

        :raises RequireTLSUnsupported: the mail may not go to this server.
        """
        if self.needs_requiretls:
            raise RequireTLSUnsupported(f"{self.host}: knows no REQUIRETLS")


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """What the servers of one domain have to prove.

    :ivar resolver: for what DANE publishes; ``None``: it is not asked for.
    :ivar mx: the answer to the question for its MX records; ``None``: the
        configuration names the host.
    :ivar policy: what MTA-STS says of the domain, if anything.
    :ivar require_tls: the message came with REQUIRETLS.
    """

    domain: str
    resolver: Any
    trust: PublicTrust
    mx: Answer | None = None
    policy: Policy | None = None
    require_tls: bool = False

    async def of_host(self, host: str, port: int = 25) -> HostPolicy:
        """The policy for one server of the domain.

        DANE goes before MTA-STS, which must not weaken it (RFC 8461, section 2).

        :param host: as the MX record has it; the domain itself where there is none;
            or an IP address.
        :raises TLSFault: the domain says that it is no server of its.
        :raises RequireTLSUnsupported: nothing proves that it is one.
        :raises mailhub.errors.DNSFault: it cannot be known now, so nothing may be
            sent there (RFC 7672, section 2.1.2).
        """
        published = None
        if self._may_have_dane(host):
            published = await find_published(self.resolver, host, port)
        if published is not None and published.records:
            return self._by_dane(host, published)
        mode = Mode.NONE if self.policy is None else self.policy.mode
        if mode is Mode.ENFORCE or self.require_tls:
            self._check_listed(host)
            return self._by_certificate(host, mode)
        if published is not None:
            return HostPolicy(host, True, published.base, "dane")
        if mode is Mode.TESTING:
            rehearsal = _Rehearsal(self, host)
            return HostPolicy(host, server_name=host, certificate_check=rehearsal)
        return HostPolicy(host, server_name=host)

    def _may_have_dane(self, host: str) -> bool:
        """Whether it is to be asked for: not of an address (RFC 7672, section 2.2),
        and not behind an MX record that may be forged."""
        if self.resolver is None or is_address(host):
            return False
        return self.mx is None or self.mx.authentic

    def _by_dane(self, host: str, published: Published) -> HostPolicy:
        names = [published.base, self.domain]
        if self.mx is not None:
            names.append(self.mx.name)

        def check_published(chain: Sequence[Certificate]) -> None:
            check(published.records, names, chain, datetime.now(UTC))

        return HostPolicy(
            host, True, published.base, "dane", self.require_tls, check_published
        )

    def _by_certificate(self, host: str, mode: Mode) -> HostPolicy:
        def check_public(chain: Sequence[Certificate]) -> None:
            self.trust.check(chain, host)

        basis = "mta-sts" if mode is Mode.ENFORCE else "requiretls"
        return HostPolicy(host, True, host, basis, self.require_tls, check_public)

    def _check_listed(self, host: str) -> None:
        """Whether the domain says that *host* is one of its servers.

        RFC 8461, section 4.1; RFC 8689, section 4.2.1: the name that a certificate is
        held against has to be proved itself.
        """
        if self.policy is not None and self.policy.mode is not Mode.NONE:
            if self.policy.allows(host):
                return
            if self.policy.mode is Mode.ENFORCE:
                raise TLSFault(f"{host}: not in the MTA-STS policy of {self.domain}")
        if self.mx is not None and self.mx.records and not self.mx.authentic:
            raise RequireTLSUnsupported(
                f"{host}: neither DNSSEC nor MTA-STS proves it to be {self.domain}'s"
            )


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """A policy that is only tried out: what would fail is told."""

    domain: DomainPolicy
    host: str

    def __call__(self, chain: Sequence[Certificate]) -> None:
        policy, name = self.domain.policy, self.domain.domain
        try:
            if policy is not None and not policy.allows(self.host):
                raise TLSFault("not in the policy")
            self.domain.trust.check(chain, self.host)
        except TLSFault as fault:
            _log.info(
                "{host}: the MTA-STS policy of {domain}, were it in force: {fault}",
                host=self.host, domain=name, fault=fault,
            )  # fmt: skip


_log = Logger()


class TLSPolicies:
    """Finds the policy of domains.

    :param resolver: an ``IResolver``; ``None``: nobody asks for DANE.
    :param policies: of MTA-STS; ``None``: nobody asks for them.
    :param trust: the authorities whose certificates prove a name.
    """

    def __init__(
        self,
        resolver: Any,
        policies: Policies | None = None,
        trust: PublicTrust | None = None,
    ) -> None:
        self._resolver = resolver
        self._policies = policies
        self._trust = trust or PublicTrust()

    async def of_domain(
        self,
        domain: str,
        mx: Answer | None,
        *,
        require_tls: bool = False,
        waived: bool = False,
    ) -> DomainPolicy:
        """The policy for mail to a domain.

        :param domain: of the recipients, in lower case, as A-labels, before any CNAME.
        :param mx: the answer to the question for its MX records; ``None`` where it was
            not asked, as the configuration names the host.
        :param require_tls: the message came with REQUIRETLS.
        :param waived: the message says ``TLS-Required: No`` instead, so that it goes
            however it can (RFC 8689, section 3).
        """
        if waived and not require_tls:
            return DomainPolicy(domain, None, self._trust, mx)
        policy = None
        if self._policies is not None and mx is not None:
            policy = await self._policies.of(domain)
        return DomainPolicy(
            domain, self._resolver, self._trust, mx, policy, require_tls
        )
