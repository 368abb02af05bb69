"""The server's side of TLS: what is spoken, and with which certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from .certificates import CertificateFault, Identity

VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
#: The suites of TLS 1.2 that have forward secrecy and authenticated encryption;
#: those of TLS 1.3 all do (RFC 9325, section 4.2).
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
#: Renegotiation is an attack, not a need.  Tickets and sessions would keep keys
#: for longer than a connection, and save less than a millisecond of work.
OPTIONS = (
    SSL.OP_NO_RENEGOTIATION
    | SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_TICKET
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)


class CertificateStore:
    """The certificate in use, and the ways to speak TLS with it.

    It may be exchanged at any time: connections that are open keep what they
    agreed on, the next handshake uses the new one.

    :param read: gives the identity to use; asked again by :meth:`reload`.
    :param minimum_version: a key of ``VERSIONS``.
    :raises CertificateFault: (also :meth:`reload` and :meth:`prepare`) what *read*
        raises, or OpenSSL cannot use what it gives.
    """

    def __init__(
        self, read: Callable[[], Identity], minimum_version: str = "TLSv1.2"
    ) -> None:
        self._servers: dict[bytes, ServerTLS] = {}
        self._use(self._read(read, minimum_version))

    def server(self, protocol: bytes) -> ServerTLS:
        """What a factory of *protocol* starts TLS with.

        :param protocol: its name in ALPN (RFC 7301), such as ``b"imap"``.
        """
        if protocol not in self._servers:
            self._servers[protocol] = ServerTLS(self._in_use.context(protocol))
        return self._servers[protocol]

    def reload(self) -> None:
        """Read the certificate again; what is in use stays if it is of no use."""
        self.prepare(self._in_use.read, self._in_use.minimum_version)()

    def prepare(
        self, read: Callable[[], Identity], minimum_version: str
    ) -> Callable[[], None]:
        """Get another certificate, or other settings, ready.

        -> what has to be called to use them; it cannot fail
        """
        offer = self._read(read, minimum_version)
        contexts = {name: offer.context(name) for name in self._servers}

        def use() -> None:
            self._use(offer)
            for name, context in contexts.items():
                self._servers[name].context = context

        return use

    def _read(self, read: Callable[[], Identity], minimum_version: str) -> _Offer:
        offer = _Offer(read, minimum_version, read())
        offer.context(b"")
        return offer

    def _use(self, offer: _Offer) -> None:
        self._in_use = offer
        self.identity = offer.identity


@dataclass(frozen=True, slots=True)
class _Offer:
    """What handshakes are made with, and where it comes from."""

    read: Callable[[], Identity]
    minimum_version: str
    identity: Identity

    def context(self, protocol: bytes) -> SSL.Context:
        """For the protocol of this name.

        :raises CertificateFault: OpenSSL cannot use the identity.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(VERSIONS[self.minimum_version])
        context.set_options(OPTIONS)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(CIPHERS)
        context.set_alpn_select_callback(_only(protocol))
        first, *others = self.identity.chain
        try:
            context.use_certificate(first)
            for certificate in others:
                context.add_extra_chain_cert(certificate)
            context.use_privatekey(self.identity.key)
            context.check_privatekey()
        except (SSL.Error, TypeError) as error:
            raise CertificateFault(
                f"OpenSSL refuses the certificate: {error}"
            ) from None
        return context


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """Makes the server's side of TLS connections of one protocol.

    :ivar context: what new connections are made with.
    """

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """A connection that is about to shake hands."""
        return SSL.Connection(self.context, None)


def _only(protocol: bytes) -> Callable[[SSL.Connection, list[bytes]], bytes]:
    """An ALPN callback that takes *protocol* and nothing else.

    OpenSSL asks it only when a client offers something.  Whoever offers another
    protocol is not meant for us and is refused (RFC 7301, section 3.2; attack:
    ALPACA, a browser led here in the hope of an answer it can use).
    """

    def select(connection: SSL.Connection, offered: list[bytes]) -> bytes:
        if protocol in offered:
            return protocol
        # pyOpenSSL turns an exception into the alert no_application_protocol.
        raise SSL.Error([("SSL routines", "", f"ALPN offers {offered!r}")])

    return select
