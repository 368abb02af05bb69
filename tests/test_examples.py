"""The examples, run as their docstrings say."""

from __future__ import annotations

import imaplib
import os
import smtplib
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


@contextmanager
def running(*command):
    """A program of ours, ended at the end."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def port_of(process):
    """The port in the first line that an example prints."""
    line = process.stdout.readline()
    try:
        return int(line.rpartition(":")[2])
    except ValueError:
        raise AssertionError(line + process.stdout.read()) from None


class ExampleTests(TestCase):
    """Each is a program of its own; the tests are its users."""

    timeout = 60

    async def test_the_application_s_tickets_are_read_by_imap(self):
        def read():
            with running("examples/tickets_by_imap.py", "0") as process:
                client = imaplib.IMAP4(HOST, port_of(process))
                with self.assertRaises(imaplib.IMAP4.error):
                    client.login("ann", "guess")
                client.login("ann", "wonder")
                client.select("INBOX", readonly=True)
                _, found = client.uid("SEARCH", "CHARSET", "UTF-8", "TEXT", "burns")
                _, [(_, header), _] = client.uid("FETCH", "1", "(RFC822.HEADER)")
                answer, _ = client.store("1", "+FLAGS", "\\Seen")
                client.logout()
                return found, header, answer

        found, header, answer = await deferToThread(read)
        self.assertEqual(found, [b"1"])
        self.assertIn(b"Subject: #1 Printer on fire\r\n", header)
        self.assertEqual(answer, "NO")

    async def test_the_application_s_coroutine_decides_about_a_message(self):
        def order(client, subject):
            mail = f"Subject: {subject}\r\n\r\nPlease.\r\n"
            try:
                client.sendmail("ann@example.org", ["orders@shop.example"], mail)
            except smtplib.SMTPDataError as error:
                return error.smtp_code, error.smtp_error.decode()
            return 250, ""

        def orders():
            subjects = ("3 kettles", "3 kettles", "kettles")
            with (
                running("examples/orders_by_smtp.py", "0") as process,
                smtplib.SMTP(HOST, port_of(process)) as client,
            ):
                return [order(client, subject) for subject in subjects]

        taken, too_many, senseless = await deferToThread(orders)
        self.assertEqual(taken[0], 250)
        self.assertEqual(too_many[0], 550)
        self.assertIn("there are not 3 kettles left", too_many[1])
        self.assertIn("is a number and a thing", senseless[1])

    async def test_an_application_tests_the_mail_it_sends(self):
        def test():
            arguments = ["-m", "twisted.trial", "--temp-directory"]
            temporary = Path(self.mktemp()).absolute()
            module = "examples.test_welcome_mail"
            with running(*arguments, str(temporary), module) as process:
                output = process.stdout.read()
                return process.wait(), output

        code, output = await deferToThread(test)
        self.assertEqual(code, 0, output)
        self.assertIn("PASSED (successes=2)", output)
