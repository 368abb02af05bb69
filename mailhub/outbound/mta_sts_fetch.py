"""Policies of MTA-STS over HTTPS (RFC 8461, section 3.3).

The web server's name is the policy's only proof, so its certificate has to be one that
this machine trusts; redirects are not followed, as they would lead to another name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import (
    URI,
    Agent,
    PartialDownloadError,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from ..errors import MailError, NoSuchDomain
from ..mail.dns import RecordType
from .mta_sts import MAX_POLICY

#: Seconds for all of it (RFC 8461, section 3.3, suggests one minute).
TIMEOUT = 60.0
#: Octets of an answer's header, on top of those of the policy.
MAX_HEADER = 16_384
#: Addresses of the web server that are tried.
MAX_ADDRESSES = 4
_PATH = "/.well-known/mta-sts.txt"
_FAILURES = (
    ConnectError,
    ConnectionClosed,
    OSError,
    PartialDownloadError,
    ResponseFailed,
    ResponseNeverReceived,
    SSL.Error,
    UnicodeDecodeError,
)


class NoPolicy(MailError):
    """The policy cannot be had, for the reason that the text gives."""

    permanent = False


class PolicyHosts:
    """Fetches policies.

    :param allows: whether an IP address may be connected to (attack: a name that
        leads into this network).
    :param trust: whose certificates are trusted: Twisted's *trustRoot*.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: Any,
        allows: Callable[[str], bool],
        trust: Any = None,
        port: int = 443,
    ) -> None:
        self._reactor = reactor
        self._port = port
        hosts = _Hosts(reactor, resolver, allows, trust or platformTrust())
        self._agent = Agent.usingEndpointFactory(reactor, hosts)

    async def fetch(self, domain: str) -> str:
        """The text of the policy of *domain*.

        :raises NoPolicy: there is none, or it cannot be had.
        :raises MailError: DNS does not tell where.
        """
        port = "" if self._port == 443 else f":{self._port}"
        url = f"https://mta-sts.{domain}{port}{_PATH}"
        fetching = Deferred.fromCoroutine(self._get(url.encode("ascii")))
        fetching.addTimeout(TIMEOUT, self._reactor)
        try:
            return await fetching
        except TimeoutError:
            raise NoPolicy("no answer in time") from None
        except _FAILURES as error:
            raise NoPolicy(f"{type(error).__name__}: {_reason(error)}") from None

    async def _get(self, url: bytes) -> str:
        response = await self._agent.request(b"GET", url, Headers({}))
        body = await readBody(response)
        if response.code != 200:
            raise NoPolicy(f"the web server answers {response.code}")
        [kind] = response.headers.getRawHeaders(b"content-type", [b""])[:1]
        if kind.split(b";")[0].strip().lower() != b"text/plain":
            raise NoPolicy("the web server has something else there")
        if len(body) > MAX_POLICY:
            raise NoPolicy("the policy is too long")
        return str(body, "utf-8")


def _reason(error: BaseException) -> str:
    """What *error* says, where Twisted wraps what was the matter."""
    reasons = getattr(error, "reasons", None)
    return str(reasons[0].value if reasons else error)


@implementer(IAgentEndpointFactory)
class _Hosts:
    """Where the agent connects to, with names that our own resolver knows."""

    def __init__(
        self, reactor: Any, resolver: Any, allows: Callable[[str], bool], trust: Any
    ) -> None:
        self.reactor = reactor
        self.trust = trust
        self._resolver = resolver
        self._allows = allows

    def endpointForURI(self, uri: URI) -> Any:
        return _Host(self, uri.host.decode("ascii"), uri.port)

    async def addresses(self, host: str) -> list[str]:
        """Where *host* is, as far as it may be connected to.

        :raises NoPolicy: nowhere.
        """
        found: list[str] = []
        for kind in (RecordType.A, RecordType.AAAA):
            try:
                answer = await self._resolver.query(host, kind)
            except NoSuchDomain:
                break
            found += answer.records
        allowed = [address for address in found if self._allows(address)]
        if not allowed:
            raise NoPolicy(f"{host} has no address that may be connected to")
        return allowed[:MAX_ADDRESSES]


@implementer(IStreamClientEndpoint)
class _Host:
    """One web server, at whichever of its addresses answers first."""

    def __init__(self, hosts: _Hosts, name: str, port: int) -> None:
        self._hosts = hosts
        self._name = name
        self._port = port

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        last: Exception = NoPolicy(f"{self._name} cannot be reached")
        for address in await self._hosts.addresses(self._name):
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            plain = kind(
                self._hosts.reactor,
                address,
                self._port,
                timeout=TIMEOUT / MAX_ADDRESSES,
            )
            options = optionsForClientTLS(self._name, trustRoot=self._hosts.trust)
            try:
                capped: Any = await wrapClientTLS(options, plain).connect(
                    _capping(factory)
                )
            except ConnectError as error:
                last = error
                continue
            return capped.wrappedProtocol
        raise last


def _capping(factory: Any) -> WrappingFactory:
    """*factory*, whose connections end when they have brought too much."""
    wrapping = WrappingFactory(factory)
    wrapping.noisy = False
    wrapping.protocol = _Capped
    return wrapping


class _Capped(ProtocolWrapper):
    """Attack: a header, or chunks, without an end."""

    _octets = 0

    def dataReceived(self, data: bytes) -> None:
        self._octets += len(data)
        if self._octets > MAX_POLICY + MAX_HEADER:
            self.abortConnection()
            return
        super().dataReceived(data)
