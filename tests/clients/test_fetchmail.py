"""fetchmail(1): drains a mailbox by POP3 and by IMAP."""

from __future__ import annotations

from .corpus import ALICE, korean, small
from .fixture import PASSWORD, ClientTests


class FetchmailTests(ClientTests):
    """RFC 1939 and RFC 3501 as a program of 1996 speaks them."""

    async def fetch(self, protocol: str, service: str, options: str) -> bytes:
        """Fetch everything.  -> the messages one after the other, ended by LF"""
        port = self.hub.port(service)
        fetched = self.folder / "fetched"
        fetched.write_bytes(b"")
        rc = self.write(
            "fetchmailrc",
            f"""
            poll localhost service {port} protocol {protocol}
                username "{ALICE}" password "{PASSWORD}"
                mda "cat >> {fetched}" fetchall {options}
                sslcertck sslcertfile {self.certificate}
            """,
        )
        await self.run_program(
            "fetchmail", "--fetchmailrc", rc, "--invisible", "--nosyslog",
            "--pidfile", self.folder / "pid", "--idfile", self.folder / "ids",
        )
        return fetched.read_bytes()

    async def test_a_mailbox_is_drained_whole(self):
        messages = [korean(), *map(small, range(30))]
        for protocol, service, options in (
            ("pop3", "pop3s", "ssl"),
            ("imap", "imaps", "ssl"),
            ("pop3", "pop3", "sslproto tls1.2+"),
            ("imap", "imap", "sslproto tls1.2+"),
        ):
            for message in messages:
                await self.hub.deliver(ALICE, message)
            fetched = await self.fetch(protocol, service, options)
            position = 0
            for message in messages:
                body = message.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
                found = fetched.find(body, position)
                self.assertGreaterEqual(found, position, message[:300])
                position = found
            self.assertEqual(await self.hub.messages(ALICE), [])
