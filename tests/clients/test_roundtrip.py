"""In by SMTP, back by POP3 and IMAP: the same octets, large, foreign and many."""

from __future__ import annotations

import imaplib
import poplib
import smtplib

from twisted.internet.defer import gatherResults

from .corpus import ALICE, BOB, huge, korean, small
from .fixture import PASSWORD, ClientTests

SMALL = 1000
CONNECTIONS = 4


class RoundTripTests(ClientTests):
    """Nothing but trace header lines is added, and nothing is lost."""

    timeout = 300

    async def test_what_goes_in_comes_back_as_it_was(self):
        await self.send_huge()
        await self.send_korean()
        await gatherResults(
            [self.in_thread(self.send_small, n) for n in range(CONNECTIONS)]
        )
        total = SMALL + 2
        self.assertEqual(len(await self.delivered(total)), total)
        for read in (self.read_by_pop3, self.read_by_imap):
            self.check(await self.in_thread(read))

    async def send_huge(self):
        host, port = self.address("smtp")
        path = self.write("huge", huge())
        await self.run_program(
            "curl", "--silent", "--show-error", "--ssl-reqd",
            "--cacert", self.certificate, f"smtp://{host}:{port}",
            "--mail-from", BOB, "--mail-rcpt", ALICE, "--upload-file", path,
        )  # fmt: skip

    async def send_korean(self):
        host, port = self.address("smtp")
        # swaks ends the last line by itself.
        path = self.write("korean", korean().removesuffix(b"\r\n"))
        await self.run_program(
            "swaks", "--server", host, "--port", port, "--from", BOB, "--to", ALICE,
            "--data", f"@{path}",
        )  # fmt: skip

    def send_small(self, connection: int) -> None:
        """Every so many-th of the small ones."""
        with smtplib.SMTP(*self.address("smtp")) as client:
            for number in range(connection, SMALL, CONNECTIONS):
                client.sendmail(BOB, [ALICE], small(number))

    def read_by_pop3(self) -> list[bytes]:
        client = poplib.POP3_SSL(*self.address("pop3s"), context=self.tls)
        client.user(ALICE)
        client.pass_(PASSWORD)
        count, _ = client.stat()
        found = [
            b"\r\n".join(client.retr(number)[1]) + b"\r\n"
            for number in range(1, count + 1)
        ]
        client.quit()
        return found

    def read_by_imap(self) -> list[bytes]:
        client = imaplib.IMAP4_SSL(*self.address("imaps"), ssl_context=self.tls)
        client.login(ALICE, PASSWORD)
        client.select("INBOX", readonly=True)
        _, parts = client.fetch("1:*", "(BODY.PEEK[])")
        client.logout()
        return [part[1] for part in parts if isinstance(part, tuple)]

    def check(self, found: list[bytes]) -> None:
        """*found* is everything that was sent, behind trace lines."""
        sent = {subject_of(message): message for message in map(small, range(SMALL))}
        sent[subject_of(huge())] = huge()
        sent[subject_of(korean())] = korean()
        self.assertEqual(len(found), len(sent))
        for message in found:
            self.assert_same_mail(message, sent.pop(subject_of(message)))
        self.assertEqual(sent, {})


def subject_of(message: bytes) -> bytes:
    """The subject, as it stands."""
    return message.partition(b"Subject: ")[2].partition(b"\r\nDate:")[0]
