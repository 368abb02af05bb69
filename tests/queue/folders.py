"""Stores on disk with mail that waits, and processes that send it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailhub.mail.account import Delivery
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queued import Outgoing, Sending
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
PATH = os.pathsep.join([ROOT, *filter(None, sys.path)])


def lines(path):
    """How often each ``(destination, recipient)`` is in a ledger."""
    with open(path) as file:
        return Counter(tuple(line.split()) for line in file)


class FolderTestCase(TestCase):
    """With processes that are killed, or die by themselves."""

    def places(self):
        """A folder for a store, and a file for what was sent."""
        folder = os.path.abspath(self.mktemp())
        return folder, f"{folder}.ledger"

    async def store_in(self, folder):
        """The store in *folder*, open in this process until it is stopped."""
        store = SQLiteStore(folder, reactor=reactor, spool=Spool)
        await store.start()
        return store

    async def fill(self, folder, recipients):
        """Put one message for each of *recipients* into the queue."""
        store = await self.store_in(folder)
        now = time.time()
        for number, recipient in enumerate(recipients):
            outgoing = Outgoing(recipient, recipient.partition("@")[2])
            sending = Sending(
                f"Q{number}", "a@example.org", None, MailParameters(), (outgoing,),
                now, now, now + 86_400,
            )
            content = BytesContent(b"Subject: %d\r\n\r\nx\r\n" % number)
            await store.deliver(Delivery(content, b"", (), int(now), (sending,)))
        await store.stop()

    def start_victim(self, folder, ledger, **limits):
        """A process that sends, and has begun to."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.queue.victim", folder, ledger,
             json.dumps(limits)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": PATH},
        )  # fmt: skip
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        return process

    def run_victim(self, folder, ledger, seconds=None):
        """Let it work for so long and kill it; ``None``: until it ends by itself.

        -> its status
        """
        process = self.start_victim(folder, ledger)
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        return process.wait(timeout=60)
