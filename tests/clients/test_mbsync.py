"""mbsync(1): a mailbox here and there, kept the same."""

from __future__ import annotations

import re
from pathlib import Path

from .corpus import ALICE, korean, small
from .fixture import PASSWORD, ClientTests

CONFIGURATION = """
IMAPAccount server
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType {ssl}
CertificateFile {certificate}
AuthMechs LOGIN

IMAPStore far
Account server

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""
_TUID = re.compile(rb"X-TUID: .*\n")
BOXES = ("INBOX", "Archive", "Sent", "Work/2026")


class MbsyncTests(ClientTests):
    """A full two-way copy; a second run has nothing to do."""

    async def setUp(self):
        await super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()

    async def sync(self, service: str = "imaps", ssl: str = "IMAPS") -> None:
        """One run."""
        host, port = self.address(service)
        configuration = self.write(
            "mbsyncrc",
            CONFIGURATION.format(
                host=host, port=port, user=ALICE, password=PASSWORD, ssl=ssl,
                certificate=self.certificate, mail=self.mail,
            ),
        )
        await self.run_program("mbsync", "-c", configuration, "all")

    async def assert_nothing_to_do(self, *options: str) -> None:
        """A run leaves everything, here and there, as it is."""
        before = await self.state()
        await self.sync(*options)
        self.assertEqual(await self.state(), before)

    async def state(self) -> tuple[dict, dict]:
        """All mailboxes' counters there, and all files here."""
        account = await self.hub.service.store.open_account(ALICE)
        names = [info.name for info in await account.mailboxes()]
        there = {name: await account.status(name) for name in names}
        return there, self.everything_here()

    def everything_here(self) -> dict[str, bytes]:
        """The octets of all files here, by name."""
        files = [path for path in self.mail.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}

    def files(self, box: str) -> list[Path]:
        """The messages of a mailbox here."""
        return sorted((self.mail / box).glob("[cn]*/*"))

    async def test_what_is_there_comes_here_and_stays(self):
        account = await self.hub.service.store.open_account(ALICE)
        await account.create("Work/2026")
        sent = {box: [small(n) for n in range(25)] + [korean()] for box in BOXES}
        for box, messages in sent.items():
            for message in messages:
                await self.hub.deliver(ALICE, message, mailbox=box)
        await self.sync()
        for box, messages in sent.items():
            here = sorted(
                # mbsync's own mark, in the header of what it has copied.
                _TUID.sub(b"", path.read_bytes(), count=1)
                for path in self.files(box)
            )
            self.assertEqual(here, sorted(m.replace(b"\r\n", b"\n") for m in messages))
        await self.assert_nothing_to_do()
        await self.assert_nothing_to_do("imap", "STARTTLS")

    async def test_what_changes_here_changes_there_and_the_other_way(self):
        for number in range(6):
            await self.hub.deliver(ALICE, small(number))
        await self.sync()
        self.change_here()
        mailbox = await (await self.hub.service.store.open_account(ALICE)).open("INBOX")
        await mailbox.expunge([1], deleted_only=False)
        await self.hub.deliver(ALICE, korean())
        await self.sync()
        await self.assert_nothing_to_do()
        there = {m.subject: m.flags for m in await self.hub.messages(ALICE)}
        self.assertNotIn("small 0", there)
        self.assertNotIn("small 4", there)
        self.assertIn("\\Flagged", there["small 3"])
        self.assertEqual(len(there), 6)
        here = {subject_of(path.read_bytes()) for path in self.files("INBOX")}
        self.assertEqual(len(here), 6)
        self.assertIn("small 99", there)
        self.assertIn(subject_of(korean()), here)

    def change_here(self) -> None:
        """Flag one message, delete one, and write one."""
        by_subject = {
            subject_of(path.read_bytes()): path for path in self.files("INBOX")
        }
        flagged, deleted = by_subject[b"small 3"], by_subject[b"small 4"]
        name = flagged.name.partition(":2,")[0]
        flagged.rename(self.mail / "INBOX" / "cur" / f"{name}:2,F")
        deleted.unlink()
        written = small(99).replace(b"\r\n", b"\n")
        (self.mail / "INBOX" / "new" / "1795225600.1_1.here").write_bytes(written)


def subject_of(message: bytes) -> bytes:
    """The first line of the subject, as it stands."""
    return message.partition(b"Subject: ")[2].partition(b"\n")[0].rstrip()
