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

#: Octets of a handshake that a client may send.  Those that exist send 2 KiB, or 4 with
#: keys that withstand quantum computers.
HANDSHAKE = 8_192
#: Octets that OpenSSL is given at a time.
PIECE = 4_096
#: Octets that are sent in such pieces, too, before a connection is trusted to be worth
#: larger ones: who has not logged in is hardly told more.
FIRST_OUTPUT = 65_536
#: Content types of records (RFC 8446, section 5.1).
_RECORDS = range(20, 24)


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
        return FrugalConnection(self.context, None)


class FrugalConnection(SSL.Connection):
    """A connection that a stranger cannot make large.

    OpenSSL's buffers for input and output grow to the largest piece they were ever
    given, and do not shrink; a handshake that has begun takes 40 KiB, and a hello may
    have 128 KiB.  So OpenSSL is given little at a time; before the handshake is over it
    is given whole records only (RFC 8446, section 5.1), and ``HANDSHAKE`` octets at
    most.  Output is cut for its first ``FIRST_OUTPUT`` octets only, as large records
    are faster.
    """

    _rest = b""
    _at = 0
    _heard = 0
    _said = 0
    _is_agreed = False

    def bio_write(self, buf: bytes | bytearray | memoryview) -> int:
        """Take what has arrived."""
        self._rest = self._rest[self._at :] + bytes(buf)
        self._at = 0
        return len(buf)

    def do_handshake(self) -> None:
        """Go on with it.

        :raises SSL.WantReadError: the peer has to say more.
        :raises SSL.Error: it says what is refused, or too much.
        """
        while size := self._record():
            if self._heard + size > HANDSHAKE:
                self._rest, self._at = b"", 0
                raise SSL.Error([("SSL routines", "", "the handshake is too long")])
            if size > len(self._rest) - self._at:
                break
            self._heard += size
            self._feed(size)
            try:
                super().do_handshake()
            except SSL.WantReadError:
                continue
            self._is_agreed = True
            return
        raise SSL.WantReadError

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Up to so many octets of what the peer has sent.

        :raises SSL.WantReadError: there are none.
        """
        while True:
            try:
                return super().recv(bufsiz, flags)
            except SSL.WantReadError:
                if not self._rest or not self._is_agreed:
                    raise
                self._feed(PIECE)

    def send(self, buf: bytes | bytearray | memoryview, flags: int = 0) -> int:
        """Take some octets of *buf*, at least one.  -> how many

        :raises SSL.WantReadError: there is no room for more.
        """
        if self._said >= FIRST_OUTPUT:
            return super().send(buf, flags)
        sent = super().send(buf[:PIECE], flags)
        self._said += sent
        return sent

    def _record(self) -> int:
        """Octets of the record that comes next, or 0 as long as that is not known.

        What is no record is one here: OpenSSL says what is wrong with it.
        """
        header = self._rest[self._at : self._at + 5]
        if header and header[0] not in _RECORDS:
            return len(self._rest) - self._at
        return 5 + int.from_bytes(header[3:], "big") if len(header) == 5 else 0

    def _feed(self, size: int) -> None:
        """Give OpenSSL so many of the octets that wait."""
        super().bio_write(self._rest[self._at : self._at + size])
        self._at += size
        if self._at >= len(self._rest):
            self._rest, self._at = b"", 0


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
