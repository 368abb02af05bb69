"""A server with one user, and the ways to reach it with a client."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.testing.server import MailHub

from ..programs import require
from .corpus import ALICE

PASSWORD = "correct horse battery staple"
#: Seconds for one run of a program; far beyond what any takes.
PROGRAM_TIMEOUT = 30


def new_folder(path: str) -> Path:
    """Make a folder for a test's files."""
    folder = Path(path).absolute()
    folder.mkdir(parents=True)
    return folder


class ClientTests(TestCase):
    """A test case with a server on real sockets and a store on disk."""

    timeout = 180

    async def setUp(self):
        self.folder = new_folder(self.mktemp())
        self.hub = await MailHub.start({ALICE: PASSWORD}, store="sqlite")
        self.addCleanup(self.hub.stop)
        self.certificate = self.write("certificate.pem", self.hub.certificate)
        self.tls = ssl.create_default_context(cafile=self.certificate)

    def write(self, name: str, data: str | bytes) -> str:
        """Make a file that only we can read.  -> its path"""
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(0o600)
        return str(path)

    def address(self, service: str) -> tuple[str, int]:
        """Host and port."""
        return self.hub.host, self.hub.port(service)

    def in_thread(self, work, *arguments):
        """Run what blocks.  -> a Deferred"""
        return deferToThread(work, *arguments)

    async def run_program(self, *command: object, stdin: bytes = b"", fails=False):
        """Run a client program to its end.  -> what it wrote

        :param fails: it has to end with another status than 0.
        """
        program, *arguments = map(str, command)
        done = await deferToThread(
            subprocess.run,
            [require(program), *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROGRAM_TIMEOUT,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
        )
        output = done.stdout.decode("utf-8", "replace")
        if (done.returncode != 0) != fails:
            self.fail(f"{program} ended with {done.returncode}:\n{output[-4000:]}")
        return output

    async def delivered(self, count: int = 1, mailbox: str = "INBOX"):
        """The messages in Alice's mailbox, once there are *count*."""
        return await self.hub.wait_for(ALICE, count, mailbox=mailbox)

    def assert_same_mail(self, stored: bytes, sent: bytes) -> None:
        """*stored* is *sent* behind trace header lines of the server."""
        trace = stored[: len(stored) - len(sent)]
        if trace + sent != stored:
            self.fail(f"other octets: {len(stored)} stored, {len(sent)} sent")
        for line in trace.splitlines():
            known = line.startswith((b"Return-Path: <", b"Received: ", b"\t", b" "))
            self.assertTrue(known, line)
