"""openssl s_client: TLS as the library of most clients speaks it."""

from __future__ import annotations

from .fixture import ClientTests

#: Service, STARTTLS word of s_client, ALPN, how to say goodbye, and the answer to it.
SERVICES = [
    ("smtp", "smtp", "smtp", b"QUIT\r\n", "221 2.0.0"),
    ("submission", "smtp", "smtp", b"QUIT\r\n", "221 2.0.0"),
    ("submissions", None, "smtp", b"QUIT\r\n", "221 2.0.0"),
    ("pop3", "pop3", "pop3", b"QUIT\r\n", "+OK"),
    ("pop3s", None, "pop3", b"QUIT\r\n", "+OK"),
    ("imap", "imap", "imap", b"a LOGOUT\r\n", "a OK"),
    ("imaps", None, "imap", b"a LOGOUT\r\n", "a OK"),
]


class SClientTests(ClientTests):
    """RFC 3207, RFC 2595, RFC 8314, RFC 9325."""

    async def s_client(self, service, starttls, *options, stdin, fails=False):
        host, port = self.address(service)
        begin = ("-starttls", starttls) if starttls else ()
        return await self.run_program(
            "openssl", "s_client", "-connect", f"{host}:{port}", *begin,
            "-CAfile", self.certificate, "-verify_return_error", "-crlf",
            "-ign_eof", *options, stdin=stdin.replace(b"\r\n", b"\n"), fails=fails,
        )

    async def test_every_service_speaks_both_versions_of_tls(self):
        for service, starttls, _, goodbye, answer in SERVICES:
            for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
                output = await self.s_client(service, starttls, option, stdin=goodbye)
                self.assertIn("Verification: OK", output)
                self.assertIn(version, output)
                self.assertIn(answer, output)

    async def test_old_versions_are_refused(self):
        """RFC 8996: TLS 1.0 and 1.1 MUST NOT be used."""
        for service, starttls, _, goodbye, _ in SERVICES:
            for option in ("-tls1", "-tls1_1"):
                await self.s_client(
                    service, starttls, option, "-cipher", "ALL:@SECLEVEL=0",
                    stdin=goodbye, fails=True,
                )

    async def test_the_right_alpn_is_taken_and_a_browser_s_is_refused(self):
        """Attack: ALPACA, a browser led to a mail server."""
        for service, starttls, alpn, goodbye, answer in SERVICES:
            output = await self.s_client(
                service, starttls, "-alpn", alpn, stdin=goodbye
            )
            self.assertIn(f"ALPN protocol: {alpn}", output)
            self.assertIn(answer, output)
            await self.s_client(
                service, starttls, "-alpn", "http/1.1", stdin=goodbye, fails=True
            )

    async def test_the_server_does_not_renegotiate(self):
        host, port = self.address("imaps")
        output = await self.run_program(
            "openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2",
            stdin=b"R\na LOGOUT\n", fails=True,
        )
        self.assertIn("no renegotiation", output)
