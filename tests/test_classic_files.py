"""The classic files as courses for administrators teach them, on a whole server."""

from __future__ import annotations

import os
import smtplib
from itertools import count
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailhub.watched.places import AccessPlace, Places

from .servers import MESSAGE, TIMEOUT, Servers

USERS = ("ihduser", "kaituser", "posein")
ALIASES = """\
# Whom mail of these names goes to.
webmaster: ihduser, kaituser
admin:     :include:{folder}/mail_admin
"""
ACCESS = """\
192.0.2                      RELAY
spam.example                 REJECT
abuse@add.example            DISCARD
nice@spam.example            OK
"""
VIRTUSERTABLE = "ceo@virtual.example   ihduser\ncto@virtual.example   kaituser\n"


class ClassicFilesTests(Servers):
    """/etc/aliases, access, virtusertable, local-host-names and ~/.forward."""

    def setUp(self) -> None:
        super().setUp()
        self.numbering = count()

    async def start_server(self, **changes: str) -> None:
        """A server for the users of ``example.org``, with the files of before."""
        self.etc = Path(self.folder, f"etc-{next(self.numbering)}")
        os.makedirs(self.etc)
        for name, text in {
            "aliases": ALIASES.format(folder=self.etc),
            "mail_admin": "ihduser\nposein\n",
            "access": ACCESS,
            "virtusertable": VIRTUSERTABLE,
            "local-host-names": "example.org\nvirtual.example\n",
            "forward-posein": "",
            **changes,
        }.items():
            self.write(name, text)
        path = {name: str(self.etc / name) for name in os.listdir(self.etc)}
        places = Places(
            aliases=(path["aliases"],),
            access=(AccessPlace(path["access"]),),
            virtusertable=(path["virtusertable"],),
            local_host_names=(path["local-host-names"],),
            origin="example.org",
        )
        self.server = await self.start(self.memory(files=places))
        for user in USERS:
            await self.server.store.directory.add_account(f"{user}@example.org", "")

    def write(self, name: str, text: str) -> None:
        path = self.etc / name
        path.write_text(text)
        path.chmod(0o644)

    async def send(self, *recipients: str, sender: str = "x@far.example") -> list[int]:
        """What the server says of MAIL, of each RCPT, and of the message."""

        def talk() -> list[int]:
            address = self.server.addresses()["smtp"]
            with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
                client.ehlo("far.example")
                codes = [client.mail(sender)[0]]
                codes += [client.rcpt(each)[0] for each in recipients]
                if 250 in codes[1:]:
                    codes.append(client.data(MESSAGE)[0])
                return codes

        return await deferToThread(talk)

    async def numbers(self) -> list[int]:
        """How many messages each user has."""
        found = []
        for user in USERS:
            account = await self.server.store.open_account(f"{user}@example.org")
            found.append((await account.status("INBOX")).messages)
        return found

    async def test_aliases_lead_to_several_and_to_lists_in_files(self):
        await self.start_server()
        await self.send("webmaster@example.org")
        self.assertEqual(await self.numbers(), [1, 1, 0])
        await self.send("admin@example.org")
        self.assertEqual(await self.numbers(), [2, 1, 1])

    async def test_virtual_users_lead_to_users(self):
        await self.start_server()
        codes = await self.send("ceo@virtual.example", "cto@virtual.example")
        self.assertEqual(codes, [250, 250, 250, 250])
        self.assertEqual(await self.numbers(), [1, 1, 0])
        self.assertEqual((await self.send("x@virtual.example"))[1], 550)

    async def test_access_by_domain_and_address(self):
        await self.start_server()
        to = "ihduser@example.org"
        self.assertEqual((await self.send(to, sender="x@spam.example"))[0], 550)
        self.assertEqual((await self.send(to, sender="x@sub.spam.example"))[0], 550)
        self.assertEqual(await self.numbers(), [0, 0, 0])
        codes = await self.send(to, sender="nice@spam.example")
        self.assertEqual((codes, await self.numbers()), ([250] * 3, [1, 0, 0]))
        codes = await self.send(to, sender="abuse@add.example")
        self.assertEqual((codes, await self.numbers()), ([250] * 3, [1, 0, 0]))

    async def test_access_by_ip_address(self):
        for line, code in (
            ("127.0.0.1 RELAY\n", 250), ("127.0.0 RELAY\n", 250), ("", 550),
            ("192.0.2.1 RELAY\n", 550), ("127.0.0.1 OK\n", 550),
        ):
            await self.start_server(access=line)
            codes = await self.send("somebody@elsewhere.example")
            self.assertEqual(codes[1], code, line)
        await self.start_server(access="127.0.0.1 REJECT\n")
        self.assertIn(550, await self.send("ihduser@example.org"))

    async def test_changes_count_within_seconds(self):
        """Without a restart, ``newaliases`` or ``makemap``."""
        await self.start_server()
        new = "posein@youngjin-mail.com"
        self.assertEqual((await self.send(new))[1], 550)
        names = "example.org\nvirtual.example\nyoungjin-mail.com\n"
        self.write("local-host-names", names)
        self.write("aliases", "webmaster: posein\n")
        self.write("access", "From:late.example REJECT\n")
        self.write("virtusertable", "ceo@virtual.example posein\n")
        while (await self.send(new))[1] != 250:
            await deferLater(reactor, 0.05)
        to, late = "ihduser@example.org", "x@late.example"
        while (await self.send(to, sender=late))[0] != 550:
            await deferLater(reactor, 0.05)
        before = await self.numbers()
        await self.send("webmaster@example.org", "ceo@virtual.example")
        after = await self.numbers()
        self.assertEqual(after[2], before[2] + 1)
        self.assertEqual(after[1], before[1])
