"""How servers are set up, as far as no other program is needed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.metering import Group, memory
from benchmarks.peers.base import OFFSETS, Place, seeing
from benchmarks.peers.described import Described
from benchmarks.peers.dovecot import Dovecot, TunedDovecot
from benchmarks.peers.no_names import answer
from benchmarks.peers.table import PEERS, make_peer
from benchmarks.preparing import ROOT, missing_packages, requirements

HERE = ROOT / "benchmarks"


class PeerTests(SynchronousTestCase):
    """Servers that are only looked at."""

    def setUp(self):
        self.folder = Path(self.mktemp()).resolve()
        self.place = Place(self.folder, 24_000)

    def test_every_server_has_its_own_folder_and_ports_below_the_clients(self):
        for name in PEERS:
            peer = make_peer(name, self.place)
            self.addCleanup(peer.remove)
            self.assertEqual(peer.name, name)
            self.assertEqual(peer.folder, self.folder / name)
            for service, port in peer.ports.items():
                self.assertEqual(port, 24_000 + OFFSETS[service])

    def test_both_descriptions_of_mailhub_offer_the_same(self):
        texts = [
            json.loads((HERE / name).read_text())
            for name in ("mailhub.json", "mailhub-2.json")
        ]
        self.assertEqual(texts[0]["ports"], texts[1]["ports"])
        for word in ("{here}/setup.sh", "{dir}", "{port}", "{users}"):
            for text in texts:
                self.assertIn(word, text["setup"])

    def test_a_description_is_filled_in(self):
        path = Path(self.mktemp())
        description = {
            "name": "other",
            "setup": ["sh", "-c", 'echo "$0 $1" >"$2/seen"', "{port}", "{here}"]
            + ["{dir}"],
            "start": [["true"]],
            "ports": {"smtp": 25},
        }
        path.write_text(json.dumps(description))
        peer = Described(self.place, path)
        self.addCleanup(peer.remove)
        peer.setup(2)
        seen = peer.path("seen").read_text()
        self.assertEqual(seen, f"24000 {path.resolve().parent}\n")
        users = peer.path("users").read_text()
        self.assertEqual(users, "u0@bench.test:secret\nu1@bench.test:secret\n")
        self.assertEqual(peer.address("smtp"), ("127.0.0.1", 24_025))

    def test_only_the_tuned_dovecot_is_tuned(self):
        self.assertNotIn("service_count", Dovecot.more)
        self.assertIn("service_count = 0", TunedDovecot.more)


class NoNamesTests(SynchronousTestCase):
    """RFC 1035, section 4.1.1: RCODE 3 says that there is no such name."""

    QUESTION = b"\x07example\x03org\0" + b"\0\x10\0\1"

    def test_every_question_is_answered_with_no_such_name(self):
        query = b"\x12\x34\x01\x00" + b"\0\1" + bytes(4) + b"\0\1" + self.QUESTION
        reply = answer(query + b"an additional record")
        self.assertEqual(reply[:2], b"\x12\x34")
        self.assertEqual(reply[2] & 0x81, 0x81)
        self.assertEqual(reply[3] & 0x0F, 3)
        self.assertEqual(reply[4:12], b"\0\1" + bytes(6))
        self.assertEqual(reply[12:], self.QUESTION)

    def test_less_than_a_header_is_answered_with_nothing(self):
        self.assertEqual(answer(bytes(11)), b"")


class PreparingTests(SynchronousTestCase):
    """What is installed where."""

    def test_mailhub_s_environment_has_what_its_setup_says(self):
        found = requirements()
        self.assertTrue(any(each.startswith("Twisted[tls]") for each in found))
        self.assertTrue(any(each.startswith("argon2-cffi") for each in found))

    def test_what_was_unpacked_is_not_missing(self):
        work = Path(self.mktemp())
        program = work / "unpacked/usr/bin/chasquid"
        program.parent.mkdir(parents=True)
        program.touch()
        self.assertNotIn("chasquid", missing_packages(work))

    def test_files_of_the_system_are_replaced_for_one_command_only(self):
        command = seeing({"/etc/hosts": Path("/x y")}, ["true", "1"])
        self.assertEqual(command[0], "unshare")
        self.assertIn("mount --bind '/x y' '/etc/hosts'", str(command[6]))
        self.assertEqual(command[-2:], ["true", "1"])


class KeeperTests(SynchronousTestCase):
    """A server's processes end with it, also those that it left behind."""

    def keep(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        keeper = HERE / "keeper.py"
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | environment,
        )
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        return child

    def test_a_process_that_was_left_behind_is_ended(self):
        here, there = socket.socketpair()
        with here, there:
            os.set_inheritable(there.fileno(), True)
            keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", HERE / "keeper.py"]
                + ["sh", "-c", "setsid sleep 600 & exit 0"],
                pass_fds=[there.fileno()],
            )
            self.assertEqual(keeper.wait(), 0)
            there.close()
            # The end of the last process that has the other end.
            self.assertEqual(here.recv(1), b"")

    def test_it_tells_that_the_server_failed(self):
        self.assertEqual(self.keep("false").wait(), 1)
        self.assertEqual(self.keep("/no/such/program").wait(), 1)

    def test_the_cost_of_children_that_ended_is_counted(self):
        group = Group("benchmark-test")
        self.addCleanup(group.remove)
        work = "os.wait() if os.fork() else (sum(range(3_000_000)), os._exit(0))"
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", HERE / "keeper.py"]
            + [sys.executable, "-c", f"import os; {work}; print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"KEEPER_CGROUP": group.entrance},
        )
        with child:
            child.stdout.readline()
            self.assertGreater(memory(group.pids([child.pid])).pss, 0)
            self.assertGreater(group.cpu([child.pid]), 0.01)
            child.stdin.write(b"\n")
