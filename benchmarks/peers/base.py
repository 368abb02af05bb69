"""What all measured servers share: folders, processes, counting."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..imap_client import IMAP
from ..metering import Group, Meter

HOST = "127.0.0.1"
DOMAIN = "bench.test"
#: Mail for that domain goes on to another server, at :data:`NEXT` above the base port.
FOREIGN, NEXT = "relay.test", 26
PASSWORD = "secret"
#: Mailboxes that mail is spread over, unless a workload asks for more.
USERS = 10
#: Seconds for a server to greet after its start, and to end when told so.
START_SECONDS = 30.0
STOP_SECONDS = 30.0
_KEEPER = Path(__file__).resolve().parent.parent / "keeper.py"
#: What each service's port is above the base port, which is below the range that
#: the system takes the ports of clients from.
OFFSETS = {
    "smtp": 25,
    "lmtp": 24,
    "imap": 43,
    "imaps": 93,
    "pop3": 10,
    "pop3s": 95,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where servers live.

    :ivar folder: takes a folder of each server.
    :ivar port: the base port.
    :ivar programs: folders of Python environments and unpacked packages, by name.
    """

    folder: Path
    port: int
    programs: dict[str, Path] = field(default_factory=dict)


class CannotStart(Exception):
    """A server does not come up; the text says which and why."""


class Peer:
    """One server; the order is :meth:`setup`, :meth:`start`, :meth:`stop`.

    :cvar name: as it stands in records.
    :cvar services: names from :data:`OFFSETS` that it offers.
    :cvar is_slow: it gets fewer cases where many are measured.
    :cvar largest: messages that its mailboxes bear; ``None`` is no bound.
    :cvar holds_many: whether thousands of connections are no burden.
    """

    name = ""
    services: tuple[str, ...] = ()
    is_slow = False
    largest: int | None = None
    holds_many = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.folder / self.name
        self.ports = {each: place.port + OFFSETS[each] for each in self.services}
        self.users: list[str] = []
        self.group = Group(f"benchmark-{self.name}")
        self._keepers: list[subprocess.Popen[bytes]] = []
        self._readers: dict[str, IMAP] = {}

    # What differs.

    def configure(self) -> None:
        """Write everything that the server needs into its empty folder."""
        raise NotImplementedError

    def launch(self) -> None:
        """Start the processes, by :meth:`spawn`."""
        raise NotImplementedError

    def version(self) -> str:
        """What is measured, in a few words."""
        return ""

    # What is shared.

    def setup(self, users: int = USERS) -> None:
        """A fresh server with that many users."""
        self.users = [f"u{number}@{DOMAIN}" for number in range(users)]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        self.configure()

    def start(self) -> float:
        """Start, and wait until every service greets: the seconds it took.

        :raises CannotStart: it does not.
        """
        for port in self.ports.values():
            with socket.socket() as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((HOST, port))
        begin = time.perf_counter()
        try:
            self.launch()
            for service, port in self.ports.items():
                self._await_greeting(service, port)
        except BaseException:
            self.stop()
            raise
        return time.perf_counter() - begin

    def stop(self) -> None:
        """End all processes, and wait for that."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        for keeper in reversed(self._keepers):
            if keeper.poll() is None:
                keeper.send_signal(signal.SIGTERM)
        for keeper in self._keepers:
            try:
                keeper.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.wait()
        self._keepers.clear()

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.group.remove()

    def _await_greeting(self, service: str, port: int) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if any(keeper.poll() is not None for keeper in self._keepers):
                break
            try:
                with socket.create_connection((HOST, port), 5) as client:
                    if service.endswith("s") or client.recv(100):
                        return
            except OSError:
                time.sleep(0.005)
        log = self.path("output.log").read_text(errors="replace")[-400:]
        raise CannotStart(f"{self.name}: no greeting of {service}: {log}")

    def path(self, *parts: str) -> Path:
        """A file of the server."""
        return self.folder.joinpath(*parts)

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file of the server."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def make_folder(self, name: str, owner: str = "") -> Path:
        """Make a folder of the server, for the user *owner*."""
        path = self.path(name)
        path.mkdir(parents=True)
        if owner:
            shutil.chown(path, owner)
        return path

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        environment: dict[str, str] | None = None,
        counted: bool = True,
    ) -> None:
        """Start one process of the server, which ends when it is told so.

        :param counted: whether its cost is the server's.
        """
        more = {"KEEPER_CGROUP": self.group.entrance if counted else ""}
        with self.path("output.log").open("ab") as log:
            self._keepers.append(
                subprocess.Popen(
                    [sys.executable, "-I", "-S", _KEEPER, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | (environment or {}) | more,
                    start_new_session=True,
                )
            )

    def certificate(self) -> tuple[Path, Path]:
        """A self-signed certificate (P-256) and its key."""
        certificate, key = self.path("certificate.pem"), self.path("key.pem")
        run(
            "openssl", "req", "-x509", "-nodes", "-days", "30",
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-subj", f"/CN={DOMAIN}", "-keyout", key, "-out", certificate,
        )  # fmt: skip
        return certificate, key

    # What is asked.

    def address(self, service: str) -> tuple[str, int]:
        """Where *service* listens."""
        return HOST, self.ports[service]

    @property
    def roots(self) -> list[int]:
        """The ids of the keepers."""
        return [keeper.pid for keeper in self._keepers]

    def meter(self) -> Meter:
        """Begins to count what the server costs."""
        return Meter(self.group, self.roots)

    def pids(self) -> list[int]:
        """All processes of the server."""
        return self.group.pids(self.roots)

    def login(self, user: str) -> tuple[bytes, bytes]:
        """What the clients of *user* say."""
        return user.encode(), PASSWORD.encode()

    def count(self, user: str) -> int:
        """The messages that *user* sees: by IMAP STATUS, in a session that stays."""
        reader = self._readers.get(user)
        if reader is None:
            reader = self._readers[user] = IMAP(self.address("imap"))
            reader.login(*self.login(user))
        return reader.count()


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a program to its end: what it wrote.

    :raises CannotStart: it failed; the text is what it said.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | (environment or {}),
    )
    if done.returncode:
        said = (done.stderr or done.stdout)[-600:]
        raise CannotStart(f"{' '.join(map(str, command))[:120]}: {said}")
    return done.stdout


def seeing(files: dict[str, Path], command: Sequence[str | Path]) -> list[str | Path]:
    """*command* in a name space where some files of the system are others."""
    binds = [f"mount --bind '{own}' '{name}'" for name, own in files.items()]
    script = " && ".join([*binds, 'exec "$@"'])
    space = ["unshare", "--mount", "--propagation", "private"]
    return [*space, "sh", "-c", script, "sh", *command]


def first_line(*command: str | Path) -> str:
    """The first line that a program says about itself, ``""`` if it says nothing."""
    try:
        said = run(*command).splitlines()
    except (CannotStart, OSError):
        return ""
    return said[0].strip() if said else ""
