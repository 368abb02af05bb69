"""The log of ``twistd mailhub``, in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import signal
import smtplib
import socket

from ..test_tap import FREE_PORTS, PATIENCE, Folder, announced

FORGED = "jo\n2026-11-21T02:01:34+0000 [x#info] root logged in"
OFF = 'admin = []\n[login]\ndelay = 0\nplaintext = "always"\n'


class TwistdTests(Folder):
    """What is on the standard output, and what is not."""

    def log_of(self, *settings: str) -> list[str]:
        """The lines of a server that somebody has tried to log in to."""
        self.write(FREE_PORTS + OFF + "".join(f"{line}\n" for line in settings))
        process = self.twistd()
        address = announced(process)["submission"]
        with smtplib.SMTP(*address, timeout=PATIENCE) as client:
            client.ehlo()
            initial = base64.b64encode(f"\0{FORGED}\0secret-word".encode()).decode()
            client.docmd(f"AUTH PLAIN {initial}")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertNotIn("secret-word", output)
        return output.splitlines()

    def test_a_name_from_the_network_forges_no_line(self) -> None:
        lines = self.log_of()
        told = [line for line in lines if "root logged in" in line]
        self.assertTrue(told)
        for line in told:
            self.assertRegex(line, r"^\d{4}-\S+ \[mailhub\..*login .*jo\\n2026-11-21")

    def test_every_event_is_written_once_and_the_last_one_too(self) -> None:
        lines = self.log_of()
        endings = [line for line in lines if line.endswith("Server Shut Down.")]
        self.assertEqual(len(endings), 1)
        self.assertEqual(lines[-1], endings[0])
        self.assertEqual(len([line for line in lines if "Main loop" in line]), 1)

    def test_a_file_of_its_own_as_json(self) -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        self.write(
            f'[listen]\nadmin = []\nimap = ["127.0.0.1:{taken.getsockname()[1]}"]\n'
            '[log]\nfile = "mail.log"\nformat = "json"\n'
        )
        self.assertEqual(self.refusal(), "")
        with open(os.path.join(self.folder, "mail.log"), "rb") as file:
            events = [json.loads(line) for line in file]
        self.assertEqual(events[-1]["level"], "critical")
        self.assertEqual(events[-1]["event"], "cannot start: {reason}")

    def test_a_file_that_cannot_be_written_is_told(self) -> None:
        path = self.write(f'{FREE_PORTS}[log]\nfile = "missing/mail.log"\n')
        self.assertIn(f"{path}:11: [log] file", self.refusal())
