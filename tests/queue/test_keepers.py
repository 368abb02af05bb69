"""Who is alive, by locks that the system ends with their process."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from mailhub.queue.keepers import MAX_NOTED, Begun, Keepers

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


class BegunTests(SynchronousTestCase):
    """What a scheduler has begun outlives it."""

    def setUp(self):
        self.folder = self.mktemp()
        self.keepers = Keepers(self.folder)
        self.keepers.enter("me")
        self.addCleanup(self.keepers.leave, True)

    def noted(self):
        return Keepers(self.folder).begun_by("me")

    def test_what_begins_is_noted_at_once(self):
        for token in (7, 2**63 - 1):
            self.keepers.begun.add(token)
        self.assertEqual(self.noted(), {7, 2**63 - 1})

    def test_a_place_is_used_again_after_an_end(self):
        begun = self.keepers.begun
        first, _ = begun.add(1), begun.add(2)
        begun.remove(first)
        self.assertEqual(begun.add(3), first)
        self.assertEqual(self.noted(), {2, 3})

    def test_so_many_are_noted_and_no_more(self):
        begun = self.keepers.begun
        places = [begun.add(token) for token in range(1, MAX_NOTED + 2)]
        self.assertEqual(places[-2:], [MAX_NOTED - 1, -1])
        self.assertEqual(self.noted(), set(range(1, MAX_NOTED + 1)))
        begun.remove(-1)
        self.assertEqual(begun.add(1), -1)

    def test_half_a_note_is_none(self):
        self.keepers.begun.add(7)
        with open(f"{self.folder}/me", "ab") as file:
            file.write(b"1234567")
        self.assertEqual(self.noted(), {7})

    def test_a_disk_that_is_full_keeps_nobody_from_sending(self):
        begun = Begun()
        with open("/dev/full", "wb") as file:
            begun.use(file.fileno())
            self.assertEqual(begun.add(7), 0)

    def test_without_a_file_nothing_is_noted(self):
        self.assertEqual(Begun().add(7), -1)

    def test_who_leaves_something_behind_has_begun_nothing(self):
        self.keepers.begun.add(7)
        self.keepers.leave(False)
        self.assertEqual(self.noted(), frozenset())
        self.assertEqual(self.keepers.begun.add(8), -1)
