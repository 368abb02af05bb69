"""Certificates for tests: authorities and what they issue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailhub.mail.dns import TLSA

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
_DIGESTS = {1: sha256, 2: sha512}


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and with those above it but for the root.

    :ivar chain: what a server shows, leaf first.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def pem(self) -> bytes:
        """The key and the chain, for a server."""
        key = self.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        return key + b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)


def issue(
    *names: str,
    by: Issued | None = None,
    authority: bool = False,
    common_name: str = "a test",
    starts: datetime = NOW - DAY,
    ends: datetime = NOW + 30 * DAY,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    path_length: int | None = None,
) -> Issued:
    """A certificate for *names*; one without *by* signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer, signer = (
        (subject, key) if by is None else (by.certificate.subject, by.key)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length=path_length), critical=True
        )
    )
    if names:
        alternatives = x509.SubjectAlternativeName(list(map(x509.DNSName, names)))
        builder = builder.add_extension(alternatives, critical=False)
    if not authority and usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    above = () if by is None or by.certificate.issuer == by.certificate.subject else (
        by.chain
    )
    return Issued(certificate, key, (certificate, *above))


def tlsa(
    usage: int, selector: int, matching: int, certificate: x509.Certificate
) -> TLSA:
    """The record that fits *certificate*."""
    if selector == 0:
        octets = certificate.public_bytes(Encoding.DER)
    else:
        octets = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    digest = _DIGESTS.get(matching)
    return TLSA(
        usage, selector, matching, digest(octets).digest() if digest else octets
    )
