"""Commands beside a server that runs, of one process and of several."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import Any

from mailhub.admin.outcome import Exit
from mailhub.cli.running import columns, lasted, size

from ..processes.fleet import (
    COMMAND,
    LISTEN,
    PASSWORD,
    PATIENCE,
    ROOT,
    USER,
    Fleet,
    Fleets,
    until,
)

MEMORY = LISTEN + '[store]\nkind = "memory"\n'


class Said:
    """What a command came to."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.told = done.stderr

    @property
    def json(self) -> Any:
        """What it said, with --json."""
        return json.loads(self.out)


class Running(Fleets):
    """A server, and commands in its folder."""

    def mailhub(self, *arguments: str, text: str = "") -> Said:
        return Said(
            subprocess.run(
                [sys.executable, "-c", COMMAND, *arguments],
                cwd=self.folder, env={**os.environ, "PYTHONPATH": ROOT}, input=text,
                capture_output=True, text=True, timeout=PATIENCE,
            )
        )  # fmt: skip

    def works(self, *arguments: str, text: str = "") -> Said:
        said = self.mailhub(*arguments, text=text)
        self.assertEqual((said.code, said.told), (0, ""), arguments)
        return said

    def add_user(self) -> None:
        self.works("user", "add", USER, "--password-stdin", text=f"{PASSWORD}\n")

    def log_in(self, fleet: Fleet) -> Any:
        client = fleet.connect("imap")
        self.addCleanup(client.close)
        client.line()
        login = f"a LOGIN {USER} {PASSWORD}\r\n".encode()
        self.assertTrue(client.say(login).startswith(b"a OK"))
        return client


class SameTests(Running):
    """A command says and does the same with a server and without one."""

    def commands(self) -> list[tuple[int, str, str]]:
        """Code, result and text of every command, good ones and bad ones."""
        told = []
        for arguments, text in (
            (("user", "list"), ""),
            (("user", "add", "jo@x.org", "--password-stdin"), "secret\n"),
            (("user", "add", "jo@x.org", "--password-stdin"), "secret\n"),
            (("user", "add", "al@x.org", "--quota", "1 GiB", "--password-stdin"), "a"),
            (("user", "add", "--from-file", "-"), "bo@x.org:b\njo@x.org:c\n"),
            (("user", "add", "no address", "--password-stdin"), "a"),
            (("user", "list"), ""),
            (("user", "list", "--json"), ""),
            (("user", "show", "al@x.org"), ""),
            (("user", "show", "al@x.org", "--json"), ""),
            (("user", "show", "no@x.org"), ""),
            (("user", "passwd", "jo@x.org", "--password-stdin"), "other\n"),
            (("user", "passwd", "no@x.org", "--password-stdin"), "other\n"),
            (("domain", "add", "y.org"), ""),
            (("domain", "add", "y.org", "--json"), ""),
            (("domain", "list", "--json"), ""),
            (("domain", "remove", "x.org"), ""),
            (("domain", "remove", "z.org"), ""),
            (("alias", "add", "info@y.org", "jo@x.org", "far@z.org"), ""),
            (("alias", "add", "info@y.org", "jo@x.org"), ""),
            (("alias", "add", "info@y.org", "jo@x.org", "--replace", "--json"), ""),
            (("alias", "add", "info@z.org", "jo@x.org"), ""),
            (("alias", "list"), ""),
            (("forward", "set", "jo@x.org", "al@x.org", "far@z.org", "--keep"), ""),
            (("forward", "set", "no@x.org", "al@x.org"), ""),
            (("forward", "list", "--json"), ""),
            (("trace", "info@y.org"), ""),
            (("trace", "info+x@y.org", "--from", "jo@x.org", "--json"), ""),
            (("trace", "no@y.org"), ""),
            (("trace", "no address"), ""),
            (("forward", "remove", "jo@x.org"), ""),
            (("alias", "list", "--json"), ""),
            (("user", "show", "jo@x.org", "--json"), ""),
            (("alias", "remove", "info@y.org"), ""),
            (("alias", "remove", "info@y.org"), ""),
            (("domain", "remove", "y.org"), ""),
            (("user", "remove", "al@x.org"), ""),
            (("user", "remove", "al@x.org", "--yes"), ""),
            (("user", "remove", "al@x.org", "--yes"), ""),
            (("user", "list"), ""),
        ):
            said = self.mailhub(*arguments, text=text)
            told.append((said.code, said.out, said.told))
        return told

    def test_offline_with_one_process_with_several_and_in_memory(self) -> None:
        with_server = []
        for number, (config, options) in enumerate(
            ((LISTEN, ()), (LISTEN, ("--workers", "2")), (MEMORY, ()))
        ):
            self.folder = os.path.join(self.folder, f"server-{number}")
            os.mkdir(self.folder)
            self.write(config)
            fleet = self.fleet(*options).ready()
            with_server.append(self.commands())
            fleet.stop()
        self.folder = os.path.join(self.folder, "offline")
        os.mkdir(self.folder)
        self.write(LISTEN)
        self.mailhub("domain", "add", "first.org")  # so that there is a store
        self.works("domain", "remove", "first.org")
        offline = self.commands()
        self.assertEqual(len({code for code, _, _ in offline}), 6)
        for told in with_server:
            self.assertEqual(told, offline)

    def test_who_is_added_while_it_runs_can_log_in(self) -> None:
        for config in (LISTEN, MEMORY):
            self.write(config)
            fleet = self.fleet().ready()
            self.add_user()
            self.log_in(fleet)
            fleet.stop()

    def test_what_a_dead_server_left_does_not_keep_a_command(self) -> None:
        fleet = self.fleet().ready()
        self.add_user()
        fleet.process.kill()
        fleet.process.wait()
        path = os.path.join(self.folder, "mailhub-data", "run", "admin.sock")
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
        self.assertEqual(self.works("user", "list").out, f"{USER}\n")

    def test_a_store_in_memory_without_its_server_is_told(self) -> None:
        self.write(MEMORY)
        said = self.mailhub("user", "list")
        self.assertEqual(said.code, Exit.CONFIG)
        self.assertIn("none is running", said.told)

    def test_no_password_and_no_hash_is_logged(self) -> None:
        self.write(LISTEN + '[log]\nlevel = "debug"\n')
        fleet = self.fleet("--workers", "2").ready()
        self.add_user()
        self.works("user", "passwd", USER, "--password-stdin", text="another-secret\n")
        self.assertEqual(
            self.mailhub("user", "add", USER, "--password-stdin", text="x\n").code,
            Exit.CANNOT_CREATE,
        )
        fleet.stop()
        for text in ("another-secret", "argon2", "{"):
            self.assertNotIn(text, fleet.said.split("Add a user with")[1])


class StatusTests(Running):
    """``mailhub status``, ``sessions``, ``who`` and ``kick``."""

    def test_a_server_tells_how_it_is(self) -> None:
        for workers in ("1", "2"):
            fleet = self.fleet("--workers", workers).ready()
            with fleet.connect("imap") as client:
                client.line()
                data = self.works("status", "--json").json
                self.assertEqual(len(data["workers"]), int(workers))
                self.assertEqual(data["services"]["imap"]["open"], 1)
                self.assertEqual(data["services"]["imap"]["accepted"], 1)
                host, port = fleet.addresses["imap"]
                self.assertEqual(data["listeners"]["imap"], [f"{host}:{port}"])
                self.assertEqual(
                    data["store"],
                    {
                        "kind": "sqlite",
                        "data": os.path.join(self.folder, "mailhub-data"),
                        "fault": None,
                    },
                )
                self.assertGreaterEqual(data["seconds"], 0)
                text = self.works("status").out
            for part in ("mailhub ", ", up ", ": works", f"{host}:{port}", "imaps"):
                self.assertIn(part, text)
            fleet.stop()

    def test_sessions_are_told_and_ended(self) -> None:
        for workers in ("1", "2"):
            fleet = self.fleet("--workers", workers).ready()
            if workers == "1":
                self.add_user()
            clients = [self.log_in(fleet) for _ in range(4)]
            with fleet.connect("smtp") as other:
                other.line()
                sessions = self.works("who", "--json").json["sessions"]
                found = {(each["service"], each["user"]) for each in sessions}
                self.assertEqual(found, {("imap", USER), ("smtp", None)})
                self.assertEqual(len(sessions), 5)
                mine = [each for each in sessions if each["user"]][0]
                self.assertEqual(mine["state"], "authenticated")
                self.assertEqual(mine["peer"], "127.0.0.1")
                self.assertGreater(mine["octets_in"], len("a LOGIN"))
                self.assertGreater(mine["octets_out"], len("* OK a OK"))
                self.assertIn(USER, self.works("sessions").out)
                said = self.works("kick", USER.upper(), "--json").json
                self.assertEqual(said, {"whom": USER, "ended": 4})
                for client in clients:
                    self.assertTrue(client.line().startswith(b"* BYE "))
                    self.assertEqual(client.line(), b"")
                until(lambda: len(self.sessions()) == 1)
                said = self.mailhub("kick", USER)
                self.assertEqual(said.code, Exit.NO_USER)
                self.assertTrue(other.say(b"NOOP\r\n").startswith(b"250 "))
                self.assertEqual(
                    self.works("kick", "127.0.0.1").out,
                    "ended 1 session of 127.0.0.1\n",
                )
                self.assertTrue(other.line().startswith(b"421 "))
            fleet.stop()

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.works("sessions", "--json").json["sessions"]
        return found

    def test_without_a_server_each_says_so(self) -> None:
        for arguments in (
            ("status",), ("who",), ("kick", USER), ("reload",), ("stop",),
        ):  # fmt: skip
            said = self.mailhub(*arguments, "--json")
            self.assertEqual(said.code, Exit.UNAVAILABLE)
            self.assertIn("no server runs with", said.json["error"]["text"])

    def test_what_nobody_is_called_is_refused(self) -> None:
        self.assertEqual(self.mailhub("kick", "a b\n").code, Exit.DATA_WRONG)


class StopTests(Running):
    """``mailhub stop``."""

    def test_it_returns_when_the_server_has_ended(self) -> None:
        for workers in ("1", "2"):
            fleet = self.fleet("--workers", workers).ready()
            with fleet.connect("imap") as client:
                client.line()
                pid = self.works("stop", "--json").json["pid"]
                self.assertEqual(pid, fleet.process.pid)
                self.assertEqual(fleet.process.wait(PATIENCE), 0)
                self.assertTrue(client.line().startswith(b"* BYE "))
            self.assertEqual(self.mailhub("status").code, Exit.UNAVAILABLE)


class ReloadTests(Running):
    """``mailhub reload`` and SIGHUP."""

    def capabilities(self, fleet: Fleet) -> bytes:
        """What a new connection to submission is offered."""
        with fleet.connect("submission") as client:
            client.line()
            client.socket.sendall(b"EHLO x\r\n")
            lines = [client.line()]
            while lines[-1][3:4] == b"-":
                lines.append(client.line())
            return b"".join(lines)

    def test_new_connections_see_it_and_old_ones_stay(self) -> None:
        for workers in ("1", "2"):
            self.write(LISTEN)
            fleet = self.fleet("--workers", workers).ready()
            if workers == "1":
                self.add_user()
            old = [self.log_in(fleet) for _ in range(4)]
            self.assertIn(b"SIZE 52428800\r\n", self.capabilities(fleet))
            self.write(
                LISTEN
                + "[limits]\nmessage_size = 100_000\n"
                + '[store]\nkind = "memory"\n[server]\nhost_name = "new.example.org"\n'
            )
            data = self.works("reload", "--json").json
            self.assertEqual(
                data,
                {
                    "source": os.path.join(self.folder, "mailhub.toml"),
                    "changed": ["[server] host_name", "[limits] message_size"],
                    "restart": ["[store] kind"],
                },
            )
            for _ in range(4):
                told = self.capabilities(fleet)
                self.assertIn(b"SIZE 100000\r\n", told)
                self.assertTrue(told.startswith(b"250-new.example.org"))
            for client in old:
                self.assertTrue(client.say(b"b NOOP\r\n").startswith(b"b OK"))
            self.log_in(fleet)
            fleet.hear("[store] kind needs a restart")
            fleet.stop()

    def test_a_bad_file_changes_nothing(self) -> None:
        """All faults are told, to the log and to the command."""
        for workers in ("1", "2"):
            self.write(LISTEN)
            fleet = self.fleet("--workers", workers).ready()
            before = self.capabilities(fleet)
            text = LISTEN + "[limits]\nmessage_size = 100_000\nidle = 5\nidel = 6\n"
            self.write(text)
            line = text.count("\n") - 1
            path = os.path.join(self.folder, "mailhub.toml")
            expected = (
                f"{path}:{line}: [limits] idle = 5: expected seconds from 1 min to 7 d",
                f"{path}:{line + 1}: [limits] idel = 6: no such setting; did you mean",
            )
            said = self.mailhub("reload")
            self.assertEqual(said.code, Exit.CONFIG)
            fleet.process.send_signal(signal.SIGHUP)
            for fault in expected:
                self.assertIn(fault, said.told)
                fleet.hear(f"the configuration stays as it was: {fault}")
            told = self.mailhub("reload", "--json").json["error"]["faults"]
            self.assertEqual([each["line"] for each in told], [line, line + 1])
            self.assertEqual([each["key"] for each in told], ["idle", "idel"])
            self.assertEqual(self.capabilities(fleet), before)
            fleet.stop()

    def test_a_certificate_that_is_of_no_use_keeps_all_else_as_it_was(self) -> None:
        self.write(LISTEN)
        fleet = self.fleet("--workers", "2").ready()
        before = self.capabilities(fleet)
        tls = '[tls]\ncertificate = "no.pem"\nkey = "no.pem"\n'
        self.write(LISTEN + tls + "[limits]\nmessage_size = 100_000\n")
        said = self.mailhub("reload")
        self.assertEqual(said.code, Exit.CONFIG)
        self.assertIn("no.pem: No such file or directory", said.told)
        self.assertEqual(self.capabilities(fleet), before)

    def test_who_may_log_in_is_read_again(self) -> None:
        self.write(LISTEN + "[login]\ndelay = 0\n")
        fleet = self.fleet("--workers", "2").ready()
        self.add_user()
        self.log_in(fleet)
        users = os.path.join(self.folder, "users")
        with open(users, "w") as file:
            file.write("al@example.org:{PLAIN}other\n")
        os.chmod(users, 0o600)
        self.write(LISTEN + f'[login]\ndelay = 0\nauth = ["passwd-file:{users}"]\n')
        self.works("reload")
        for _ in range(4):
            with fleet.connect("imap") as client:
                client.line()
                login = f"a LOGIN {USER} {PASSWORD}\r\n".encode()
                self.assertTrue(client.say(login).startswith(b"a NO"))

    def test_a_worker_that_takes_another_s_place_begins_with_what_is_in_force(
        self,
    ) -> None:
        self.write(LISTEN)
        fleet = self.fleet("--workers", "2").ready()
        self.write(LISTEN + "[limits]\nmessage_size = 100_000\n")
        self.works("reload")
        self.write("this is no TOML")
        for pid in fleet.workers():
            os.kill(pid, signal.SIGKILL)
        fleet.hear("worker 0 is back")
        fleet.hear("worker 1 is back")
        for _ in range(4):
            self.assertIn(b"SIZE 100000\r\n", self.capabilities(fleet))

    def test_the_level_of_the_log_changes(self) -> None:
        for workers in ("1", "2"):
            self.write(LISTEN + '[log]\nlevel = "error"\n')
            fleet = self.fleet("--workers", workers)
            until(self.is_ready)
            data = self.works("status", "--json").json
            host, _, port = data["listeners"]["imap"][0].rpartition(":")
            fleet.addresses["imap"] = (host, int(port))
            if workers == "1":
                self.add_user()
            self.log_in(fleet)
            self.write(LISTEN + '[log]\nlevel = "info"\n')
            self.works("reload")
            self.assertNotIn("login as", fleet.listen())
            self.log_in(fleet)
            fleet.hear(f"login as b'{USER}'")
            fleet.stop()


    def is_ready(self) -> bool:
        """A server that says nothing tells when it is asked."""
        said = self.mailhub("status", "--json")
        return said.code == 0 and None not in [
            each["pid"] for each in said.json["workers"]
        ]


class LimitTests(Running):
    """Limits hold for all workers together."""

    def test_connections_of_a_service(self) -> None:
        self.write(LISTEN + "[limits]\nconnections = 6\n")
        fleet = self.fleet("--workers", "2").ready()
        clients = [fleet.connect("imap") for _ in range(20)]
        for client in clients:
            self.addCleanup(client.close)
        greetings = [client.line() for client in clients]
        welcome = [line for line in greetings if line.startswith(b"* OK")]
        # Two that come at the same moment may both find the last place.
        self.assertIn(len(welcome), (6, 7))

    def test_failed_logins_of_a_user(self) -> None:
        limits = "[login]\ndelay = 0\naddress_per_minute = 5\n"
        self.write(LISTEN + limits + "[limits]\nlogin_failures = 1\n")
        fleet = self.fleet("--workers", "2").ready()
        tried = []
        for _ in range(12):
            with fleet.connect("imap") as client:
                client.line()
                tried.append(client.say(b"a LOGIN al@example.org guess\r\n"))
        self.assertEqual(len(set(tried[:5])), 1)
        self.assertEqual(len(set(tried[5:])), 1)
        self.assertNotEqual(tried[0], tried[5])


class TextTests(Running):
    """How figures are told to people."""

    def test_times(self) -> None:
        for seconds, text in (
            (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_661, "1 h 1 min"),
            (90_000, "1 d 1 h"), (86_400 * 400, "400 d"),
        ):  # fmt: skip
            self.assertEqual(lasted(seconds), text)

    def test_sizes(self) -> None:
        for octets, text in (
            (None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"),
            (1 << 50, "1024.0 TiB"),
        ):  # fmt: skip
            self.assertEqual(size(octets), text)

    def test_columns(self) -> None:
        self.assertEqual(columns([("a", 1), ("bcd", "")]), ["a    1", "bcd"])
