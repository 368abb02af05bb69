"""Users of this machine send mail, whether the server runs or not."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailhub.assembly import taking_in
from mailhub.assembly.left_mail import DropFolder, user_name
from mailhub.config.settings import Local, Store
from mailhub.errors import LocalFault, MailboxExists
from mailhub.mail.mailbox import INBOX, Column
from mailhub.mail.queue_list import Selection

from .assembly.drops import ENVELOPE, STRANGER, Drops
from .programs import require
from .servers import TIMEOUT, USER, Servers

ROOT = Path(__file__).resolve().parents[1]
NAME = user_name(STRANGER)
#: What stands in the place of a program that is linked.
SCRIPT = f"""\
#!{sys.executable}
import sys
sys.path[:0] = {[str(ROOT), *sys.path]!r}
from mailhub.cli.classic.main import main
sys.argv[0] = "sendmail"
sys.exit(main())
"""


class LocalUsers(Drops, Servers):
    """A server with a folder for users, and somebody who is not it."""

    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        self.patch(taking_in, "INTERVAL", 0.02)
        self.config = replace(
            self.config,
            local=self.local,
            server=replace(self.config.server, data=os.path.join(self.place, "data")),
        )

    async def serve(self, **changes) -> None:
        self.server = await self.start(replace(self.config, **changes))
        with contextlib.suppress(MailboxExists):
            await self.add_user(self.server)

    async def has_served(self) -> None:
        """There was a server, which is why there is a user, and it has ended."""
        await self.serve()
        await self.server.stopService()

    async def mail(self, number: int) -> list[bytes]:
        """The user's messages, as soon as there are so many."""
        account = await self.server.store.open_account(USER)
        while (await account.status(INBOX)).messages < number:
            await deferLater(reactor, 0.02)
        box = await account.open(INBOX)
        rows = await box.fetch(range(1, number + 1), (Column.CONTENT,))
        return [await content.read(0, content.size) for _, content in rows]

    async def gone(self) -> None:
        """Wait until nothing lies in the folder any more."""
        while self.names():
            await deferLater(reactor, 0.02)


class FolderTests(LocalUsers):
    """What becomes of files in the folder."""

    async def test_mail_that_was_left_before_the_server_started_arrives(self):
        await self.has_served()
        self.leave()
        await self.serve()
        [octets] = await self.mail(1)
        host = "mail.example.org"
        self.assertIn(
            f"Received: by {host} (from user {NAME}, uid {STRANGER}) id ".encode(),
            octets,
        )
        for field in (b"Return-Path: <nobody@mail.", b"\r\nDate: ", b"\r\nMessage-ID:"):
            self.assertIn(field, octets)
        await self.gone()

    async def test_who_sends_in_another_s_name_is_told_of_in_the_message(self):
        for local, sender, is_told in (
            (self.local, f"{NAME}@mail.example.org", False),
            (self.local, "boss@far.example", True),
            (replace(self.local, trusted=(NAME,)), "boss@far.example", False),
        ):
            await self.serve(local=local, store=Store("memory"))
            self.leave(ENVELOPE.replace(b"nobody@mail.example.org", sender.encode()))
            [octets] = await self.mail(1)
            if os.geteuid() == 0:
                self.assertEqual(b"X-Authentication-Warning: " in octets, is_told)
            await self.gone()
            await self.server.stopService()

    async def test_what_nobody_gets_comes_back(self):
        await self.serve()
        sender = f"MAIL FROM:<{USER}> ENVID=mine\r\nRCPT TO:<".encode()
        rest = b">\r\nDATA\r\nSubject: x\n\nbody\n"
        self.leave(sender + b"nobody@example.org" + rest)
        [octets] = await self.mail(1)
        for line in (
            b"Return-Path: <>", b"Original-Envelope-Id: mine", b"Action: failed",
            b"Final-Recipient: rfc822; nobody@example.org", b"Status: 5.1.1",
        ):  # fmt: skip
            self.assertIn(line + b"\r\n", octets)

    async def test_as_much_of_it_comes_back_as_its_sender_wishes(self):
        """RFC 3461, section 4.3."""
        await self.serve(store=Store("memory"))
        for number, (words, has_body) in enumerate(
            ((b"RET=HDRS", False), (b"RET=FULL", True), (b"ENVID=x", True)), 1
        ):
            mail = f"MAIL FROM:<{USER}> ".encode() + words
            rest = b"\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\nSubject: x\n\nbody\n"
            self.leave(mail + rest)
            octets = (await self.mail(number))[-1]
            self.assertEqual(b"\r\nbody\r\n" in octets, has_body, words)
            self.assertIn(b"\r\nSubject: x\r\n", octets)

    async def test_other_settings_count_from_then_on(self):
        await self.serve(store=Store("memory"))
        mail = ENVELOPE.replace(b"nobody@mail.example.org", b"boss@far.example")
        self.leave(mail)
        await self.mail(1)
        config = self.server.config
        trusting = replace(config, local=replace(config.local, trusted=(NAME,)))
        self.server.prepare(trusting)()
        self.leave(mail)
        first, second = await self.mail(2)
        if os.geteuid() == 0:
            self.assertIn(b"X-Authentication-Warning: ", first)
        self.assertNotIn(b"X-Authentication-Warning: ", second)

    async def test_a_loop_comes_back_instead_of_going_on(self):
        await self.serve()
        rounds = b"Received: by x.example; Sat, 21 Nov 2026 11:00:00 +0000\n" * 60
        mail, rcpt = f"MAIL FROM:<{USER}>".encode(), f"RCPT TO:<{USER}>".encode()
        rest = b"\r\nDATA\r\n" + rounds + b"\nbody\n"
        self.leave(mail + b"\r\n" + rcpt + rest)
        [octets] = await self.mail(1)
        self.assertIn(b"Status: 5.4.6\r\n", octets)
        self.leave(b"MAIL FROM:<>\r\n" + rcpt + rest)
        self.leave(mail + b"\r\n" + rcpt + b" NOTIFY=NEVER" + rest)
        await self.gone()

    async def test_a_mailbox_that_is_full_is_tried_again_and_others_have_it(self):
        await self.serve()
        await self.server.store.directory.add_account("al@example.org", "", 1)
        two = b"RCPT TO:<al@example.org>\r\nDATA"
        self.leave(ENVELOPE.replace(b"DATA", two) + b"\nbody\n")
        await self.mail(1)
        await self.gone()
        waiting: list[str] = []
        while waiting != ["al@example.org"]:
            entries = await self.server.store.queue.entries(Selection(), 10)
            waiting = [row.recipient for each in entries for row in each.recipients]

    async def test_nothing_is_lost_while_it_cannot_be_stored(self):
        self.patch(taking_in, "RETRY", 0.05)
        await self.serve()
        whole, failures = type(self.server.store).deliver, iter(range(3))

        async def failing(store, delivery):
            if next(failures, None) is not None:
                raise LocalFault("the disk is full")
            return await whole(store, delivery)

        self.patch(type(self.server.store), "deliver", failing)
        self.leave()
        await self.mail(1)
        await self.gone()

    async def test_what_cannot_be_removed_is_not_delivered_again(self):
        self.patch(taking_in, "RETRY", 0.05)
        await self.serve()
        whole, failures = DropFolder.remove, iter(range(3))

        def failing(folder, waiting):
            if next(failures, None) is not None:
                raise PermissionError("read-only")
            whole(folder, waiting)

        self.patch(DropFolder, "remove", failing)
        self.leave()
        await self.gone()
        self.assertEqual(len(await self.mail(1)), 1)
        account = await self.server.store.open_account(USER)
        self.assertEqual((await account.status(INBOX)).messages, 1)
        self.flushLoggedErrors()


class ProgramTests(LocalUsers):
    """``sendmail`` and mail(1) as another user of the machine calls them."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest("needs root, to be somebody else")
        program = sys.executable
        for path in (program, os.path.realpath(program), str(ROOT / "x"), *sys.path):
            self.let_pass(os.path.abspath(path))
        self.program = Path(self.place, "sendmail")
        self.program.write_text(SCRIPT)
        self.program.chmod(0o755)
        self.environ = {
            "PATH": "/usr/bin:/bin", "HOME": self.place, "LC_ALL": "C.UTF-8",
            "MAILHUB_CONFIG": os.path.join(self.place, "mailhub.toml"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        self.configure(f'[local]\ndrop = "{self.drop}"\n')

    def configure(self, text: str) -> None:
        """What programs read of the configuration."""
        own = f'[server]\ndata = "{self.place}/data"\nhost_name = "mail.example.org"\n'
        path = Path(self.environ["MAILHUB_CONFIG"])
        path.write_text(own + text)
        path.chmod(0o644)

    def let_pass(self, path: str) -> None:
        """Let everybody pass through the folders above *path*, for this test."""
        for parent in Path(path).parents:
            mode = parent.stat().st_mode
            if mode & 0o011 != 0o011:
                self.addCleanup(os.chmod, parent, mode)
                os.chmod(parent, mode | 0o011)

    async def call(self, *command, text: str = "", code: int = 0):
        """Run a program as the other user.  -> what it wrote"""
        found = await deferToThread(
            subprocess.run,
            [
                require("setpriv"), f"--reuid={STRANGER}", f"--regid={STRANGER}",
                "--clear-groups", "--no-new-privs", *map(str, command),
            ],
            input=text.encode(), capture_output=True, env=self.environ,
            cwd="/", timeout=TIMEOUT, check=False,
        )  # fmt: skip
        self.assertEqual(found.returncode, code, found.stderr)
        return found.stdout.decode(), found.stderr.decode()

    async def test_sendmail_and_mail_work_while_the_server_does_and_does_not(self):
        await self.has_served()
        await self.call(self.program, "-t", text=f"To: {USER}\nSubject: one\n\nx\n")
        self.assertEqual(len(self.names()), 1)
        await self.serve()
        mail = require("s-nail")
        await self.call(mail, f"-Smta={self.program}", "-s", "two", USER, text="y\n")
        texts = await self.mail(2)
        await self.gone()
        for octets, subject in zip(texts, (b"one", b"two"), strict=True):
            self.assertIn(b"\r\nSubject: " + subject + b"\r\n", octets)
            self.assertIn(f"(from user {NAME}, uid {STRANGER})".encode(), octets)
            self.assertIn(f"Return-Path: <{NAME}@mail.".encode(), octets)
            self.assertNotIn(b"X-Authentication-Warning", octets)

    async def test_smtp_on_standard_input(self):
        await self.serve()
        dialogue = (
            f"EHLO here\r\nMAIL FROM:<boss@far.example>\r\nRCPT TO:<{USER}>\r\n"
            "DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n"
        )
        out, _ = await self.call(self.program, "-bs", text=dialogue)
        self.assertIn("250 2.0.0 Ok: queued as ", out)
        [octets] = await self.mail(1)
        warning = f"X-Authentication-Warning: mail.example.org: {NAME} set sender"
        self.assertIn(warning.encode(), octets)

    async def test_the_queue_and_the_store_are_not_for_users(self):
        await self.serve()
        for option in ("-bp", "-q"):
            _, told = await self.call(self.program, option, code=os.EX_NOPERM)
            self.assertIn("is the server's own", told)

    async def test_nobody_lists_reads_or_takes_away_what_others_have_left(self):
        self.prepared()
        path = self.leave(user=0)
        for command in (("ls", self.drop), ("cat", path), ("rm", "-f", path)):
            await self.call(*command, code=2 if command[0] == "ls" else 1)
        self.assertEqual(self.names(), [path.name])

    async def test_without_a_folder_it_is_told_who_may_send(self):
        self.configure("")
        await self.serve(local=Local())
        _, told = await self.call(self.program, USER, text="x", code=os.EX_NOPERM)
        self.assertIn("[local] drop", told)
