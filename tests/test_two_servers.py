"""From a user of one server to a user of another, as DNS leads.

Two whole servers, Knot with a signed zone and Unbound that validates it; swaks sends,
and the mail is read by POP3 and IMAP.
"""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import subprocess
from dataclasses import replace

from twisted.internet.threads import deferToThread

from mailhub.auth.schemes import hash_password
from mailhub.config.kinds import Endpoint
from mailhub.config.settings import DNS, TLS, Outbound, Server
from mailhub.observing.samples import collect
from mailhub.service import MailService

from .dns_servers import RealNames
from .outbound.authority import issue, tlsa
from .processes.fleet import until
from .programs import require
from .servers import PASSWORD, TIMEOUT, USER, Servers, trusting, write

FAR = "far.example"
FAR_USER = f"al@{FAR}"


class TwoServersTests(Servers):
    """RFC 5321, section 3.6: a message that is relayed."""

    async def set_up(self, *, published=None):
        """Both servers, and the names that lead from here to there.

        :param published: whose certificate is in DNS, if not the far server's.
        """
        issued = issue(f"mx.{FAR}")
        path = self.mktemp()
        write(path, issued.pem.decode())
        self.far = await self.start(
            replace(
                self.config,
                server=Server(data=self.folder + "-far", host_name=f"mx.{FAR}"),
                tls=TLS(certificate=path, key=path),
            )
        )
        await self.far.store.directory.add_account(FAR_USER, hash_password(PASSWORD))
        port = self.far.addresses()["smtp"][1]
        record = tlsa(3, 1, 1, (published or issued).certificate)
        names = RealNames(
            {FAR: f"@ MX 10 mx\nmx A 127.0.0.1\n"
                  f"_{port}._tcp.mx TLSA 3 1 1 {record.data.hex()}\n"},
            (FAR,),
        )  # fmt: skip
        self.addCleanup(names.stop)
        names.start()
        resolver = Endpoint(names.resolver.host, names.resolver.port)
        self.near = await self.start(
            replace(
                self.config,
                dns=DNS(servers=(resolver,)),
                outbound=Outbound(allow_private=True, families="ipv4", port=port),
            )
        )
        await self.add_user(self.near)

    async def send(self, recipient):
        address = self.near.addresses()["submission"]
        await deferToThread(submit, address, USER, recipient)

    async def read_by_imap(self, server, user):
        return await deferToThread(by_imap, server.addresses()["imap"], user)

    async def test_mail_goes_over_tls_that_dns_has_proved_and_can_be_read(self):
        await self.set_up()
        await self.send(FAR_USER)
        text = await self.read_by_imap(self.far, FAR_USER)
        self.assertIn(b"Subject: over there", text)
        self.assertIn(b"with ESMTPS", text)
        address = self.far.addresses()["pop3s"]
        self.assertEqual(
            await deferToThread(by_pop3, address, FAR_USER), text.splitlines()
        )

    async def test_who_does_not_exist_there_is_told_to_the_sender(self):
        await self.set_up()
        await self.send(f"nobody@{FAR}")
        text = await self.read_by_imap(self.near, USER)
        self.assertIn(b"multipart/report", text)
        self.assertIn(f"Final-Recipient: rfc822; nobody@{FAR}".encode(), text)
        self.assertIn(b"Status: 5.1.1", text)

    async def test_a_domain_that_does_not_exist_is_told_to_the_sender(self):
        await self.set_up()
        await self.send("al@nowhere.example")
        text = await self.read_by_imap(self.near, USER)
        self.assertIn(b"Status: 5.1.2", text)

    async def test_addresses_and_headers_in_utf_8_go_all_the_way(self):
        """RFC 6531."""
        await self.set_up()
        user = f"jö@{FAR}"
        await self.far.store.directory.add_account(user, hash_password(PASSWORD))
        message = "Subject: grüße\r\n\r\nschön\r\n".encode()

        def talk():
            with smtplib.SMTP(*self.near.addresses()["submission"]) as client:
                client.starttls(context=trusting())
                client.login(USER, PASSWORD)
                options = ["SMTPUTF8", "BODY=8BITMIME"]
                client.sendmail(USER, [user, f"ü@{FAR}"], message, options)

        await deferToThread(talk)
        text = await self.read_by_imap(self.near, USER)
        self.assertIn(f"Final-Recipient: utf-8; ü@{FAR}".encode(), text)
        self.assertIn(b"Status: 5.1.1", text)
        account = await self.far.store.open_account(user)
        self.assertEqual((await account.status("INBOX")).messages, 1)

    async def test_mail_waits_for_the_server_that_dns_has_proved(self):
        await self.set_up(published=issue(f"mx.{FAR}"))
        await self.send(FAR_USER)
        await deferToThread(until, lambda: attempts(self.near, "delayed"), TIMEOUT)
        account = await self.far.store.open_account(FAR_USER)
        self.assertEqual((await account.status("INBOX")).messages, 0)
        self.assertIsNotNone(await self.near.store.queue.next_due(0.0))


def attempts(server: MailService, outcome: str) -> float:
    """How many have ended so."""
    counts = collect(server)["mailhub_queue_attempts_total"]
    return next(value for labels, value in counts if labels == [outcome])


def submit(address: tuple[str, int], sender: str, recipient: str) -> None:
    """Send a message by swaks, logged in and in TLS."""
    host, port = address
    command = [
        require("swaks"), "--server", f"{host}:{port}", "--tls", "--auth", "PLAIN",
        "--auth-user", sender, "--auth-password", PASSWORD, "--from", sender, "--to",
        recipient, "--header", "Subject: over there", "--timeout", str(TIMEOUT),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)


def by_imap(address: tuple[str, int], user: str) -> bytes:
    """The first message of a mailbox, as soon as there is one."""
    with imaplib.IMAP4(*address, timeout=TIMEOUT) as client:
        client.login(user, PASSWORD)
        client.select()

        def found() -> bytes:
            client.noop()
            _, [uids] = client.uid("SEARCH", "ALL")
            return bytes(uids)

        until(found, TIMEOUT)
        _, [(_, text), _] = client.uid("FETCH", found().split()[0].decode(), "BODY[]")
        return bytes(text)


def all_by_imap(address: tuple[str, int], user: str, count: int) -> list[bytes]:
    """The messages of a mailbox, as soon as there are so many.

    :raises AssertionError: there are more.
    """
    with imaplib.IMAP4(*address, timeout=TIMEOUT) as client:
        client.login(user, PASSWORD)
        until(lambda: int(client.select()[1][0]) >= count, TIMEOUT)
        _, parts = client.fetch("1:*", "BODY.PEEK[]")
        found = [part[1] for part in parts if isinstance(part, tuple)]
    if len(found) != count:
        raise AssertionError(f"{len(found)} messages")
    return found


def by_pop3(address: tuple[str, int], user: str) -> list[bytes]:
    """The lines of the first message of a maildrop."""
    client = poplib.POP3_SSL(*address, timeout=TIMEOUT, context=trusting())
    client.user(user)
    client.pass_(PASSWORD)
    _, lines, _ = client.retr(1)
    client.quit()
    return lines
