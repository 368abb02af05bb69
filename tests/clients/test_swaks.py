"""swaks(1), the Swiss army knife for SMTP."""

from __future__ import annotations

from .corpus import ALICE, BOB, korean, small
from .fixture import PASSWORD, ClientTests


class SwaksTests(ClientTests):
    """What an administrator tries first."""

    async def swaks(self, service: str, *options: object, **run) -> str:
        host, port = self.address(service)
        server = ("--server", host, "--port", port, "--to", ALICE)
        return await self.run_program("swaks", *server, *options, **run)

    @property
    def login(self) -> tuple[str, ...]:
        return (
            "--from", ALICE, "--auth-user", ALICE, "--auth-password", PASSWORD,
            "--tls-verify", "--tls-ca-path", self.certificate,
        )

    async def test_a_test_message_arrives(self):
        await self.swaks("smtp", "--from", BOB, "--header", "Subject: first mail")
        [message] = await self.delivered()
        self.assertEqual(message.subject, "first mail")

    async def test_a_korean_message_arrives_as_it_was(self):
        # swaks ends the last line by itself.
        path = self.write("mail", korean().removesuffix(b"\r\n"))
        await self.swaks("smtp", "--from", BOB, "--data", f"@{path}")
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, korean())

    async def test_starttls_and_both_kinds_of_login_work(self):
        for mechanism in ("PLAIN", "LOGIN"):
            output = await self.swaks(
                "submission", *self.login, "--tls", "--auth", mechanism
            )
            self.assertIn("~> AUTH", output)
        await self.delivered(2)

    async def test_implicit_tls_works(self):
        output = await self.swaks("submissions", *self.login, "--tlsc", "--auth")
        self.assertIn("TLS started with cipher TLSv1.3", output)
        await self.delivered()

    async def test_lmtp_works(self):
        await self.swaks("lmtp", "--from", BOB, "--protocol", "LMTP")
        await self.delivered()

    async def test_pipelining_works(self):
        await self.swaks("smtp", "--from", BOB, "--pipeline")
        await self.delivered()

    async def test_nobody_is_relayed_and_nobody_unknown_is_taken(self):
        for recipient in ("victim@example.com", "nobody@example.org"):
            output = await self.swaks("smtp", "--to", recipient, fails=True)
            self.assertIn("<** 550 5.", output)

    async def test_a_message_without_the_final_dot_is_no_message(self):
        """Row "truncation": what was not finished was not sent."""
        path = self.write("mail", small(1))
        await self.swaks("smtp", "--data", f"@{path}", "--drop-after-send", "data")
        await self.hub.deliver(ALICE, b"Subject: marker\r\n\r\n")
        [message] = await self.delivered()
        self.assertEqual(message.subject, "marker")
