"""A second start on the data folder of a server that runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailhub.processes.folder_lock import FolderInUse, FolderLock

from .fleet import (
    LISTEN,
    PASSWORD,
    PATIENCE,
    ROOT,
    TWISTD,
    USER,
    Client,
    Fleet,
    Fleets,
    until,
)

NUMBERS = ("1", "2")
MESSAGE = b"Subject: x\r\n\r\nbody\r\n.\r\n"


class LockTests(SynchronousTestCase):
    """The folder itself is locked."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())

    def lock(self) -> FolderLock:
        lock = FolderLock(self.folder)
        self.addCleanup(lock.release)
        return lock

    def test_a_folder_that_is_not_there_belongs_to_nobody(self) -> None:
        lock = self.lock()
        lock.take_if_there()
        self.assertFalse(os.path.exists(self.folder))
        lock.take()
        self.assertTrue(os.path.isdir(self.folder))

    def test_the_second_is_told_who_was_first(self) -> None:
        self.lock().take()
        for way in (self.lock().take_if_there, self.lock().take):
            error = self.assertRaises(FolderInUse, way)
            self.assertEqual(
                str(error),
                f"the data folder {self.folder} belongs to another server that is"
                f" running: process {os.getpid()}",
            )

    def test_another_name_of_the_folder_is_the_same(self) -> None:
        self.lock().take()
        os.symlink(self.folder, f"{self.folder}-link")
        self.assertRaises(FolderInUse, FolderLock(f"{self.folder}-link").take)

    def test_who_tidies_up_does_not_open_it(self) -> None:
        self.lock().take()
        os.unlink(f"{self.folder}/run/server.pid")
        error = self.assertRaises(FolderInUse, self.lock().take)
        self.assertTrue(str(error).endswith("another server that is running"))

    def test_it_is_free_after_the_first_has_released_it(self) -> None:
        first = self.lock()
        first.take()
        first.release()
        self.lock().take()

    def test_nothing_is_written_through_a_link(self) -> None:
        target = Path(self.mktemp())
        target.write_text("precious")
        os.makedirs(f"{self.folder}/run")
        os.symlink(target.absolute(), f"{self.folder}/run/server.pid")
        self.lock().take()
        self.assertEqual(target.read_text(), "precious")


class SecondStartTests(Fleets):
    """It ends before it has touched anything."""

    def state(self) -> dict[str, int]:
        """Names in the data folder's ``run``, by what they name."""
        entries = Path(self.folder, "mailhub-data", "run").rglob("*")
        return {str(path): path.lstat().st_ino for path in entries}

    def test_it_ends_with_a_status_and_the_first_is_undisturbed(self) -> None:
        for number in NUMBERS:
            first = self.fleet("--workers", number).ready()
            before, workers = self.state(), first.workers()
            with first.connect("imap") as client:
                client.line()
                for other in NUMBERS:
                    second = self.fleet("--workers", other)
                    self.assertEqual(second.ended(), os.EX_TEMPFAIL, second.said)
                    self.assertIn(
                        f"mailhub: the data folder {self.folder}/mailhub-data"
                        " belongs to another server that is running: process"
                        f" {first.process.pid}\n",
                        second.said,
                    )
                    self.assertNotIn("Traceback", second.said)
                self.assertTrue(client.say(b"a NOOP\r\n").startswith(b"a OK"))
            self.assertEqual(self.state(), before)
            self.assertEqual(first.workers(), workers)
            self.assertIn("pid", first.command("status", "--json"))
            self.assertEqual(first.stop(), 0)

    def test_whoever_starts_a_daemon_is_told_and_its_log_is_left_alone(self) -> None:
        first = self.fleet("--workers", "1").ready()
        done = subprocess.run(
            [
                sys.executable, "-c", TWISTD, "--pidfile=other.pid", "--logfile=log",
                "mailhub", "--workers", "1",
            ],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": ROOT},
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.returncode, os.EX_TEMPFAIL)
        self.assertEqual(
            done.stderr,
            f"mailhub: the data folder {self.folder}/mailhub-data belongs to another"
            f" server that is running: process {first.process.pid}\n",
        )
        left = set(os.listdir(self.folder)) & {"other.pid", "log"}
        self.assertEqual(left, set())

    def test_two_that_start_at_the_same_time_are_one(self) -> None:
        both = [self.fleet("--workers", "1") for _ in range(2)]
        until(lambda: any(each.process.poll() is not None for each in both))
        both.sort(key=lambda each: each.process.poll() is None)
        self.assertEqual(both[0].ended(), os.EX_TEMPFAIL, both[0].said)
        both[1].ready()

    def test_a_port_is_not_taken_away_meanwhile(self) -> None:
        """The folder is asked for before ports are."""
        first = self.fleet("--workers", "2").ready()
        host, port = first.addresses["imap"]
        self.write(f'[listen]\nimap = ["{host}:{port}"]\n')
        second = self.fleet("--workers", "2")
        self.assertEqual(second.ended(), os.EX_TEMPFAIL)
        self.assertNotIn("in use", second.said)


class KillTests(Fleets):
    """``kill -9`` and a start at once."""

    def again(self, fleet: Fleet, *options: str) -> Fleet:
        """Another server, at the same addresses."""
        self.write(
            LISTEN.partition("[listen]")[0] + "[listen]\nadmin = []\n"
            + "".join(
                f'{name} = ["{host}:{port}"]\n'
                for name, (host, port) in fleet.addresses.items()
            )
        )
        return self.fleet(*options)

    def begun(self, fleet: Fleet) -> Client:
        """Somebody who is in the middle of a message."""
        client = fleet.connect("smtp")
        self.addCleanup(client.close)
        client.line()
        client.say(b"HELO x\r\n")
        client.say(b"MAIL FROM:<a@far.example>\r\n")
        client.say(b"RCPT TO:<%s>\r\n" % USER.encode())
        client.say(b"DATA\r\n")
        return client

    def test_it_starts_at_once(self) -> None:
        first = self.fleet("--workers", "1").ready()
        os.kill(first.process.pid, signal.SIGKILL)
        self.again(first, "--workers", "1").ready()

    def test_it_starts_while_workers_of_the_killed_master_are_ending(self) -> None:
        first = self.fleet("--workers", "2").ready()
        first.command("user", "add", USER, "--password-stdin", text=PASSWORD + "\n")
        client = self.begun(first)
        workers = first.workers()
        os.kill(first.process.pid, signal.SIGKILL)
        second = self.again(first, "--workers", "2").ready()
        self.assertTrue(any(os.path.exists(f"/proc/{pid}") for pid in workers))
        with socket.create_connection(second.addresses["smtp"], PATIENCE) as other:
            self.assertTrue(other.recv(100).startswith(b"220 "))
        self.assertTrue(client.say(MESSAGE).startswith(b"250 "))
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
        self.assertEqual(second.stop(), 0)
        self.assertNotIn("Traceback", second.said)
        self.again(first, "--workers", "2").ready()

    def test_workers_do_not_keep_the_folder(self) -> None:
        fleet = self.fleet("--workers", "2").ready()
        folder = f"{self.folder}/mailhub-data"
        for pid in fleet.workers():
            held = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
            self.assertNotIn(folder, held)
