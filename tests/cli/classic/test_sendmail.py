"""sendmail, while no server runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

from mailhub.cli.outcome import Exit
from mailhub.mail.headers import Fields
from mailhub.store.sqlite.schema import FILE_NAME

from ..shell import CommandTests

TEXT = "Subject: news\n\nhello\n.\nafter the dot\n"
CONFIG = """
[server]
host_name = "mx.example.org"
[mail]
postmaster = "jo@example.org"
"""


class SendmailTests(CommandTests):
    """The users jo@example.org and al@example.org, and nobody who serves them."""

    def setUp(self):
        super().setUp()
        self.write("mailhub.toml", CONFIG)
        self.add_user("jo@example.org")
        self.add_user("al@example.org")

    def send(self, *arguments, text=TEXT, code=Exit.OK):
        """Call sendmail."""
        found = self.classic("sendmail", *arguments, stdin=text)
        self.assertEqual(found, code, self.told)
        return self.told

    def stored(self, query):
        path = self.path("mailhub-data", FILE_NAME)
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query).fetchall()

    def inbox(self, address):
        """The messages of a user, oldest first."""
        return [
            prefix + data
            for prefix, data in self.stored(
                "select i.prefix, b.data from message m join item i using (item_id)"
                " join blob b using (blob_id) join account a"
                " on a.account_id = m.account_id"
                f" where a.address = '{address}' order by m.uid"
            )
        ]

    def test_a_message_is_there_for_everybody_named(self):
        self.send("-f", "boss@example.org", "jo@example.org", "al@example.org")
        for address in ("jo@example.org", "al@example.org"):
            [octets] = self.inbox(address)
            self.assertTrue(octets.startswith(b"Return-Path: <boss@example.org>\r\n"))
            self.assertTrue(octets.endswith(b"\r\n\r\nhello\r\n"), octets)
            fields = Fields(octets).raw
            for name in (b"received", b"date", b"message-id", b"from"):
                self.assertIn(name, fields)

    def test_with_i_a_dot_is_a_line_like_others(self):
        self.send("-oi", "jo@example.org")
        [octets] = self.inbox("jo@example.org")
        self.assertTrue(octets.endswith(b"hello\r\n.\r\nafter the dot\r\n"))

    def test_cron_reads_recipients_from_the_header(self):
        text = "To: jo@example.org\nBcc: al@example.org\nSubject: x\n\nran\n"
        self.send(
            "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root", text=text
        )
        [jo], [al] = self.inbox("jo@example.org"), self.inbox("al@example.org")
        self.assertEqual(jo, al)
        self.assertNotIn(b"Bcc", jo)
        self.assertIn(b'From: "CronDaemon" <root@mx.example.org>\r\n', jo)

    def test_a_name_without_a_domain_is_somebody_here(self):
        self.send("postmaster")
        self.assertEqual(len(self.inbox("jo@example.org")), 1)

    def test_who_has_written_a_from_keeps_it(self):
        self.send("jo@example.org", text="From: me@x.example\n\nx\n")
        [octets] = self.inbox("jo@example.org")
        self.assertEqual(octets.count(b"From:"), 1)

    def test_who_nobody_is_gets_told_and_others_get_it(self):
        told = self.send(
            "jo@example.org", "nobody@example.org", code=Exit.NO_USER
        )
        self.assertIn("nobody@example.org", told)
        self.assertEqual(len(self.inbox("jo@example.org")), 1)

    def test_what_makes_no_sense_is_a_fault_of_usage(self):
        for arguments in ([], ["-t"], ["a b@example.org"], ["-Z"], ["-bX"]):
            self.send(*arguments, code=Exit.USAGE)

    def test_a_server_that_runs_is_not_needed_for_smtp(self):
        dialogue = (
            "EHLO here\r\nMAIL FROM:<x@far.example>\r\nRCPT TO:<jo@example.org>\r\n"
            "DATA\r\nSubject: x\r\n\r\nby SMTP\r\n.\r\nQUIT\r\n"
        )
        found = self.classic("sendmail", "-bs", stdin=dialogue)
        self.assertEqual(found, 0, self.told)
        self.assertTrue(self.out.startswith("220 mx.example.org ESMTP"), self.out)
        self.assertIn("250 2.0.0 Ok: queued as", self.out)
        self.assertTrue(self.out.endswith("221 2.0.0 Bye\r\n"), self.out)
        [octets] = self.inbox("jo@example.org")
        self.assertTrue(octets.endswith(b"by SMTP\r\n"))

    def test_bv_tells_where_mail_would_go_and_sends_none(self):
        self.works("alias", "add", "all@example.org", "jo@example.org", "x@far.example")
        self.send("-bv", "jo@example.org", "all@example.org", text="")
        self.assertEqual(
            self.out,
            "jo@example.org... deliverable: mailer local, user jo@example.org\n"
            "all@example.org... deliverable: mailer local, user jo@example.org\n"
            "all@example.org... deliverable: mailer esmtp, host far.example,"
            " user x@far.example\n",
        )
        self.assertEqual(self.inbox("jo@example.org"), [])
        told = self.send("-bv", "nobody@example.org", text="", code=Exit.NO_USER)
        self.assertIn("nobody@example.org... ", told)
        self.send("-bv", text="", code=Exit.USAGE)

    def test_users_who_leave_mail_do_not_wait_for_twisted(self):
        modules = "cli.classic.sendmail", "assembly.drop_box", "assembly.posts"
        text = "".join(f"import mailhub.{name}; " for name in modules)
        text += "import sys; print({'twisted', 'cryptography'} & {*sys.modules})"
        found = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        self.assertEqual(found.stdout, "set()\n")

    def test_the_queue_is_listed_by_bp(self):
        self.send("-bp")
        self.assertEqual(self.out, "Mail queue is empty\n")
