"""All of it once, with a server of its own and next to no messages."""

from __future__ import annotations

import random
import resource
import socket
import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.command import ABOUT, RECORDS, REPORT, main
from benchmarks.limits import flushes
from benchmarks.peers.base import NEXT, OFFSETS, Place
from benchmarks.plan import Plan
from benchmarks.records import Line, append
from benchmarks.turns import Turns

#: As little as every workload can do.
LEAST = Plan(
    repetitions=1,
    seconds=0.01,
    connections=(2,),
    each=(3,),
    sets=("plain",),
    mailbox=40,
    sessions=6,
    idle=20,
    idle_peers=20,
    rest=0.05,
    settling=0.05,
    notices=2,
    handshakes=3,
    stored=(5, 10),
    delivered=20,
    limit=0.01,
)


def free_port() -> int:
    """A base port that has nothing on the ports above it."""
    while True:
        base = random.randrange(11_000, 31_000, 100)
        try:
            for offset in (*OFFSETS.values(), NEXT):
                with socket.socket() as trial:
                    trial.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base


class RunningTests(SynchronousTestCase):
    """Every workload measures something of mailhub, and fails nowhere."""

    def setUp(self):
        folder = Path(self.mktemp()).resolve()
        programs = {"mailhub": Path(sys.executable).parent.parent}
        self.place = Place(folder, free_port(), programs)
        self.lines: list[Line] = []
        self.patch(sys, "stdout", StringIO())
        self.patch(sys, "stderr", StringIO())

    def measure(self, name: str, *peers: str) -> dict[str, float]:
        Turns(self.place, LEAST, self.lines.append).workload(
            name, peers or ("mailhub",)
        )
        self.assertEqual([line.error for line in self.lines if line.error], [])
        found = {line.record.case: line.record.value for line in self.lines}
        self.assertEqual(len(found), len(self.lines))
        return found

    def test_mail_arrives_by_smtp(self):
        found = self.measure("w1")
        self.assertEqual(list(found), ["plain, 2 at once, 3 on each"])
        [line] = self.lines
        self.assertEqual(line.record.note, "")
        self.assertEqual(line.record.more["accepted"], line.record.more["count"])
        self.assertGreater(line.record.cost_ms, 0)

    def test_mail_goes_on_to_the_next_server(self):
        found = self.measure("w2")
        self.assertEqual(list(found), ["plain, 2 at once, 3 on each"])
        [line] = self.lines
        self.assertEqual(line.record.note, "")
        self.assertEqual(line.record.more["accepted"], line.record.more["count"])
        self.assertGreater(line.record.cost_ms, 0)

    def test_a_mailbox_is_read_and_changed(self):
        found = self.measure("w3")
        self.assertIn("FETCH ENVELOPE, cold disk", found)
        self.assertIn("MOVE of a tenth", found)

    def test_sessions_are_counted(self):
        self.assertGreater(sum(self.measure("w4sessions").values()), 0)

    def test_waiting_sessions_hear_of_mail(self):
        self.measure("w4latency")
        self.assertEqual(self.lines[0].record.note, "")

    def test_maildrops_are_downloaded(self):
        self.assertGreater(self.measure("w5")["RETR singly, again"], 0)

    def test_tls_is_measured_in_every_service(self):
        found = self.measure("w6")
        self.assertGreater(found["download by POP3S"], 0)
        self.assertEqual(self.lines[0].record.note, "")

    def test_start_and_rest_are_measured(self):
        self.assertGreater(self.measure("w7")["memory at rest"], 1)

    def test_thousands_of_connections_could_wait(self):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, files)
        found = self.measure("w4idle")
        self.assertIn("memory of an idle connection over TLS", found)
        self.assertGreater(found["wake-up in clear, p99"], 0)
        self.assertEqual({line.record.note for line in self.lines}, {""})

    def test_a_store_grows(self):
        found = self.measure("wn")
        self.assertIn("SELECT, 10 stored", found)
        self.assertIn("FETCH of one message, beside 10", found)

    def test_nothing_is_left_of_a_server(self):
        self.measure("w7")
        self.assertFalse((self.place.folder / "mailhub").exists())

    def test_a_server_that_does_not_start_is_told_and_the_next_one_measured(self):
        broken = Path(self.mktemp())
        path = broken.with_suffix(".json")
        path.write_text(
            '{"name": "broken", "start": [["false"]], "ports": {"smtp": 25}}'
        )
        turns = Turns(self.place, LEAST, self.lines.append)
        turns.workload("w7", (str(path), "mailhub"))
        self.assertIn("no greeting of smtp", self.lines[0].error)
        self.assertEqual(self.lines[1].peer, "mailhub")
        self.assertEqual(self.lines[1].error, "")

    def test_flushes_are_counted(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        for attempt in (
            flushes.append_fsync,
            flushes.overwrite_fdatasync,
            flushes.new_files,
            flushes.append_fsync_threads,
        ):
            self.assertGreater(attempt(folder, 0.01), 0)
        self.assertGreater(flushes.sqlite_groups(folder, 0.01, 3), 0)
        self.assertGreater(flushes.log_groups(folder, 0.01, 3), 0)


class CommandTests(SynchronousTestCase):
    """The command line."""

    def setUp(self):
        self.patch(sys, "stdout", StringIO())
        self.patch(sys, "stderr", StringIO())

    def test_a_report_is_made_of_records_that_are_there(self):
        folder = Path(self.mktemp())
        folder.mkdir()
        append(folder / RECORDS, Line("mailhub", 0, "now", error="no", workload="w1"))
        (folder / ABOUT).write_text("two cores\n")
        self.assertEqual(main(["--report", "--output", str(folder)]), 0)
        text = (folder / REPORT).read_text()
        self.assertIn("* two cores", text)
        self.assertIn("* mailhub, w1, turn 1: no", text)

    def test_names_that_mean_nothing_are_refused(self):
        for option in ("--workloads", "--peers"):
            self.assertRaises(SystemExit, main, [option, "w9"])
