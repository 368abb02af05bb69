"""Who is alive, by locks that the system ends with their process."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from mailhub.queue.keepers import Keepers

from .rig import DELIVERED, HOUR, Rig, after

LIVING = """
import sys
from mailhub.queue.keepers import Keepers
Keepers(sys.argv[1]).enter("other")
print("entered", flush=True)
sys.stdin.read()
"""


class KeepersTests(SynchronousTestCase):
    """A folder of locked files."""

    def setUp(self):
        self.folder = f"{self.mktemp()}/keepers"

    def living(self):
        """Another process that has entered as ``other``."""
        process = subprocess.Popen(
            [sys.executable, "-c", LIVING, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"entered\n")
        return process

    def test_who_lives_is_not_dead_and_who_was_killed_is(self):
        process = self.living()
        keepers = Keepers(self.folder)
        keepers.enter("me")
        self.assertEqual(keepers.dead(), [])
        process.kill()
        process.wait()
        self.assertEqual(keepers.dead(), ["other"])
        keepers.forget("other")
        self.assertEqual(keepers.dead(), [])
        keepers.leave(True)

    def test_who_leaves_with_nothing_leaves_nothing(self):
        first, second = Keepers(self.folder), Keepers(self.folder)
        first.enter("first")
        second.enter("second")
        second.leave(True)
        self.assertEqual(os.listdir(self.folder), ["first"])
        first.leave(False)
        self.assertEqual(Keepers(self.folder).dead(), ["first"])

    def test_what_a_dead_scheduler_had_is_sent_at_once(self):
        rig = Rig()
        rig.scheduler = rig.make("first", keepers=Keepers(self.folder))
        rig.start()
        rig.way.default = after(rig, HOUR, DELIVERED)
        rig.put("a@example.net", fast=True)
        for call in list(rig.clock.getDelayedCalls()):
            call.cancel()
        rig.scheduler.keepers.leave(False)
        rig.way.default = DELIVERED
        rig.scheduler = rig.make("second", keepers=Keepers(self.folder))
        rig.start()
        rig.run(1)
        self.assertEqual(rig.waiting(), [])
        self.assertEqual(os.listdir(self.folder), ["second"])
        rig.stop()
        self.assertEqual(os.listdir(self.folder), [])

    def test_without_a_folder_it_goes_on(self):
        rig = Rig()
        rig.scheduler = rig.make("first", keepers=Keepers("/proc/none"))
        rig.start()
        rig.put("a@example.net", fast=True)
        self.assertEqual(rig.waiting(), [])
        rig.stop()
