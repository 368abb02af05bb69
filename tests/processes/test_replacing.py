"""Workers that are replaced while clients come and go."""

from __future__ import annotations

import os
import signal

from .fleet import LISTEN, PASSWORD, USER, Fleet, Fleets, until
from .load import Load, send, visit

BOTH = {"MAILHUB_SERVER__RECEIVERS": "2"}
#: Questions whether workers live, many times faster.
FASTER = """
from mailhub.processes import master
master.HEARTBEAT, master.PATIENCE, master.FROZEN = 0.2, 0.2, 3
"""
#: As if the machine had so many processors.
PROCESSORS = "import os; os.cpu_count = lambda: 3\n"


class Loaded(Fleets):
    """Servers with a user."""

    def served(self, *options: str, before: str = "", **variables: str) -> Fleet:
        """One that is ready, in an empty folder."""
        fleet = self.fleet(*options, before=before, **variables).ready()
        fleet.command("user", "add", USER, "--password-stdin", text=PASSWORD + "\n")
        return fleet

    def stored(self, fleet: Fleet) -> int:
        """Messages in the inbox."""
        with fleet.connect("imap") as client:
            client.line()
            client.say(b"a LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()))
            answer = client.say(b"b STATUS INBOX (MESSAGES)\r\n")
        return int(answer.rpartition(b"MESSAGES ")[2].split(b")")[0])


class RestartTests(Loaded):
    """SIGUSR2: one after the other."""

    def test_nobody_is_turned_away_and_no_message_is_cut_off(self) -> None:
        fleet = self.served("--workers", "2", **BOTH)
        before = fleet.workers()
        with Load(fleet, visit, visit, send, send) as load:
            load.more(50)
            fleet.process.send_signal(signal.SIGUSR2)
            until(lambda: fleet.listen().count("takes over") == 2 or load.faults)
            until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in before))
            load.more(50)
        self.assertEqual(load.faults, [])
        self.assertEqual(len(fleet.workers()), 2)
        self.assertEqual(self.stored(fleet), load.taken)
        self.assertEqual(fleet.stop(), 0)
        self.assertNotIn("Traceback", fleet.said)

    def test_a_worker_that_hears_it_takes_it_for_somebody_else_s(self) -> None:
        fleet = self.fleet("--workers", "2").ready()
        before = fleet.workers()
        os.kill(before[0], signal.SIGUSR2)
        os.kill(before[0], signal.SIGTERM)
        fleet.hear("died (it ended by itself)")


class NumberTests(Loaded):
    """Another number of workers on SIGHUP."""

    def number(self, fleet: Fleet, number: int) -> None:
        self.write(f"[server]\nworkers = {number}\n" + LISTEN)
        fleet.process.send_signal(signal.SIGHUP)

    def test_they_become_fewer_and_more_while_everybody_is_served(self) -> None:
        self.write("[server]\nworkers = 3\n" + LISTEN)
        fleet = self.served(before=PROCESSORS)
        with Load(fleet, visit, visit, send) as load:
            load.more(50)
            self.number(fleet, 2)
            fleet.hear("worker 2 ends")
            until(lambda: len(fleet.workers()) == 2)
            load.more(50)
            self.number(fleet, 3)
            until(lambda: len(fleet.workers()) == 3)
            load.more(50)
        self.assertEqual(load.faults, [])
        self.assertEqual(self.stored(fleet), load.taken)
        self.assertEqual(fleet.stop(), 0)
        self.assertNotIn("Traceback", fleet.said)

    def test_one_process_goes_on_alone(self) -> None:
        self.write(LISTEN)
        fleet = self.fleet().ready()
        self.number(fleet, 2)
        fleet.hear("[server] workers needs a restart")
        self.assertEqual(fleet.workers(), [])


class FrozenTests(Loaded):
    """A worker that answers nothing any more."""

    def test_it_is_killed_and_replaced_and_its_queue_is_served(self) -> None:
        fleet = self.served("--workers", "2", before=FASTER)
        frozen = fleet.workers()[0]
        os.kill(frozen, signal.SIGSTOP)
        with Load(fleet, visit, visit, visit, visit) as load:
            fleet.hear("is back")
            load.more(20)
        self.assertIn("worker 0 is frozen", fleet.said)
        self.assertFalse(os.path.exists(f"/proc/{frozen}"))
        # Whoever it had accepted before has lost the connection, and nobody else.
        self.assertEqual(load.faults, [])


class DrainTests(Loaded):
    """SIGTERM under load."""

    def check(self, workers: str) -> None:
        fleet = self.served("--workers", workers, **BOTH)
        with Load(fleet, send, send, send, send) as load:
            load.more(100)
            fleet.process.send_signal(signal.SIGTERM)
            self.assertEqual(fleet.ended(), 0)
        # Whoever comes too late finds nobody, and that is all.
        cut = [each for each in load.faults if not each.startswith("send: ")]
        self.assertEqual(cut, [])
        again = self.fleet().ready()
        self.assertEqual(self.stored(again), load.taken)

    def test_one_process_cuts_no_transaction_off_and_loses_no_message(self) -> None:
        self.check("1")

    def test_several_cut_no_transaction_off_and_lose_no_message(self) -> None:
        self.check("2")
