"""What a connection to another server has to prove before mail goes over it.

By itself SMTP is opportunistic: TLS where it is offered, whoever is behind it.  A
domain asks for more by DANE (RFC 7672) or MTA-STS (RFC 8461), a sender by REQUIRETLS
(RFC 8689).  Who sends asks :class:`TLSPolicies` once per domain, the answer once per
MX host, and then does as that :class:`HostPolicy` says::

    domain = await policies.of_domain("far.example", mx_answer)
    for mx in in_order(mx_answer):
        policy = await domain.of_host(mx.host)  # TLSFault, DNSFault: the next host
        ...                                     # STARTTLS, SNI policy.server_name
        policy.check(connection.get_peer_cert_chain(as_cryptography=True) or ())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.x509 import Certificate

from ..errors import RequireTLSUnsupported, TLSFault
from ..mail.dns import Answer

#: Shown, leaf first, what the other server has shown in its handshake.
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

        :param chain: leaf first, as it was sent.
        :raises TLSFault: not who it should be; nothing may be sent.
        """
        self.certificate_check(chain)

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


class DomainPolicy:
    """What the servers of one domain have to prove.

    :param mx: what DNS said of its MX records; ``None``: it was not asked.
    """

    def __init__(self, domain: str, mx: Answer | None) -> None:
        self._domain = domain
        self._mx = mx

    async def of_host(self, host: str, port: int = 25) -> HostPolicy:
        """The policy for one server of the domain.

        :param host: as the MX record has it; the domain itself where there is none.
        :raises TLSFault: the domain says that it is no server of its.
        :raises mailhub.errors.DNSFault: it cannot be known now, so nothing may be
            sent there (RFC 7672, section 2.1.2).
        """
        return HostPolicy(host, server_name=host)


class TLSPolicies:
    """Finds the policy of domains."""

    async def of_domain(
        self,
        domain: str,
        mx: Answer | None,
        *,
        require_tls: bool = False,
    ) -> DomainPolicy:
        """The policy for mail to a domain.

        :param domain: of the recipients, before any CNAME.
        :param mx: the answer to the question for its MX records.
        :param require_tls: the message came with REQUIRETLS.
        """
        return DomainPolicy(domain, mx)
