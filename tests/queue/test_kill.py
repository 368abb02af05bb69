"""``kill -9`` at any time, with a store on disk: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from random import Random

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailhub.mail.account import Delivery
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_limits import QueueLimits
from mailhub.mail.queued import Outgoing, Sending
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

from .victim import NOBODY, NOTICES

MESSAGES = 400
KILLS = 5
#: Attempts that are under way at a time: they alone may be repeated.
SENDS = QueueLimits().sends


def lines(path):
    """How often each ``(destination, recipient)`` is in a ledger."""
    with open(path) as file:
        return Counter(tuple(line.split()) for line in file)


class KillTests(TestCase):
    """A row goes after the other server's answer, or with a notification."""

    def places(self):
        """A folder for a store, and a file for what was sent."""
        folder = os.path.abspath(self.mktemp())
        return folder, f"{folder}.ledger"

    async def fill(self, folder):
        """Every fifth message is to somebody who does not exist."""
        store = SQLiteStore(folder, reactor=reactor, spool=Spool)
        await store.start()
        now = time.time()
        recipients = []
        for number in range(MESSAGES):
            who = NOBODY if number % 5 == 0 else "somebody"
            domain = f"d{number % 30}.example"
            recipients.append((f"{who}{number}@{domain}", domain))
            outgoing = Outgoing(*recipients[-1])
            sending = Sending(
                f"Q{number}", "a@example.org", None, MailParameters(), (outgoing,),
                now, now, now + 86_400,
            )
            content = BytesContent(b"Subject: %d\r\n\r\nx\r\n" % number)
            await store.deliver(Delivery(content, b"", (), int(now), (sending,)))
        await store.stop()
        return recipients

    def run_victim(self, folder, ledger, seconds=None):
        """Let it work for so long and kill it; ``None``: until it ends by itself."""
        path = os.pathsep.join(each for each in sys.path if each)
        root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.queue.victim", folder, ledger],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": f"{root}{os.pathsep}{path}"},
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        if seconds is None:
            self.assertEqual(process.wait(timeout=60), 0)
        else:
            time.sleep(seconds)
            process.kill()
        process.stdout.close()

    async def test_nothing_is_lost_and_only_what_was_under_way_comes_twice(self):
        folder, ledger = self.places()
        recipients = await self.fill(folder)
        chance = Random(1)
        for _ in range(KILLS):
            self.run_victim(folder, ledger, chance.uniform(0.0, 0.15))
        self.run_victim(folder, ledger)
        found = lines(ledger)
        delivered = {to for domain, to in found if domain != NOTICES}
        told = {to for domain, to in found if domain == NOTICES}
        expected = {to for to, _ in recipients}
        failed = {to for to in expected if NOBODY in to}
        self.assertEqual(delivered, expected - failed)
        self.assertEqual(told, failed)
        twice = sum(count - 1 for count in found.values())
        self.assertLessEqual(twice, KILLS * SENDS)
