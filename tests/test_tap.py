"""``twistd mailhub``, in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

import mailhub
from mailhub.config.faults import ConfigError
from mailhub.config.settings import PORTS, Config, Listen
from mailhub.errors import LocalFault
from mailhub.processes import privileges
from mailhub.processes.asking import Alone
from mailhub.processes.folder_lock import FolderLock
from mailhub.processes.worker import StartFailed
from mailhub.tap import Options, Process, makeService

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(mailhub.__file__)))
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
FREE_PORTS = "[listen]\n" + "".join(f'{name} = ["127.0.0.1:0"]\n' for name in PORTS)
PASSWORD = ("--password-stdin",)
#: Seconds in which a process has to end.
PATIENCE = 60


class Folder(SynchronousTestCase):
    """Tests that run ``twistd`` in a folder of their own."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def write(self, text: str, name: str = "mailhub.toml") -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def twistd(self, *options: str) -> subprocess.Popen[str]:
        """Start a server, not as a daemon."""
        path = os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            [sys.executable, "-c", TWISTD, "-n", "mailhub", *options],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate(timeout=PATIENCE)

    def refusal(self, *options: str, code: int = os.EX_CONFIG) -> str:
        """What a server that cannot start says."""
        process = self.twistd(*options)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, code, output)
        self.assertNotIn("Traceback", output)
        return output


def announced(process: subprocess.Popen[str]) -> dict[str, tuple[str, int]]:
    """Where a server says that it listens."""
    found = {}
    assert process.stdout is not None
    for line in process.stdout:
        match = re.fullmatch(r"\s+([a-z0-9]+) +([0-9.]+):([0-9]+)\n", line)
        if match:
            found[match[1]] = (match[2], int(match[3]))
        if "Add a user with" in line:
            break
    return found


class ProcessTests(Folder):
    """A server as people run it."""

    def test_it_says_where_it_listens_and_ends_cleanly_on_sigterm(self) -> None:
        self.write(FREE_PORTS)
        process = self.twistd()
        addresses = announced(process)
        self.assertEqual(list(addresses), list(PORTS))
        with socket.create_connection(addresses["imap"], PATIENCE) as client:
            lines = client.makefile("rb")
            self.assertTrue(lines.readline().startswith(b"* OK "))
            process.send_signal(signal.SIGTERM)
            self.assertTrue(lines.readline().startswith(b"* BYE "))
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertNotIn("Traceback", output)
        self.assertIn("Server Shut Down.", output)
        self.assertEqual(process.returncode, 0)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "twistd.pid")))

    def test_the_mailhub_command_works_while_it_runs(self) -> None:
        self.write(FREE_PORTS)
        process = self.twistd()
        addresses = announced(process)
        command = "import sys; from mailhub.cli.main import main; sys.exit(main())"
        subprocess.run(
            [
                sys.executable,
                "-c",
                command,
                "user",
                "add",
                "jo@x.org",
                "--password-stdin",
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": ROOT},
            input="secret\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        with socket.create_connection(addresses["imap"], PATIENCE) as client:
            client.sendall(b"a LOGIN jo@x.org secret\r\n")
            lines = client.makefile("rb")
            lines.readline()
            self.assertTrue(lines.readline().startswith(b"a OK "))

    def test_sighup_reads_the_certificate_again(self) -> None:
        self.write(FREE_PORTS)
        process = self.twistd()
        announced(process)
        path = os.path.join(self.folder, "mailhub-data", "self-signed.pem")
        os.chmod(path, 0o644)
        process.send_signal(signal.SIGHUP)
        assert process.stdout is not None
        for line in process.stdout:
            if "the configuration stays as it was" in line:
                self.assertIn("run: chmod 600", line)
                return
        self.fail("the certificate was not read again")

    def test_all_faults_of_the_configuration_are_told(self) -> None:
        path = self.write("[limits]\nidle = 0\nidel = 1\n", "x.toml")
        self.assertEqual(
            self.refusal("--config", "x.toml"),
            f"mailhub: {path}:2: [limits] idle = 0: expected seconds from 1 min to"
            ' 7 d, as a number or like "5 min"\n'
            f"{path}:3: [limits] idel = 1: no such setting; did you mean idle?\n",
        )

    def test_a_port_that_is_taken_is_told(self) -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        path = self.write(f'[listen]\nimap = ["{place}"]\n')
        self.assertIn(
            f'cannot start: {path}:2: [listen] imap = ["{place}"]: cannot listen on'
            f" {place}: Address already in use\n",
            self.refusal(),
        )
        self.assertEqual(os.listdir(self.folder), ["mailhub.toml"])

    def test_a_store_that_cannot_be_opened_is_told(self) -> None:
        self.write(FREE_PORTS)
        os.mkdir(os.path.join(self.folder, "d"), 0o700)
        self.write("not a database" * 100, "d/mailhub.sqlite")
        output = self.refusal("--data", "d", code=os.EX_UNAVAILABLE)
        self.assertIn("cannot start: ", output)
        self.assertIn("is not a mail store", output)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "twistd.pid")))


class FakeReactor(Clock):
    """As much of a reactor as a failing start needs."""

    def __init__(self, running: bool) -> None:
        super().__init__()
        self.running = running
        self.at_the_end: list[Callable[[], object]] = []

    def addSystemEventTrigger(
        self, phase: str, event: str, call: Callable[..., object], *arguments: object
    ) -> None:
        """Remember what is to happen."""
        assert (phase, event) == ("after", "shutdown")
        self.at_the_end.append(lambda: call(*arguments))

    def listenUNIX(self, address: str, *_: object, **__: object) -> None:
        """There is nowhere to listen."""
        raise CannotListenError(None, address, OSError("no sockets here"))

    def stop(self) -> None:
        """End."""
        self.running = False
        for call in self.at_the_end:
            call()


class FakeMail:
    """A server whose start has failed, or will."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.started: Deferred[None] = Deferred()
        if failure is not None:
            self.started.errback(Failure(failure))

    def setServiceParent(self, parent: Process) -> None:
        """It is not called any more."""


def process_of(
    mail: FakeMail, reactor: FakeReactor, pidfile: str | None = None
) -> Process:
    """What would run *mail*."""
    config = Config(listen=Listen(admin=()))
    return Process(config, mail, Alone({}), reactor, pidfile)


class StartTests(SynchronousTestCase):
    """A process whose server does not start."""

    def setUp(self) -> None:
        self.said: list[str] = []
        self.patch(
            Process, "_tell", lambda _, failure: self.said.append(str(failure.value))
        )
        self.patch(privileges, "drop", lambda config: None)
        self.patch(FolderLock, "take", lambda _: None)
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)

    def test_a_failure_at_once_ends_the_process(self) -> None:
        for error, code in (
            (ConfigError([]), os.EX_CONFIG),
            (LocalFault("disk"), os.EX_UNAVAILABLE),
            (OSError(5, "I/O"), os.EX_UNAVAILABLE),
        ):
            pidfile = self.mktemp()
            with open(pidfile, "w"):
                pass
            process = process_of(FakeMail(error), FakeReactor(False), pidfile)
            ended = self.assertRaises(SystemExit, process.startService)
            self.assertEqual(ended.code, code)
            self.assertEqual(self.said.pop(), str(error))
            self.assertFalse(os.path.exists(pidfile))

    def test_a_failure_later_ends_the_process_with_a_status(self) -> None:
        for failure, code in (
            (LocalFault("database gone"), os.EX_UNAVAILABLE),
            (StartFailed("no such setting", is_config=True), os.EX_CONFIG),
        ):
            ended: list[int] = []
            self.patch(os, "_exit", ended.append)
            mail, reactor = FakeMail(), FakeReactor(False)
            process_of(mail, reactor).startService()
            reactor.running = True
            mail.started.errback(Failure(failure))
            self.assertEqual(self.said.pop(), str(failure))
            self.assertEqual(ended, [code])


class OptionTests(Folder):
    """Options and the service they make."""

    def make(self, *arguments: str) -> Process:
        options = Options()
        options.parseOptions(["--config", self.write(FREE_PORTS), *arguments])
        self.addCleanup(os.umask, os.umask(0o022))
        return makeService(options)

    def test_files_are_made_for_their_owner_only(self) -> None:
        self.make()
        self.assertEqual(os.umask(0o022), 0o077)

    def test_data_and_more_checkers_are_options(self) -> None:
        users = self.write("jo@x.org:{PLAIN}pw\n", "users")
        process = self.make("--data", "/d", "--auth", f"mailhub-passwd:{users}")
        mail = process._server
        self.assertEqual(mail.config.server.data, "/d")
        self.assertIs(mail._reactor, reactor)
        self.assertEqual(Options.supportedInterfaces[0].__name__, "IUsernamePassword")
