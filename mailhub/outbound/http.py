"""The way to a program elsewhere that takes mail by HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from OpenSSL import SSL
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.web.client import (
    Agent,
    PartialDownloadError,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ..interfaces import IWayOut
from ..mail.queued import Lease, Outcome, Result
from ..mail.routes import parse_route
from ..smtp.client_login import LoginFault
from .parcel import octets_of

#: Seconds for all of a request.
TIMEOUT = 60.0
#: Octets that are read of an answer.
_MOST = 65_536
_FAILURES = (
    ConnectError,
    ConnectionClosed,
    OSError,
    PartialDownloadError,
    ResponseFailed,
    ResponseNeverReceived,
    SchemeNotSupported,
    SSL.Error,
    TimeoutError,
    ValueError,
)
#: Of 4yz, those that are worth another try: RFC 9110, section 15.5.9; RFC 6585,
#: section 4.
_TRY_AGAIN = frozenset({408, 425, 429})


@implementer(IWayOut)
class ByHTTP:
    """POSTs a message once for each recipient; 2yz has taken it.

    The octets are the body, ``message/rfc822``; ``X-Mail-From`` and ``X-Rcpt-To`` are
    the envelope, percent-encoded.

    :param reactor: ``IReactorTCP``, ``IReactorSSL`` and ``IReactorTime``.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._agent = Agent(reactor, connectTimeout=TIMEOUT / 2)

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``."""
        url = parse_route(lease.destination).name
        octets = await octets_of(content)
        sender = lease.message.sender
        return [
            await self._post(url, sender, each.recipient, octets)
            for each in lease.recipients
        ]

    async def stop(self) -> None:
        """Nothing is open."""

    async def _post(
        self, url: str, sender: str, recipient: str, octets: bytes
    ) -> Result:
        headers = Headers(
            {
                "Content-Type": ["message/rfc822"],
                "X-Mail-From": [quote(sender, safe="@")],
                "X-Rcpt-To": [quote(recipient, safe="@")],
            }
        )
        try:
            code, _ = await _request(self._reactor, self._agent, url, headers, octets)
        except _FAILURES as error:
            return Result(
                Outcome.DEFERRED, "4.4.1", f"{url}: {error}", url, reached=False
            )
        text = f"{url} answers {code}"
        if 200 <= code < 300:
            return Result(Outcome.DELIVERED, "2.0.0", text, url)
        if 400 <= code < 500 and code not in _TRY_AGAIN:
            return Result(Outcome.FAILED, "5.0.0", text, url)
        return Result(Outcome.DEFERRED, "4.0.0", text, url)


async def post_form(reactor: Any, url: str, form: bytes) -> bytes:
    """The answer of *url* to a form.

    :raises LoginFault: there is none.
    """
    headers = Headers({"Content-Type": ["application/x-www-form-urlencoded"]})
    agent = Agent(reactor, connectTimeout=TIMEOUT / 2)
    try:
        code, answer = await _request(reactor, agent, url, headers, form)
    except _FAILURES as error:
        raise LoginFault(f"{url}: {error}") from None
    if code != 200:
        raise LoginFault(f"{url} answers {code}")
    return answer


async def _request(
    reactor: Any, agent: Agent, url: str, headers: Headers, body: bytes
) -> tuple[int, bytes]:
    async def ask() -> tuple[int, bytes]:
        response = await agent.request(
            b"POST",
            url.encode("ascii"),
            headers,
            _Body(body),
        )
        if response.length is not None and response.length > _MOST:
            return response.code, b""
        return response.code, await readBody(response)

    asking = Deferred.fromCoroutine(ask())
    asking.addTimeout(TIMEOUT, reactor)
    return await asking


@implementer(IBodyProducer)
class _Body:
    """The octets of a request, written at once."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All was written already."""

    def resumeProducing(self) -> None:
        """Likewise."""

    def stopProducing(self) -> None:
        """Likewise."""
