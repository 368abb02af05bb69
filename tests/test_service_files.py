"""A whole server that is told by the classic files."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from threading import get_ident

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailhub.assembly.tables import threads_of
from mailhub.config.faults import ConfigError
from mailhub.watched.places import AccessPlace, Places

from .servers import MESSAGE, TIMEOUT, USER, Servers
from .watched.places import Folder


class FilesTests(Servers):
    """Aliases and an access table, from the files to SMTP's replies."""

    async def setUp(self) -> None:
        super().setUp()
        self.files = Folder(self.mktemp())
        aliases = self.files.write("aliases", "root: jo\nstaff: root\n")
        access = self.files.write(
            "access",
            "From:bad@example.com REJECT Not him\nTo:secret@ 550 5.1.1 Nobody\n"
            "To:null@ DISCARD\n",
        )
        relays = self.files.write("relays", "partner.example\n")
        self.places = Places(
            aliases=(aliases,),
            access=(AccessPlace(access),),
            relay_domains=(relays,),
            origin="example.org",
        )
        self.server = await self.start(self.memory(files=self.places))
        await self.add_user(self.server)

    def changed(self, **places):
        """The settings with other files."""
        return replace(self.server.config, files=replace(self.places, **places))

    async def replies(self, *commands: str) -> list[int]:
        def ask() -> list[int]:
            address = self.server.addresses()["smtp"]
            with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
                client.ehlo("far.example")
                return [client.docmd(command)[0] for command in commands]

        return await deferToThread(ask)

    async def rcpt(self, address: str) -> int:
        mail, rcpt = "MAIL FROM:<x@far.example>", f"RCPT TO:<{address}>"
        return (await self.replies(mail, rcpt))[-1]

    async def test_names_lead_to_mailboxes(self) -> None:
        def send() -> None:
            address = self.server.addresses()["smtp"]
            with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
                client.sendmail("x@far.example", ["staff@example.org"], MESSAGE)

        await deferToThread(send)
        account = await self.server.store.open_account(USER)
        self.assertEqual((await account.status("INBOX")).messages, 1)

    async def test_the_access_table_is_asked(self) -> None:
        self.assertEqual(await self.replies("MAIL FROM:<bad@example.com>"), [550])
        for address, code in (
            ("root@example.org", 250), ("nobody@example.org", 550),
            ("secret@example.org", 550),
        ):  # fmt: skip
            self.assertEqual(await self.rcpt(address), code, address)

    async def test_the_access_table_knows_the_names_of_peers(self) -> None:
        path = self.files.write("named", "Connect:localhost 554 5.7.1 Not from here\n")
        self.server.prepare(self.changed(access=(AccessPlace(path),)))()
        self.assertEqual(await self.replies("MAIL FROM:<x@far.example>"), [554])

    async def test_mail_for_relay_domains_is_taken_and_may_be_asked_for(self) -> None:
        self.assertEqual(await self.rcpt("x@mx.partner.example"), 250)
        self.assertEqual(await self.rcpt("x@other.example"), 550)
        for domain, code in (("mx.partner.example", 251), ("other.example", 459)):
            self.assertEqual(await self.replies(f"ETRN {domain}"), [code])

    async def test_mail_for_domains_below_one_may_be_asked_for(self) -> None:
        """RFC 1985, section 5.3."""
        path = self.files.write("held", "mx.partner.example HOLD\n")
        self.server.prepare(self.changed(access=(AccessPlace(path),)))()

        def send() -> None:
            address = self.server.addresses()["smtp"]
            with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
                client.sendmail("x@far.example", ["x@mx.partner.example"], MESSAGE)

        await deferToThread(send)
        for node, code in (
            ("partner.example", 251), ("@partner.example", 250),
            ("@mx.partner.example", 250), ("@x.mx.partner.example", 251),
            ("@artner.example", 459), ("@example", 459),
        ):  # fmt: skip
            self.assertEqual(await self.replies(f"ETRN {node}"), [code], node)

    async def test_a_faulty_file_stays_as_it_was_when_all_is_read_again(self) -> None:
        self.assertEqual(await self.rcpt("root@example.org"), 250)
        self.files.write("aliases", "root jo")
        self.server.prepare(self.server.config)()
        self.assertEqual(await self.rcpt("root@example.org"), 250)

    async def test_a_change_counts_at_once_when_all_is_read_again(self) -> None:
        self.assertEqual(await self.rcpt("new@example.org"), 550)
        self.files.write("aliases", "new: jo")
        self.server.prepare(self.server.config)()
        self.assertEqual(await self.rcpt("new@example.org"), 250)
        self.assertEqual(await self.rcpt("root@example.org"), 550)

    async def test_other_files_have_to_be_right_before_they_are_used(self) -> None:
        wrong = self.files.write("wrong", "root: jo\nwhat\n")
        error = self.assertRaises(
            ConfigError, self.server.prepare, self.changed(aliases=(wrong,))
        )
        self.assertTrue(str(error).startswith(f"{wrong}:2: "), error)
        other = self.files.write("other", "other: jo\n")
        self.server.prepare(self.changed(aliases=(other,)))()
        self.assertEqual(await self.rcpt("other@example.org"), 250)
        self.assertEqual(await self.rcpt("root@example.org"), 550)

    async def test_files_are_read_beside_the_reactor(self) -> None:
        seen = []
        in_thread = threads_of(reactor)
        self.assertEqual(await in_thread(lambda: seen.append(get_ident()) or 7), 7)
        self.assertNotEqual(seen, [get_ident()])
