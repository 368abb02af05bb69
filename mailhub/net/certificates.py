"""The server's certificate and key: read from given files, or made here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import LocalFault
from .whole_file import replace_file

#: How long a certificate of our own is valid: Apple's clients refuse those that
#: are valid for longer.
VALIDITY = timedelta(days=825)
#: It is made anew this long before its end.
RENEWAL = timedelta(days=30)
#: So that a client whose clock is behind does not refuse it.
BACKDATE = timedelta(days=1)
#: What reaches this machine from itself.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_NOT_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class CertificateFault(LocalFault):
    """A certificate or key that cannot be used; the text is for who set it up."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, what links it to its authority, and its private key."""

    chain: tuple[x509.Certificate, ...]
    key: Any

    @property
    def expires(self) -> datetime:
        """When the certificate ends."""
        return self.chain[0].not_valid_after_utc

    def covers(self, names: Iterable[str]) -> bool:
        """Whether the certificate is for all of *names*."""
        try:
            extension = self.chain[0].extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            )
        except x509.ExtensionNotFound:
            return False
        return set(map(_general_name, names)) <= set(extension.value)


def read_identity(certificate_path: str, key_path: str) -> Identity:
    """What the PEM files hold.

    :raises CertificateFault: they cannot be used, with the reason.
    """
    certificates, key_text = _read(certificate_path), _read(key_path, private=True)
    try:
        chain = tuple(x509.load_pem_x509_certificates(certificates))
    except ValueError:
        raise CertificateFault(
            f"{certificate_path}: expected certificates in PEM"
        ) from None
    try:
        key = serialization.load_pem_private_key(key_text, password=None)
    except TypeError:
        raise CertificateFault(f"{key_path}: the key has a password") from None
    except ValueError:
        raise CertificateFault(f"{key_path}: expected a private key in PEM") from None
    if key.public_key() != chain[0].public_key():
        raise CertificateFault(
            f"{key_path}: not the key of the certificate in {certificate_path}"
        )
    return Identity(chain, key)


def _read(path: str, private: bool = False) -> bytes:
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if private and mode & _NOT_FOR_OTHERS:
                raise CertificateFault(
                    f"{path}: others may read or write this key (mode {mode:04o});"
                    f" run: chmod 600 {path}"
                )
            return file.read()
    except OSError as error:
        raise CertificateFault(f"{path}: {error.strerror}") from None


def ensure_own(path: str, host_names: Iterable[str], now: datetime) -> Identity:
    """The certificate of our own at *path*, made where there is none that will do.

    One that ends soon, or is not for one of *host_names* (which may be IP
    addresses), is replaced.

    :raises CertificateFault: it can neither be read nor made.
    """
    names = tuple(dict.fromkeys((*host_names, *LOOPBACK_NAMES)))
    if os.path.exists(path):
        identity = read_identity(path, path)
        if identity.covers(names) and identity.expires - now > RENEWAL:
            return identity
    identity = make_identity(names, now)
    try:
        replace_file(path, _octets_of(identity))
    except OSError as error:
        raise CertificateFault(f"{path}: {error.strerror}") from error
    return identity


def make_identity(names: tuple[str, ...], now: datetime) -> Identity:
    """A new ECDSA P-256 key with a certificate for *names* that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    public = key.public_key()
    server_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now - BACKDATE + VALIDITY)
        .add_extension(
            x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(server_only, critical=False)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return Identity((certificate,), key)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _octets_of(identity: Identity) -> bytes:
    """Key and certificates, in PEM."""
    return identity.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in identity.chain)
