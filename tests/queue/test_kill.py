"""``kill -9`` at any time, with a store on disk: nothing is lost."""

from __future__ import annotations

from random import Random

from mailhub.mail.queue_limits import QueueLimits

from .folders import FolderTestCase, lines
from .victim import NOBODY, NOTICES

MESSAGES = 400
KILLS = 5
#: Attempts that are under way at a time: they alone may be repeated.
SENDS = QueueLimits().sends


class KillTests(FolderTestCase):
    """A row goes after the other server's answer, or with a notification."""

    async def test_nothing_is_lost_and_only_what_was_under_way_comes_twice(self):
        folder, ledger = self.places()
        # Every fifth message is to somebody who does not exist.
        expected = {
            f"{'somebody' if number % 5 else NOBODY}{number}@d{number % 30}.example"
            for number in range(MESSAGES)
        }
        await self.fill(folder, sorted(expected))
        chance = Random(1)
        for _ in range(KILLS):
            self.run_victim(folder, ledger, chance.uniform(0.0, 0.15))
        self.assertEqual(self.run_victim(folder, ledger), 0)
        found = lines(ledger)
        delivered = {to for domain, to in found if domain != NOTICES}
        told = {to for domain, to in found if domain == NOTICES}
        failed = {to for to in expected if NOBODY in to}
        self.assertEqual(delivered, expected - failed)
        self.assertEqual(told, failed)
        twice = sum(count - 1 for count in found.values())
        self.assertLessEqual(twice, KILLS * SENDS)
