"""Short forms of the programs that break what is around the server.

Each is tried as it is, and with a precaution of the server's taken out, which it has
to notice.
"""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import SkipTest

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ..programs import require
from .__main__ import PROGRAMS
from .subject import ROOT

_BY_NAME = {program.name: program for program in PROGRAMS}


def require_root() -> None:
    """Mounts need it; where ``CI`` says that everything has to be there, it has to."""
    if os.geteuid() == 0:
        return
    if os.environ.get("CI") == "true":
        raise AssertionError("needs root")
    raise SkipTest("needs root")


class FaultTests(TestCase):
    """RFC 5321, section 6.1: not even for "predictable resource shortages" is a
    message lost, or refused for good.
    """

    timeout = 120

    async def perform(self, name: str, *, control: bool = False) -> None:
        """Run a program, and expect what it has to end with."""
        program = _BY_NAME[name]
        arguments = program.control if control else program.short
        done = await deferToThread(
            subprocess.run,
            [sys.executable, "-m", f"tests.faults.{program.module}", *arguments],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        story = done.stdout + done.stderr
        self.assertEqual(done.returncode, int(control), story)
        self.assertIn("BROKEN" if control else "held", story)

    async def test_a_full_disk_refuses_for_now_and_loses_nothing(self):
        require_root()
        await self.perform("full")

    async def test_a_fault_of_ours_told_as_the_sender_s_is_found_out(self):
        require_root()
        await self.perform("full", control=True)

    async def test_no_more_files_refuse_for_now_and_lose_nothing(self):
        require_root()
        await self.perform("full: files")

    async def test_errors_of_the_disk_are_not_believed_to_be_over(self):
        require("strace")
        await self.perform("errors")

    async def test_a_second_flush_of_a_descriptor_is_found_out(self):
        require("strace")
        await self.perform("errors", control=True)

    async def test_a_disk_that_may_only_be_read_can_be_read(self):
        require_root()
        require("mkfs.ext4")
        await self.perform("readonly")

    async def test_a_storm_of_connections_is_weathered(self):
        await self.perform("storm")

    async def test_large_messages_take_no_memory(self):
        await self.perform("memory")

    async def test_messages_that_are_kept_in_memory_are_found_out(self):
        await self.perform("memory", control=True)

    async def test_a_message_that_makes_code_fail_harms_nobody_else(self):
        await self.perform("poison")

    async def test_a_log_that_every_failure_fills_is_found_out(self):
        await self.perform("poison", control=True)

    async def test_a_server_without_a_reserve_of_descriptors_is_found_out(self):
        await self.perform("storm", control=True)

    async def test_mail_waits_while_nobody_knows_names(self):
        await self.perform("nameless")

    async def test_a_server_that_takes_no_answer_for_a_no_is_found_out(self):
        await self.perform("nameless", control=True)

    async def test_mail_that_waits_survives_kills_and_leaves_once(self):
        await self.perform("kill: queue")

    async def test_a_queue_that_forgets_what_it_tries_is_found_out(self):
        await self.perform("kill: queue", control=True)

    async def test_a_message_that_ends_the_process_is_found_and_held(self):
        await self.perform("crash_loop")

    async def test_a_process_that_leaves_no_notes_is_found_out(self):
        await self.perform("crash_loop", control=True)

    async def test_nobody_waits_for_who_is_slow(self):
        await self.perform("slow")

    async def test_slow_servers_that_get_all_the_places_are_found_out(self):
        await self.perform("slow", control=True)

    async def test_nothing_is_left_of_who_vanishes(self):
        await self.perform("frozen")

    async def test_clients_that_may_stay_for_ever_are_found_out(self):
        await self.perform("frozen", control=True)

    async def test_a_clock_that_is_set_harms_nothing(self):
        require("faketime")
        await self.perform("clock")

    async def test_timers_by_a_clock_that_is_set_are_found_out(self):
        require("faketime")
        await self.perform("clock", control=True)

    async def test_strangers_cost_little_memory(self):
        await self.perform("strangers")

    async def test_strangers_whose_lines_are_kept_are_found_out(self):
        await self.perform("strangers", control=True)

    async def test_nothing_hostile_keeps_everybody_waiting(self):
        await self.perform("freeze")

    async def test_work_on_large_messages_where_all_wait_is_found_out(self):
        await self.perform("freeze", control=True)
