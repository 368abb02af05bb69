"""A server of several processes, run as people run it."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mailhub
from mailhub.config.settings import PORTS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(mailhub.__file__)))
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
COMMAND = "import sys; from mailhub.cli.main import main; sys.exit(main())"
LISTEN = '[dns]\nservers = ["127.0.0.1:9"]\n[listen]\nadmin = []\n' + "".join(
    f'{name} = ["127.0.0.1:0"]\n' for name in PORTS
)
USER, PASSWORD = "jo@example.org", "secret"
#: Seconds in which anything has to happen.
PATIENCE = 60


def until(what: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for another process: look again and again until *what* holds."""
    end = time.monotonic() + patience
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


class Fleet:
    """A server in a folder, and what it has said.

    :param before: statements for the process that is started, to change something.
    :ivar addresses: by service, once it is ready.
    """

    def __init__(
        self, folder: str, *options: str, before: str = "", **variables: str
    ) -> None:
        path = os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.folder = folder
        self.said = ""
        self.addresses: dict[str, tuple[str, int]] = {}
        self.process = subprocess.Popen(
            [
                sys.executable, "-c", before + TWISTD,
                "-n", "--pidfile=", "mailhub", *options,
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def listen(self) -> str:
        """All that was said so far."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while select.select([descriptor], [], [], 0)[0]:
            data = os.read(descriptor, 65536)
            if not data:
                break
            self.said += data.decode()
        return self.said

    def hear(self, text: str) -> None:
        """Wait until it says *text*."""
        until(lambda: text in self.listen() or self.process.poll() is not None)
        if text not in self.listen():
            raise AssertionError(f"it said: {self.said}")

    def ready(self) -> Fleet:
        """Wait until it serves."""
        self.hear("Add a user with")
        for name, host, port in re.findall(
            r"^\s+([a-z0-9]+) +([0-9.]+):([0-9]+)$", self.said, re.MULTILINE
        ):
            self.addresses[name] = (host, int(port))
        return self

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == self.process.pid:
                found.append(int(entry.name))
        return sorted(found)

    def stop(self) -> int:
        """End it in order.  -> its status"""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end.  -> its status"""
        until(lambda: self.listen() is None or self.process.poll() is not None)
        self.listen()
        assert self.process.returncode is not None
        return self.process.returncode

    def end(self) -> None:
        """Leave nothing behind."""
        for pid in [*self.workers(), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def command(self, *arguments: str, text: str = "") -> str:
        """What the mailhub command says."""
        return subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": ROOT}, input=text,
            capture_output=True, text=True, check=True, timeout=PATIENCE,
        ).stdout  # fmt: skip

    def connect(self, service: str) -> Client:
        """A client of *service*."""
        return Client(self.addresses[service])


class Client:
    """One connection, read by lines."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, PATIENCE)
        self.lines = self.socket.makefile("rb")

    def line(self) -> bytes:
        """The next line; empty at the end."""
        return self.lines.readline()

    def say(self, text: bytes) -> bytes:
        """Send *text*; the line that comes back."""
        self.socket.sendall(text)
        return self.line()

    def close(self) -> None:
        """Go away."""
        self.lines.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Fleets(SynchronousTestCase):
    """Tests with servers of several processes."""

    config = LISTEN

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder, 0o755)
        self.write(self.config)

    def write(self, text: str) -> None:
        """The configuration."""
        Path(self.folder, "mailhub.toml").write_text(text)

    def fleet(self, *options: str, before: str = "", **variables: str) -> Fleet:
        """A server that is about to start."""
        fleet = Fleet(self.folder, *options, before=before, **variables)
        self.addCleanup(fleet.end)
        return fleet
