"""The client's side of TLS: what is spoken; who is there is looked at afterwards."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from .server_tls import VERSIONS


def client_context(minimum_version: str = "TLSv1.2") -> SSL.Context:
    """What handshakes with other servers are made with.

    It takes any certificate: each is held against what its domain has published, or
    against nothing (RFC 7435), when the handshake is over.

    :param minimum_version: a key of ``VERSIONS``.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(VERSIONS[minimum_version])
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_NONE, None)
    return context


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """Makes the client's side of one TLS connection.

    :param server_name: whom we want to talk to (SNI: RFC 6066, section 3), in ASCII;
        ``""`` says nothing.
    """

    def __init__(self, context: SSL.Context, server_name: str) -> None:
        self._context = context
        self._server_name = server_name

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """A connection that is about to shake hands."""
        connection = SSL.Connection(self._context, None)
        if self._server_name:
            connection.set_tlsext_host_name(self._server_name.encode("ascii"))
        return connection
