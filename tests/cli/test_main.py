from __future__ import annotations

import json
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import mailhub
from mailhub.admin import version
from mailhub.cli.main import COMMANDS
from mailhub.cli.outcome import Exit, failure_of
from mailhub.errors import LocalFault, NotPermitted

from .shell import CommandTests

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(mailhub.__file__)))
CALL = "import sys; from mailhub.cli.main import main; sys.exit(main())"
#: What the command must do without, to start fast.
HEAVY = ("twisted", "zope", "OpenSSL", "cryptography", "argon2", "asyncio", "ssl")
LOADED = (
    "import sys; from mailhub.cli.main import main; sys.stdout = sys.stderr;"
    "main(); sys.stdout = sys.__stdout__; print(*sys.modules)"
)


class ArgumentTests(CommandTests):
    """What all commands have in common."""

    def test_wrong_usage_is_told_with_the_usage(self) -> None:
        for arguments in ((), ("nope",), ("user",), ("user", "nope"), ("--no",)):
            text = self.fails(Exit.USAGE, *arguments)
            self.assertIn("usage: mailhub", text)

    def test_options_are_not_guessed_from_their_beginning(self) -> None:
        self.fails(Exit.USAGE, "--dat", "x", "user", "list")

    def test_shared_options_may_stand_anywhere(self) -> None:
        self.works("--data", "d", "domain", "add", "x.org")
        for arguments in (
            ("--data", "d", "domain", "list"),
            ("domain", "--data", "d", "list"),
            ("domain", "list", "--data", "d"),
            ("--data", "other", "domain", "list", "--data", "d"),
        ):
            self.assertEqual(self.works(*arguments), "x.org\n")
            for place in range(len(arguments) + 1):
                if "--data" in arguments[place - 1 : place]:
                    continue
                given = (*arguments[:place], "--json", *arguments[place:])
                self.assertEqual(json.loads(self.works(*given)), {"domains": ["x.org"]})

    def test_version_is_told(self) -> None:
        self.patch(version, "version", lambda name: "1.2.3")
        self.assertEqual(self.works("version"), "mailhub 1.2.3\n")
        self.assertEqual(self.json("version"), {"version": "1.2.3"})

    def test_a_checkout_has_a_version_as_well(self) -> None:
        def missing(name: str) -> str:
            raise version.PackageNotFoundError(name)

        self.patch(version, "version", missing)
        self.assertEqual(self.json("version"), {"version": version.UNKNOWN})


class FailureTests(SynchronousTestCase):
    """Errors as exit codes."""

    def test_what_is_forbidden_is_no_permission(self) -> None:
        fault = LocalFault("cannot open")
        fault.__cause__ = PermissionError(13, "Permission denied")
        self.assertEqual(failure_of(fault).code, Exit.NO_PERMISSION)
        refused = PermissionError(13, "Permission denied", "/x")
        self.assertEqual(failure_of(refused).code, Exit.NO_PERMISSION)
        self.assertEqual(str(failure_of(refused)), "/x: Permission denied")

    def test_other_local_faults_are_worth_another_try(self) -> None:
        self.assertEqual(failure_of(LocalFault("busy")).code, Exit.TRY_AGAIN)
        self.assertEqual(failure_of(NotPermitted("newer")).code, Exit.UNAVAILABLE)

    def test_bugs_stay_bugs(self) -> None:
        self.assertRaises(ZeroDivisionError, failure_of, ZeroDivisionError())


class ProcessTests(SynchronousTestCase):
    """The command as a process of its own."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def call(
        self,
        *arguments: str,
        code: str = CALL,
        stdin: str = "",
        stdout: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    def test_exit_codes_and_outputs_reach_the_shell(self) -> None:
        done = self.call("user", "add", "jo@x.org", "--password-stdin", stdin="pw\n")
        self.assertEqual((done.returncode, done.stdout), (0, "added jo@x.org\n"))
        done = self.call("user", "show", "jo@x.org", "--json")
        self.assertEqual(json.loads(done.stdout)["password"], "argon2id")
        done = self.call("user", "show", "al@x.org")
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr),
            (Exit.NO_USER, "", "mailhub: there is no user al@x.org\n"),
        )
        self.assertEqual(self.call("user").returncode, Exit.USAGE)

    def test_help_is_there_for_every_command(self) -> None:
        text = self.call("--help").stdout
        for name in COMMANDS:
            self.assertIn(f"\n    {name} ", text)
            done = self.call(name, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn(f"usage: mailhub {name} ", done.stdout)

    def test_simple_commands_load_nothing_heavy(self) -> None:
        for arguments in (["version"], ["config", "check"], ["user", "list"]):
            done = self.call(*arguments, code=LOADED)
            loaded = {name.partition(".")[0] for name in done.stdout.split()}
            self.assertIn("argparse", loaded)
            self.assertEqual(loaded & set(HEAVY), set(), arguments)

    def test_a_reader_that_goes_away_is_no_fault(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        done = self.call("config", "default", stdout=writing)
        self.assertEqual((done.returncode, done.stderr), (141, ""))
