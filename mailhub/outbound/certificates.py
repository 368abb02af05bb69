"""Whom a chain of certificates proves: names and trust (RFC 5280, RFC 9525).

What was shown is looked at after the handshake, so that it can be held against
whatever a domain has published.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto

from ..errors import TLSFault

#: Certificates of a chain that are looked at; real ones have two to four.
LONGEST_CHAIN = 16
#: What the parser says of damaged certificates.
DAMAGED = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_FOR_SERVERS = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)


def peer_chain(connection: SSL.Connection) -> list[Certificate]:
    """What the other side of *connection* has shown, leaf first; ``[]`` for nothing.

    :raises TLSFault: it is damaged.
    """
    try:
        return list(connection.get_peer_cert_chain(as_cryptography=True) or ())
    except DAMAGED as error:
        raise TLSFault(f"a damaged certificate: {error}") from None


def presented_names(leaf: Certificate, *, common_name: bool = False) -> list[str]:
    """The DNS names that *leaf* is for, in lower case.

    :param common_name: whether the subject's is one where there is no DNS name.

    Raises one of ``DAMAGED`` if it is.
    """
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        found = []
    else:
        found = names.value.get_values_for_type(x509.DNSName)
    if not found and common_name:
        attributes = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found = [str(each.value) for each in attributes]
    return [name.lower() for name in found]


def name_matches(presented: str, wanted: str) -> bool:
    """Whether a certificate for *presented* is one for *wanted*; both in lower case.

    A ``*`` stands for one whole label, the first (RFC 9525, section 6.3); it does not
    stand for all of a top-level domain.
    """
    if not presented.startswith("*."):
        return presented == wanted
    label, dot, rest = wanted.partition(".")
    return bool(label and dot) and "." in rest and presented[2:] == rest


def check_name(
    leaf: Certificate, wanted: Iterable[str], *, common_name: bool = False
) -> None:
    """Whether *leaf* is for one of the names *wanted*.

    :param common_name: whether the subject's may be one of them: by DANE (RFC 7672,
        section 3.2.3), not by MTA-STS (RFC 8461, section 4.2), nor by RFC 9525.
    :raises TLSFault: it is for none.
    """
    try:
        presented = presented_names(leaf, common_name=common_name)
    except DAMAGED as error:
        raise TLSFault(f"a damaged certificate: {error}") from None
    names = [name.lower() for name in wanted]
    if not any(name_matches(each, name) for each in presented for name in names):
        raise TLSFault(
            f"the certificate is for {presented[:5]!r} and not for {' or '.join(names)}"
        )


def check_chain(
    chain: Sequence[Certificate], store: crypto.X509Store, now: datetime
) -> None:
    """Whether *chain* leads to something in *store*, and is meant for servers.

    :raises TLSFault: it does not.
    """
    if not chain or len(chain) > LONGEST_CHAIN:
        raise TLSFault(f"a chain of {len(chain)} certificates")
    leaf, *others = map(crypto.X509.from_cryptography, chain)
    store.set_time(now)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
        usage = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except crypto.X509StoreContextError as error:
        raise TLSFault(f"the certificate is not trusted: {error}") from None
    except x509.ExtensionNotFound:
        return
    except DAMAGED as error:
        raise TLSFault(f"a damaged certificate: {error}") from None
    if not any(each in usage.value for each in _FOR_SERVERS):
        raise TLSFault("the certificate is not for servers")


class PublicTrust:
    """The authorities that this machine trusts, read when first needed: those that
    OpenSSL knows, as for policies over HTTPS.

    :param certificates: these instead.
    """

    def __init__(self, certificates: Iterable[Certificate] | None = None) -> None:
        self._certificates = None if certificates is None else list(certificates)
        self._store: crypto.X509Store | None = None
        self._context: SSL.Context | None = None

    def check(self, chain: Sequence[Certificate], host: str) -> None:
        """:raises TLSFault: *chain* does not prove *host*."""
        if not chain:
            raise TLSFault("no certificate was shown")
        check_name(chain[0], [host])
        check_chain(chain, self._opened(), datetime.now(UTC))

    def _opened(self) -> crypto.X509Store:
        if self._store is None:
            if self._certificates is None:
                # The store is the context's own, and goes with it.
                self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
                self._context.set_default_verify_paths()
                self._store = self._context.get_cert_store()
            if self._store is None:
                self._store = crypto.X509Store()
            for each in self._certificates or ():
                self._store.add_cert(crypto.X509.from_cryptography(each))
        return self._store
