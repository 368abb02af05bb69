"""What systemd and the server tell each other: sd_notify(3), sd_listen_fds(3)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.settings import PORTS, profile_endpoints
from mailhub.processes.notify import Notifier, Watchdog
from mailhub.tap import Options

from ..programs import require
from .fleet import TWISTD, Fleets, until

ROOT = Path(__file__).parents[2]
#: Passes sockets as systemd does, and becomes the server.
ACTIVATE = """
import os, sys
number = int(sys.argv[1])
for place, descriptor in enumerate(map(int, sys.argv[2].split(","))):
    os.dup2(descriptor, 3 + place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(number))
os.execv(sys.executable, [sys.executable, "-c", sys.argv[3], *sys.argv[4:]])
"""


class Listener:
    """systemd's end."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = f"{self.folder.name}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = ""

    def hears(self, text: str) -> bool:
        """Whether it has heard *text* by now."""
        try:
            while True:
                self.heard += self.socket.recv(4096).decode() + "\n"
        except BlockingIOError:
            return text in self.heard

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()
        self.folder.cleanup()


class NotifyTests(Fleets):
    """Type=notify, WatchdogSec=."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = Listener()
        self.addCleanup(self.listener.close)

    def hear(self, text: str) -> None:
        until(lambda: self.listener.hears(text))

    def test_one_process_and_several_tell_how_they_are(self):
        for workers in ("1", "2"):
            self.listener.heard = ""
            fleet = self.fleet(
                "--workers", workers,
                NOTIFY_SOCKET=self.listener.path, WATCHDOG_USEC="300000",
            )  # fmt: skip
            self.hear("READY=1")
            self.hear("WATCHDOG=1")
            fleet.ready()
            fleet.process.send_signal(signal.SIGHUP)
            self.hear("RELOADING=1\nMONOTONIC_USEC=")
            fleet.process.send_signal(signal.SIGTERM)
            self.hear("STOPPING=1")
            fleet.ended()

    def test_a_server_with_a_frozen_worker_gives_no_sign_of_life(self):
        fleet = self.fleet(
            "--workers", "2",
            NOTIFY_SOCKET=self.listener.path, WATCHDOG_USEC="300000",
        ).ready()  # fmt: skip
        os.kill(fleet.workers()[1], signal.SIGSTOP)

        def is_silent() -> bool:
            self.listener.hears("")
            self.listener.heard = ""
            clock.advance(1)
            return not self.listener.hears("WATCHDOG=1")

        clock = Clock()
        until(is_silent)


class WatchdogTests(SynchronousTestCase):
    """The protocol, in process."""

    def setUp(self) -> None:
        self.listener = Listener()
        self.addCleanup(self.listener.close)

    def test_variables_are_for_this_process_only(self):
        environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "5", "HOME": "/"}
        notifier = Notifier(environ)
        self.assertEqual(environ, {"HOME": "/"})
        self.assertEqual(notifier.watchdog, 5e-6)

    def test_a_watchdog_of_another_process_is_none_of_ours(self):
        environ = {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}
        self.assertIsNone(Notifier(environ).watchdog)

    def test_nobody_who_listens_is_no_fault(self):
        Notifier({}).ready()
        Notifier({"NOTIFY_SOCKET": "/no/such/socket"}).ready()

    def test_signs_of_life_stop_while_something_is_wrong(self):
        clock, is_well = Clock(), [True]
        notifier = Notifier(
            {"NOTIFY_SOCKET": self.listener.path, "WATCHDOG_USEC": "3000000"}
        )
        watchdog = Watchdog(notifier, clock, lambda: is_well[0])
        watchdog.startService()
        clock.pump([1, 1, 1])
        self.assertTrue(self.listener.hears("WATCHDOG=1"))
        self.assertEqual(self.listener.heard.count("WATCHDOG=1"), 4)
        is_well[0] = False
        clock.pump([1, 1, 1])
        self.listener.hears("")
        self.assertEqual(self.listener.heard.count("WATCHDOG=1"), 4)
        watchdog.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])


class UnitTests(SynchronousTestCase):
    """The units that are shipped."""

    def test_the_sockets_are_those_of_the_public_profile(self):
        text = (ROOT / "conf/systemd/mailhub.socket").read_text()
        lines = [line.partition("=") for line in text.splitlines()]
        bound = {value for name, _, value in lines if name == "ListenStream"}
        wanted = set()
        for service in PORTS:
            for endpoint in profile_endpoints("public", service):
                is_everywhere = endpoint.host in ("0.0.0.0", "::")
                port, v6 = str(endpoint.port), ":" in endpoint.host
                if is_everywhere:
                    wanted.add(port if v6 else f"0.0.0.0:{port}")
        self.assertEqual(bound, wanted)

    def test_the_service_runs_what_there_is(self):
        text = (ROOT / "conf/systemd/mailhub.service").read_text()
        [line] = [line for line in text.splitlines() if line.startswith("ExecStart=")]
        options = line.split(" mailhub ")[1].split()
        self.assertEqual(options[0], "--config")
        self.assertIn("config", Options())

    def test_systemd_finds_no_fault_and_little_exposure(self):
        analyze = require("systemd-analyze")
        unit = str(ROOT / "conf/systemd/mailhub.service")
        done = subprocess.run(
            [analyze, "security", "--offline=true", "--no-pager",
             "--threshold=20", unit],
            capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout)


class ActivationTests(Fleets):
    """Sockets that were bound before the server began."""

    def activate(self, sockets: list[socket.socket], names: str, *options: str) -> str:
        """What a server says that gets *sockets*, after some time."""
        high = [os.dup(each.fileno()) + 0 for each in sockets]
        process = subprocess.Popen(
            [
                sys.executable, "-c", ACTIVATE, str(len(sockets)),
                ",".join(map(str, high)), TWISTD,
                "-n", "--pidfile=", "mailhub", *options,
            ],
            cwd=self.folder, pass_fds=high, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LISTEN_FDNAMES": names},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(os.killpg, process.pid, signal.SIGTERM)
        for descriptor in high:
            os.close(descriptor)
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "Add a user with" in line or "Shut Down" in line:
                break
        return said

    def test_they_serve_what_their_names_or_addresses_say(self):
        for options in ((), ("--workers", "2", "--data", "another")):
            named, known = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
            with named, known:
                port = known.getsockname()[1]
                rest = "".join(f"{name} = []\n" for name in PORTS if name != "imap")
                self.write(f'[listen]\nadmin = []\nimap = ["127.0.0.1:{port}"]\n{rest}')
                said = self.activate([named, known], "pop3:unknown", *options)
                for listening, greeting in ((named, b"+OK"), (known, b"* OK")):
                    with socket.create_connection(listening.getsockname(), 60) as one:
                        self.assertTrue(one.recv(100).startswith(greeting), said)

    def test_a_socket_that_is_for_nothing_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            high = os.dup(listening.fileno())
            server = (TWISTD, "-n", "mailhub")
            done = subprocess.run(
                [sys.executable, "-c", ACTIVATE, "1", str(high), *server],
                cwd=self.folder, pass_fds=[high], capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), "LISTEN_FDNAMES": "x"},
                timeout=60,
            )  # fmt: skip
            os.close(high)
        self.assertEqual(done.returncode, os.EX_CONFIG)
        self.assertIn("inherited socket 3 (x) is for none of", done.stderr)
