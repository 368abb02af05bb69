"""curl(1) for SMTP, IMAP and POP3."""

from __future__ import annotations

from .corpus import ALICE, BOB, korean, small
from .fixture import PASSWORD, ClientTests


class CurlTests(ClientTests):
    """A client that is on every machine."""

    async def curl(self, url: str, *options: object, **run) -> str:
        """Run curl, whose TLS has to trust the server's certificate."""
        trust = ("--silent", "--show-error", "--cacert", self.certificate)
        return await self.run_program("curl", *trust, *options, url, **run)

    def url(self, service: str, path: str = "", scheme: str = "") -> str:
        host, port = self.address(service)
        return f"{scheme or service}://{host}:{port}/{path}"

    @property
    def login(self) -> tuple[str, str]:
        return ("--user", f"{ALICE}:{PASSWORD}")

    async def test_a_file_is_sent_and_read_again(self):
        path = self.write("mail", korean())
        envelope = ("--mail-from", BOB, "--mail-rcpt", ALICE)
        await self.curl(self.url("smtp"), *envelope, "--upload-file", path)
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, korean())
        for url in (self.url("imap", "INBOX;UID=1"), self.url("pop3", "1")):
            out = self.folder / "out"
            await self.curl(url, *self.login, "--output", out)
            self.assertEqual(out.read_bytes(), message.raw)

    async def test_a_file_is_submitted_with_starttls_or_tls(self):
        path = self.write("mail", small(2))
        envelope = ("--mail-from", ALICE, "--mail-rcpt", ALICE, "--upload-file", path)
        url = self.url("submission", scheme="smtp")
        await self.curl(url, "--ssl-reqd", *self.login, *envelope)
        url = self.url("submissions", scheme="smtps")
        await self.curl(url, *self.login, *envelope)
        for message in await self.delivered(2):
            self.assert_same_mail(message.raw, small(2))

    async def test_implicit_tls_and_starttls_read_the_same(self):
        await self.hub.deliver(ALICE, small(3))
        expected = small(3).decode()
        for url, options in (
            (self.url("imaps", "INBOX;UID=1"), ()),
            (self.url("imap", "INBOX;UID=1"), ("--ssl-reqd",)),
            (self.url("pop3s", "1"), ()),
            (self.url("pop3", "1"), ("--ssl-reqd",)),
        ):
            self.assertEqual(await self.curl(url, *self.login, *options), expected)

    async def test_a_message_is_appended_and_searched(self):
        path = self.write("mail", small(4))
        await self.curl(self.url("imaps", "Drafts"), *self.login, "-T", path)
        [message] = await self.hub.messages(ALICE, "Drafts")
        self.assertEqual(message.raw, small(4))
        search = self.url("imaps", "Drafts?SUBJECT%20small")
        self.assertEqual(await self.curl(search, *self.login), "* SEARCH 1\r\n")

    async def test_mailboxes_are_listed(self):
        listed = await self.curl(self.url("imaps"), *self.login)
        for line in ("INBOX", "\\Sent", "\\Trash"):
            self.assertIn(line, listed)

    async def test_a_wrong_password_is_told(self):
        wrong = ("--user", f"{ALICE}:guess")
        for url in (self.url("imap"), self.url("pop3")):
            output = await self.curl(url, *wrong, fails=True)
            self.assertIn("(67)", output)
