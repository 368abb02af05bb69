from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailhub.net.certificates import CertificateFault, Identity, make_identity
from mailhub.net.server_tls import FIRST_OUTPUT, HANDSHAKE, PIECE, CertificateStore

NOW = datetime(2026, 7, 1, tzinfo=UTC)
IDENTITY = make_identity(("mail.example.org",), NOW)
OTHER = make_identity(("other.example.org",), NOW)


def client(
    alpn: list[bytes] | None = None,
    *,
    newest: int = SSL.TLS1_3_VERSION,
    ciphers: bytes = b"ALL:@SECLEVEL=0",
) -> SSL.Connection:
    """A client that trusts everybody."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(newest)
    context.set_cipher_list(ciphers)
    if alpn:
        context.set_alpn_protos(alpn)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    return connection


def pump(one: SSL.Connection, other: SSL.Connection) -> None:
    """Carry what *one* has to say over to *other*."""
    while True:
        try:
            other.bio_write(one.bio_read(65536))
        except SSL.WantReadError:
            return


def shake_hands(near: SSL.Connection, far: SSL.Connection) -> None:
    """Let client *near* and server *far* agree, or raise the first one's error."""
    far.set_accept_state()
    for _ in range(4):
        for one, other in ((near, far), (far, near)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            finally:
                pump(one, other)


class ServerTLSTests(SynchronousTestCase):
    """What the server agrees on."""

    def setUp(self) -> None:
        self.given = IDENTITY
        self.store = CertificateStore(lambda: self.given)

    def talk(self, near: SSL.Connection, protocol: bytes = b"imap") -> SSL.Connection:
        far = self.store.server(protocol).serverConnectionForTLS(None)
        shake_hands(near, far)
        return far

    def test_it_is_what_twisted_starts_tls_with(self) -> None:
        server = self.store.server(b"imap")
        self.assertTrue(verifyObject(IOpenSSLServerConnectionCreator, server))

    def test_tls_1_3_and_1_2_are_spoken(self) -> None:
        for newest, name in (
            (SSL.TLS1_3_VERSION, "TLSv1.3"),
            (SSL.TLS1_2_VERSION, "TLSv1.2"),
        ):
            near = client(newest=newest)
            self.talk(near)
            self.assertEqual(near.get_protocol_version_name(), name)

    def test_older_versions_are_refused(self) -> None:
        for newest in (SSL.TLS1_1_VERSION, SSL.TLS1_VERSION):
            self.assertRaises(SSL.Error, self.talk, client(newest=newest))

    def test_a_higher_minimum_refuses_tls_1_2(self) -> None:
        self.store = CertificateStore(lambda: self.given, "TLSv1.3")
        self.talk(client())
        near = client(newest=SSL.TLS1_2_VERSION)
        self.assertRaises(SSL.Error, self.talk, near)

    def test_suites_without_forward_secrecy_or_authentication_are_refused(self) -> None:
        for ciphers in (b"AES128-GCM-SHA256", b"ECDHE-ECDSA-AES128-SHA", b"aNULL"):
            near = client(newest=SSL.TLS1_2_VERSION, ciphers=ciphers + b":@SECLEVEL=0")
            self.assertRaises(SSL.Error, self.talk, near)

    def test_a_client_without_alpn_is_served(self) -> None:
        near = client()
        self.talk(near)
        self.assertEqual(near.get_alpn_proto_negotiated(), b"")

    def test_a_client_that_offers_our_protocol_gets_it(self) -> None:
        near = client([b"h2", b"imap"])
        self.talk(near)
        self.assertEqual(near.get_alpn_proto_negotiated(), b"imap")

    def test_a_browser_led_to_a_mail_port_is_refused(self) -> None:
        """RFC 7301, section 3.2; attack: ALPACA."""
        for offered in ([b"http/1.1"], [b"h2", b"http/1.1"], [b"pop3"]):
            near = client(offered)
            far = self.store.server(b"imap").serverConnectionForTLS(None)
            error = self.assertRaises(SSL.Error, shake_hands, near, far)
            self.assertIn("ALPN offers", str(error))
            error = self.assertRaises(SSL.Error, near.do_handshake)
            self.assertIn("no application protocol", str(error))

    def test_each_protocol_has_its_own_name(self) -> None:
        near = client([b"smtp"])
        self.talk(near, b"smtp")
        self.assertRaises(SSL.Error, self.talk, client([b"smtp"]), b"imap")
        self.assertIs(self.store.server(b"imap"), self.store.server(b"imap"))

    def test_renegotiation_is_refused(self) -> None:
        near = client(newest=SSL.TLS1_2_VERSION)
        far = self.talk(near)
        self.assertTrue(near.renegotiate())
        self.assertRaises(SSL.WantReadError, near.do_handshake)
        pump(near, far)
        self.assertRaises(SSL.WantReadError, far.recv, 1)
        pump(far, near)
        error = self.assertRaises(SSL.Error, near.do_handshake)
        self.assertIn("no renegotiation", str(error))

    def test_no_session_outlives_its_connection(self) -> None:
        near = client(newest=SSL.TLS1_2_VERSION)
        self.talk(near)
        session = near.get_session()
        again = SSL.Connection(near.get_context(), None)
        again.set_connect_state()
        again.set_session(session)
        self.talk(again)
        self.assertNotEqual(again.master_key(), near.master_key())

    def test_a_reload_is_for_the_next_handshake(self) -> None:
        before = client()
        far = self.talk(before)
        self.given = OTHER
        self.store.reload()
        after = client()
        self.talk(after)
        self.assertEqual(certificate_of(before), IDENTITY.chain[0])
        self.assertEqual(certificate_of(after), OTHER.chain[0])
        far.send(b"still here")
        pump(far, before)
        self.assertEqual(before.recv(100), b"still here")

    def test_a_broken_new_certificate_leaves_the_old_one_in_use(self) -> None:
        self.talk(client())
        self.given = Identity(OTHER.chain, IDENTITY.key)
        self.assertRaises(CertificateFault, self.store.reload)
        near = client()
        self.talk(near)
        self.assertEqual(certificate_of(near), IDENTITY.chain[0])
        self.assertIs(self.store.identity, IDENTITY)

    def test_the_whole_chain_is_sent(self) -> None:
        self.given = Identity(IDENTITY.chain + OTHER.chain, IDENTITY.key)
        self.store.reload()
        near = client()
        self.talk(near)
        sent = near.get_peer_cert_chain(as_cryptography=True)
        self.assertEqual(tuple(sent), self.given.chain)


def certificate_of(connection: SSL.Connection):
    """What the server showed."""
    return connection.get_peer_certificate(as_cryptography=True)


def record(octets: int) -> bytes:
    """The beginning of a hello that needs many, in a record of so many octets."""
    hello = b"\x01\x00\xff\xff\x03\x03".ljust(octets - 5, b"x")
    return b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello


class FrugalConnectionTests(SynchronousTestCase):
    """What a stranger may say before TLS is agreed on (RFC 8446, section 5.1)."""

    def setUp(self) -> None:
        store = CertificateStore(lambda: IDENTITY)
        self.far = store.server(b"imap").serverConnectionForTLS(None)
        self.far.set_accept_state()

    def hear(self, data: bytes) -> None:
        self.far.bio_write(data)
        self.far.do_handshake()

    def test_a_handshake_may_have_so_many_octets(self) -> None:
        half = HANDSHAKE // 2
        self.assertRaises(SSL.WantReadError, self.hear, record(half))
        self.assertRaises(SSL.WantReadError, self.hear, b"\x16\x03\x01")
        rest = (half - 5).to_bytes(2, "big") + b"x" * (half - 5)
        self.assertRaises(SSL.WantReadError, self.hear, rest)

    def test_a_hello_of_more_octets_is_refused_before_they_come(self) -> None:
        half = HANDSHAKE // 2
        self.assertRaises(SSL.WantReadError, self.hear, record(half))
        with self.assertRaises(SSL.Error) as caught:
            self.hear(b"\x16\x03\x01" + (half - 4).to_bytes(2, "big"))
        self.assertNotIsInstance(caught.exception, SSL.WantReadError)

    def test_what_is_no_tls_is_refused_at_once(self) -> None:
        with self.assertRaises(SSL.Error) as caught:
            self.hear(b"EHLO client.example.net\r\n")
        self.assertNotIsInstance(caught.exception, SSL.WantReadError)

    def test_octets_one_by_one_are_a_handshake_too(self) -> None:
        near = client()
        for _ in range(2):
            with contextlib.suppress(SSL.WantReadError):
                near.do_handshake()
            for octet in near.bio_read(65_536):
                with contextlib.suppress(SSL.WantReadError):
                    self.hear(bytes([octet]))
            with contextlib.suppress(SSL.WantReadError):
                pump(self.far, near)
        self.far.send(b"agreed")
        pump(self.far, near)
        self.assertEqual(near.recv(100), b"agreed")

    def test_what_comes_with_the_end_of_the_handshake_is_read(self) -> None:
        near = client()
        self.assertRaises(SSL.WantReadError, near.do_handshake)
        self.assertRaises(SSL.WantReadError, self.hear, near.bio_read(65_536))
        pump(self.far, near)
        near.do_handshake()
        said = b"a CAPABILITY\r\n" * 3_000
        near.sendall(said)
        self.hear(near.bio_read(1 << 17))
        heard = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                heard += self.far.recv(1 << 15)
        self.assertEqual(heard, said)

    def test_the_first_output_is_cut_and_what_follows_is_not(self) -> None:
        shake_hands(near := client(), self.far)
        data, sent, heard = b"x" * (FIRST_OUTPUT + 3 * PIECE), [], b""
        while data:
            sent.append(self.far.send(data))
            data = data[sent[-1] :]
            pump(self.far, near)
            heard += near.recv(1 << 15)
        self.assertEqual(sent, [PIECE] * (FIRST_OUTPUT // PIECE) + [3 * PIECE])
        self.assertEqual(heard, b"x" * sum(sent))
