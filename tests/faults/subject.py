"""The server under test: a real ``twistd -n mailhub`` with a store on disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
USERS = ("one@example.org", "two@example.org", "three@example.org")
PASSWORD = "correct horse battery"
#: Seconds for a start, far beyond what it takes.
START_TIMEOUT = 30
#: The ``mailhub`` command, which a checkout does not have as a program.
COMMAND = "import sys; from mailhub.cli.main import main; sys.exit(main())"
CONFIGURATION = """\
[server]
data = "{data}"
host_name = "mx.example.org"

[dns]
servers = ["127.0.0.1:9"]

[listen]
smtp = ["127.0.0.1:{ports.smtp}"]
imap = ["127.0.0.1:{ports.imap}"]
submission = ["127.0.0.1:{ports.submission}"]
submissions = []
lmtp = []
pop3 = []
pop3s = []
imaps = []
"""


@dataclass(frozen=True)
class Ports:
    """Where the server listens."""

    smtp: int
    imap: int
    submission: int


def free_ports() -> Ports:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in fields(Ports)]
    for each in sockets:
        each.bind((HOST, 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return Ports(*ports)


class Subject:
    """A server whose life the test holds in its hands.

    :param folder: everything it writes is below this.
    :param without: what of its promises is taken out, see :mod:`.broken`.
    :param workers: processes that serve, or 0 for one without a master.
    :cvar patches: the program that takes promises out.
    """

    patches = "tests.faults.broken"

    def __init__(
        self, folder: Path, without: str | None = None, workers: int = 0
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self.ports = free_ports()
        self._without = without
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._configuration = folder / "mailhub.toml"
        self._configuration.write_text(
            CONFIGURATION.format(data=self.data, ports=self.ports)
        )

    def set_up(self) -> None:
        """Make the accounts, with the command that people use."""
        for user in USERS:
            self.command("user", "add", user, "--password-stdin").check_returncode()

    def command(
        self, *arguments: str, wrapper: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``mailhub`` with the server's configuration, and wait for it.

        :param wrapper: a program that runs the one behind it, such as strace(1).
        """
        return subprocess.run(
            [
                *wrapper, sys.executable, "-c", COMMAND,
                "--config", self._configuration, *arguments,
            ],
            input=PASSWORD.encode(), env=self._environment(), cwd=self.folder,
            capture_output=True,
        )

    def start(self, wrapper: Sequence[str] = ()) -> float:
        """-> seconds until it greets on every port.

        :param wrapper: a program that runs the one behind it as its child, such as
            strace(1).
        """
        arguments = [
            "-n", "--pidfile=", "mailhub", "--config", str(self._configuration)
        ]
        if self._workers:
            arguments += ["--workers", str(self._workers)]
        if self._without is None:
            command = [str(Path(sys.executable).parent / "twistd"), *arguments]
        else:
            command = [
                sys.executable, "-m", self.patches, self._without, *arguments
            ]
        began = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*wrapper, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._environment(), cwd=self.folder, preexec_fn=self._before,
            )
        for port in astuple(self.ports):
            self._wait_for(port)
        self._pid = child_of(self._process.pid) if wrapper else self._process.pid
        return time.monotonic() - began

    def _before(self) -> None:
        """Called in the server's process before it is the server."""

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            try:
                with socket.create_connection((HOST, port), timeout=5) as connection:
                    if connection.recv(1):
                        return
            except OSError:
                time.sleep(0.01)
            if self._process is not None and self._process.poll() is not None:
                break
        self.kill()
        log = (self.folder / "log").read_text(errors="replace")
        raise RuntimeError(f"the server did not start:\n{log[-4000:]}")

    def kill(self) -> None:
        """``kill -9`` all its processes, and return after they are dead."""
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def workers(self) -> list[int]:
        """The processes that the server has started."""
        return children_of(self._pid) if self._pid else []

    def kill_worker(self, pid: int) -> float:
        """``kill -9`` one of :meth:`workers`.  -> seconds until it has a successor"""
        began = time.monotonic()
        number = len(self.workers())
        os.kill(pid, signal.SIGKILL)
        while len(set(self.workers()) - {pid}) < number:
            if time.monotonic() > began + START_TIMEOUT:
                raise RuntimeError("a killed worker has no successor")
            time.sleep(0.01)
        for port in astuple(self.ports):
            self._wait_for(port)
        return time.monotonic() - began

    def kill_master(self) -> None:
        """``kill -9`` the process that was started; return after its workers ended."""
        workers = self.workers()
        os.kill(self._pid, signal.SIGKILL)
        end = time.monotonic() + START_TIMEOUT
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            if time.monotonic() > end:
                raise RuntimeError("workers without a master do not end")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask it to end, and return after it has."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.kill(self._pid or process.pid, number)
        try:
            process.wait(START_TIMEOUT)
        finally:
            # Without effect on one that has ended.
            process.kill()
            process.wait()
            self._pid = 0

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}


def copy_folder(source: Path, target: Path) -> None:
    """Copy what a killed server has left, but its sockets and pipes."""
    shutil.copytree(source, target, ignore=_no_files)


def _no_files(folder: str, names: list[str]) -> list[str]:
    paths = {name: Path(folder, name) for name in names}
    return [n for n, path in paths.items() if not (path.is_file() or path.is_dir())]


def children_of(pid: int) -> list[int]:
    """The child processes of *pid*, if it lives."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        texts = [Path(f"/proc/{pid}/task/{t}/children").read_text() for t in tasks]
    except FileNotFoundError:
        return []
    return [int(child) for text in texts for child in text.split()]


def child_of(pid: int) -> int:
    """The one child process of *pid*."""
    [child] = children_of(pid)
    return child
