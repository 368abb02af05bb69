"""The client's side of TLS."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.client_tls import ClientTLS, client_context


def hello(server_name: str, minimum_version: str = "TLSv1.2") -> bytes:
    """What a client says first."""
    creator = ClientTLS(client_context(minimum_version), server_name)
    connection = creator.clientConnectionForTLS(None)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return connection.bio_read(10_000)
    raise AssertionError("a handshake with nobody")


class ClientTLSTests(SynchronousTestCase):
    """RFC 6066, section 3; RFC 8996."""

    def test_it_says_whom_it_wants(self) -> None:
        self.assertIn(b"mx.example", hello("mx.example"))
        self.assertNotIn(b"mx.example", hello(""))

    def test_it_offers_nothing_old(self) -> None:
        # The extension supported_versions (43) with TLS 1.3 and 1.2, or 1.3 alone.
        self.assertIn(b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03", hello(""))
        self.assertIn(b"\x00\x2b\x00\x03\x02\x03\x04", hello("", "TLSv1.3"))

    def test_whoever_is_there_will_do_at_first(self) -> None:
        self.assertEqual(client_context().get_verify_mode(), SSL.VERIFY_NONE)
