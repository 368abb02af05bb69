from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.certificates import (
    RENEWAL,
    VALIDITY,
    CertificateFault,
    Identity,
    ensure_own,
    make_identity,
    read_identity,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = ("mail.example.org", "192.0.2.7")


def mode_of(path: str) -> int:
    """The permission bits of *path*."""
    return stat.S_IMODE(os.stat(path).st_mode)


class Folder(SynchronousTestCase):
    """Tests with a folder of their own."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "own.pem")

    def write(self, name: str, octets: bytes, mode: int = 0o600) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(octets)
        os.chmod(path, mode)
        return path


class OwnCertificateTests(Folder):
    """A certificate that the server makes for itself."""

    def test_it_is_made_once_and_kept(self) -> None:
        first = ensure_own(self.path, NAMES, NOW)
        again = ensure_own(self.path, NAMES, NOW + timedelta(days=1))
        self.assertEqual(first.chain, again.chain)

    def test_only_its_owner_may_read_it(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        ensure_own(self.path, NAMES, NOW)
        self.assertEqual(mode_of(self.path), 0o600)
        self.assertEqual(os.listdir(self.folder), ["own.pem"])

    def test_it_is_for_the_given_names_and_for_loopback(self) -> None:
        [certificate] = ensure_own(self.path, NAMES, NOW).chain
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        self.assertEqual(
            names.get_values_for_type(x509.DNSName), ["mail.example.org", "localhost"]
        )
        self.assertEqual(
            set(names.get_values_for_type(x509.IPAddress)),
            set(map(ip_address, ["192.0.2.7", "127.0.0.1", "::1"])),
        )

    def test_its_key_is_on_p256_and_it_serves_for_nothing_else(self) -> None:
        identity = ensure_own(self.path, NAMES, NOW)
        self.assertIsInstance(identity.key.curve, ec.SECP256R1)
        extensions = identity.chain[0].extensions
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        self.assertFalse(basic.ca)

    def test_it_is_valid_from_yesterday_for_as_long_as_clients_bear(self) -> None:
        [certificate] = ensure_own(self.path, NAMES, NOW).chain
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        self.assertLess(start, NOW)
        self.assertEqual(end - start, VALIDITY)

    def test_it_is_made_anew_before_it_ends(self) -> None:
        first = ensure_own(self.path, NAMES, NOW)
        due = first.expires - RENEWAL
        early = ensure_own(self.path, NAMES, due - timedelta(seconds=1))
        self.assertEqual(early.chain, first.chain)
        late = ensure_own(self.path, NAMES, due)
        self.assertNotEqual(late.chain, first.chain)
        self.assertEqual(read_identity(self.path, self.path).chain, late.chain)

    def test_it_is_made_anew_for_another_name(self) -> None:
        first = ensure_own(self.path, NAMES, NOW)
        other = ensure_own(self.path, ["other.example.org"], NOW)
        self.assertNotEqual(other.chain, first.chain)
        self.assertTrue(other.covers(["other.example.org"]))
        self.assertFalse(other.covers(["mail.example.org"]))

    def test_a_damaged_one_is_not_overwritten(self) -> None:
        self.write("own.pem", b"nonsense")
        self.assertRaises(CertificateFault, ensure_own, self.path, NAMES, NOW)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), b"nonsense")

    def test_a_folder_that_is_missing_is_told(self) -> None:
        path = os.path.join(self.folder, "none", "own.pem")
        error = self.assertRaises(CertificateFault, ensure_own, path, NAMES, NOW)
        self.assertEqual(str(error), f"{path}: No such file or directory")

    def test_a_certificate_that_cannot_be_written_leaves_nothing_behind(self) -> None:
        def fail(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", fail)
        error = self.assertRaises(CertificateFault, ensure_own, self.path, NAMES, NOW)
        self.assertEqual(str(error), f"{self.path}: No space left on device")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_long_name_fits_as_well(self) -> None:
        name = ".".join(["a" * 60] * 4)
        self.assertTrue(ensure_own(self.path, [name], NOW).covers([name]))


class GivenFilesTests(Folder):
    """Certificates and keys that somebody else made."""

    def setUp(self) -> None:
        super().setUp()
        self.identity = make_identity(NAMES, NOW)
        self.certificate = self.write("c.pem", pem_of(self.identity))
        self.key = self.write("k.pem", key_pem_of(self.identity))

    def refusal(self, certificate: str, key: str) -> str:
        return str(self.assertRaises(CertificateFault, read_identity, certificate, key))

    def test_a_certificate_and_its_key_are_read(self) -> None:
        identity = read_identity(self.certificate, self.key)
        self.assertEqual(identity.chain, self.identity.chain)
        self.assertEqual(identity.expires, self.identity.expires)

    def test_a_chain_keeps_its_order(self) -> None:
        other = make_identity(("other.example.org",), NOW)
        path = self.write("chain.pem", pem_of(self.identity) + pem_of(other))
        chain = read_identity(path, self.key).chain
        self.assertEqual(chain, self.identity.chain + other.chain)

    def test_a_key_that_others_may_read_or_write_is_refused(self) -> None:
        for mode in (0o640, 0o604, 0o620, 0o601, 0o644, 0o660):
            os.chmod(self.key, mode)
            self.assertEqual(
                self.refusal(self.certificate, self.key),
                f"{self.key}: others may read or write this key (mode {mode:04o});"
                f" run: chmod 600 {self.key}",
            )
        for mode in (0o600, 0o400):
            os.chmod(self.key, mode)
            read_identity(self.certificate, self.key)

    def test_a_certificate_may_be_read_by_all(self) -> None:
        os.chmod(self.certificate, 0o644)
        read_identity(self.certificate, self.key)

    def test_what_is_no_pem_is_named(self) -> None:
        self.assertEqual(
            self.refusal(self.key, self.key),
            f"{self.key}: expected certificates in PEM",
        )
        self.assertEqual(
            self.refusal(self.certificate, self.certificate),
            f"{self.certificate}: expected a private key in PEM",
        )

    def test_another_certificate_s_key_is_refused(self) -> None:
        key = self.write("o.pem", key_pem_of(make_identity(NAMES, NOW)))
        self.assertEqual(
            self.refusal(self.certificate, key),
            f"{key}: not the key of the certificate in {self.certificate}",
        )

    def test_a_key_with_a_password_is_refused(self) -> None:
        key = self.write("locked.pem", key_pem_of(self.identity, b"secret"))
        self.assertEqual(
            self.refusal(self.certificate, key), f"{key}: the key has a password"
        )

    def test_missing_files_are_named(self) -> None:
        self.assertEqual(
            self.refusal(self.folder + "/no", self.key),
            f"{self.folder}/no: No such file or directory",
        )


def pem_of(identity: Identity) -> bytes:
    """The certificates of *identity*."""
    pem = serialization.Encoding.PEM
    return b"".join(each.public_bytes(pem) for each in identity.chain)


def key_pem_of(identity: Identity, password: bytes | None = None) -> bytes:
    """The key of *identity*, locked with *password* if there is one."""
    lock = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock
    )
