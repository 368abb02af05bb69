"""Programs that send mail by calling ``sendmail``: mail(1), mailx, mutt, cron's way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.mail.mailbox import INBOX, Column

from ..programs import require
from ..store.sqlite_fixture import make_store
from .fixture import PROGRAM_TIMEOUT, new_folder

JO = "jo@example.org"
#: What stands in the place of the program that is linked.
SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {root!r})
sys.argv[0] = {name!r}
from mailhub.cli.classic.main import main
sys.exit(main())
"""
ROOT = str(Path(__file__).resolve().parents[2])


class MailerTests(TestCase):
    """No server runs: the message is in the store all the same."""

    timeout = 120

    async def setUp(self):
        self.folder = new_folder(self.mktemp())
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        config = self.folder / "mailhub.toml"
        config.write_text(
            f'[server]\nhost_name = "mx.example.org"\ndata = "{data}"\n'
        )
        self.environ = {
            "PATH": f"{self.folder}:/usr/bin:/bin", "HOME": str(self.folder),
            "MAILHUB_CONFIG": str(config), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        for name in ("sendmail", "mailq"):
            script = self.folder / name
            script.write_text(
                SCRIPT.format(python=sys.executable, root=ROOT, name=name)
            )
            script.chmod(0o755)
        self.store = make_store(str(data))
        await self.store.start()
        self.addCleanup(self.store.stop)
        await self.store.directory.add_account(JO, "")

    async def call(self, *command, text):
        """Run a program.  -> what it wrote"""
        done = await deferToThread(
            subprocess.run, command, input=text, capture_output=True, text=True,
            env=self.environ, cwd=self.folder, timeout=PROGRAM_TIMEOUT,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    async def arrived(self):
        """The only message in the inbox."""
        account = await self.store.open_account(JO)
        mailbox = await account.open(INBOX)
        [(_, content)] = await mailbox.fetch([1], (Column.CONTENT,))
        octets = await content.read(0, content.size)
        content.close()
        return octets

    async def test_s_nail_sends(self):
        await self.call(
            require("s-nail"), "-S", f"mta={self.folder}/sendmail", "-s", "news",
            "-r", "boss@example.org", JO, text="안녕\n",
        )  # fmt: skip
        octets = await self.arrived()
        self.assertIn(b"\r\nSubject: news\r\n", octets)
        self.assertTrue(octets.startswith(b"Return-Path: <boss@example.org>\r\n"))

    async def test_mutt_sends(self):
        await self.call(
            require("mutt"), "-n", "-e",
            f'set sendmail="{self.folder}/sendmail -oem -oi" copy=no', "-s", "news",
            JO, text=".\n",
        )  # fmt: skip
        octets = await self.arrived()
        self.assertIn(b"\r\nSubject: news\r\n", octets)
        self.assertTrue(octets.endswith(b"\r\n\r\n.\r\n"), octets)

    async def test_cron_sends(self):
        await self.call(
            "sendmail", "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root",
            text=f"From: root (Cron Daemon)\nTo: {JO}\nSubject: Cron <root@mx> date\n"
            "Auto-Submitted: auto-generated\n\nSat Nov 21\n",
        )  # fmt: skip
        self.assertIn(b"\r\nSubject: Cron <root@mx> date\r\n", await self.arrived())

    async def test_a_monitor_counts_what_waits(self):
        listed = await self.call("mailq", text="")
        self.assertEqual(listed, "Mail queue is empty\n")
