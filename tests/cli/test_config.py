from __future__ import annotations

import json
import os
import tomllib
from datetime import UTC, datetime

from mailhub.cli.outcome import Exit
from mailhub.config.schema import TABLES
from mailhub.net.certificates import ensure_own

from .shell import CommandTests


class CheckTests(CommandTests):
    """``mailhub config check``."""

    def test_without_a_file_all_is_right(self) -> None:
        self.assertEqual(
            self.json("config", "check"), {"source": None, "remarks": []}
        )
        text = self.works("config", "check")
        self.assertEqual(
            text, "no configuration file; all settings are defaults: right\n"
        )

    def test_a_right_file_is_named(self) -> None:
        path = self.write("mailhub.toml", "[limits]\nidle = '1 h'\n")
        self.assertEqual(self.works("config", "check"), f"{path}: right\n")
        self.assertEqual(
            self.json("config", "check"), {"source": path, "remarks": []}
        )

    def test_files_that_it_names_are_read(self) -> None:
        aliases = self.write("aliases", "root: jo\nroot: jim\n")
        path = self.write("mailhub.toml", '[files]\naliases = ["aliases"]\n')
        remark = f"{aliases}:2: 'root' has an entry in line 1; that counts"
        self.assertEqual(self.works("config", "check"), f"{path}: right\n{remark}\n")
        self.write("aliases", "\nroot jo\n")
        text = self.fails(Exit.CONFIG, "config", "check")
        self.assertTrue(text.startswith(f"{aliases}:2: expected a name"), text)

    def test_all_faults_are_told_with_their_lines(self) -> None:
        path = self.write("mailhub.toml", "[limits]\nidle = 0\nidel = 1\n")
        text = self.fails(Exit.CONFIG, "config", "check")
        self.assertEqual(
            text.split("\n"),
            [
                f"{path}:2: [limits] idle = 0: expected seconds from 1 min to 7 d, as"
                ' a number or like "5 min"',
                f"{path}:3: [limits] idel = 1: no such setting; did you mean idle?",
            ],
        )

    def test_faults_have_a_stable_shape(self) -> None:
        path = self.write("mailhub.toml", "[store]\nkind = 'x'\n")
        self.assertEqual(self.mailhub("config", "check", "--json"), Exit.CONFIG)
        error = json.loads(self.out)["error"]
        fault = {
            "origin": path,
            "line": 2,
            "table": "store",
            "key": "kind",
            "value": '"x"',
            "expected": 'expected "sqlite" or "memory"',
        }
        self.assertEqual(error["code"], Exit.CONFIG)
        self.assertEqual(error["faults"], [fault])

    def test_the_option_and_the_variable_name_the_file(self) -> None:
        path = self.write("other.toml", "[store]\nkind = 'x'\n")
        for place in ((), ("--config", "other.toml")):
            self.environ = {} if place else {"MAILHUB_CONFIG": "other.toml"}
            text = self.fails(Exit.CONFIG, *place, "config", "check")
            self.assertTrue(text.startswith(f"{path}:2: [store]"), text)
        self.fails(Exit.CONFIG, "config", "check", "--config", "other.toml")

    def test_certificates_are_looked_at(self) -> None:
        own = self.path("own.pem")
        ensure_own(own, ["mail.example.org"], datetime.now(UTC))
        path = self.write(
            "mailhub.toml", '[tls]\ncertificate = "own.pem"\nkey = "own.pem"\n'
        )
        self.works("config", "check")
        os.chmod(own, 0o644)
        text = self.fails(Exit.CONFIG, "config", "check")
        self.assertEqual(
            text,
            f'{path}:3: [tls] key = "own.pem": {own}: others may read or write this'
            f" key (mode 0644); run: chmod 600 {own}",
        )
        os.unlink(own)
        text = self.fails(Exit.CONFIG, "config", "check")
        self.assertIn("No such file or directory", text)


class ShowTests(CommandTests):
    """``mailhub config show`` and ``default``."""

    def test_settings_in_force_are_shown_as_toml(self) -> None:
        path = self.write("mailhub.toml", '[listen]\nprofile = "public"\n')
        self.environ["MAILHUB_LIMITS__IDLE"] = "2 h"
        text = self.works("config", "show", "--data", "elsewhere")
        self.assertTrue(text.startswith(f"# from {path}\n"))
        shown = tomllib.loads(text)
        self.assertEqual(shown["server"]["data"], self.path("elsewhere"))
        self.assertEqual(shown["listen"]["imap"], ["0.0.0.0:143", "[::]:143"])
        self.assertEqual(shown["limits"]["idle"], "2 h")

    def test_json_has_every_setting(self) -> None:
        data = self.json("config", "show")
        self.assertEqual(data["source"], None)
        for name, table in TABLES.items():
            self.assertEqual(list(data["settings"][name]), list(table.settings))

    def test_the_defaults_are_shown_with_their_meaning(self) -> None:
        text = self.works("config", "default")
        self.assertIn('\n# message_size = "50 MiB"\n', text)
        self.assertEqual(self.json("config", "default"), {"text": text})


class InitTests(CommandTests):
    """``mailhub init``."""

    def test_a_configuration_for_a_domain_is_written(self) -> None:
        data = self.json("init", "Example.org")
        path = self.path("mailhub.toml")
        self.assertEqual(
            data,
            {"config": path, "domain": "example.org", "host_name": "mail.example.org"},
        )
        with open(path) as file:
            text = file.read()
        self.assertEqual(
            tomllib.loads(text),
            {
                "server": {"host_name": "mail.example.org"},
                "mail": {"postmaster": "postmaster@example.org"},
                **{name: {} for name in TABLES if name not in ("server", "mail")},
            },
        )
        self.assertIn("\n# idle = ", text)
        self.assertEqual(self.works("config", "check"), f"{path}: right\n")

    def test_it_says_what_comes_next(self) -> None:
        self.assertEqual(
            self.works("init", "example.org"),
            f"wrote {self.path('mailhub.toml')}\n"
            "next: mailhub user add postmaster@example.org\n"
            "then: twistd -n mailhub\n",
        )

    def test_it_never_overwrites(self) -> None:
        path = self.write("mailhub.toml", "# mine\n")
        text = self.fails(Exit.CANNOT_CREATE, "init", "example.org")
        self.assertEqual(text, f"{path} is there already")
        with open(path) as file:
            self.assertEqual(file.read(), "# mine\n")

    def test_place_data_name_and_ports_are_options(self) -> None:
        self.works(
            *("--config", "x.toml", "--data", "d", "init", "example.org"),
            *("--public", "--host-name", "mx.example.org"),
        )
        shown = self.json("config", "show", "--config", "x.toml")["settings"]
        self.assertEqual(shown["server"]["data"], self.path("d"))
        self.assertEqual(shown["server"]["host_name"], "mx.example.org")
        self.assertEqual(shown["listen"]["profile"], "public")

    def test_wrong_names_and_places_are_refused(self) -> None:
        self.fails(Exit.DATA_WRONG, "init", "no domain")
        self.fails(Exit.DATA_WRONG, "init", "example.org", "--host-name", "a_b")
        missing = self.path("none", "x.toml")
        text = self.fails(
            Exit.CANNOT_CREATE, "init", "example.org", "--config", missing
        )
        self.assertEqual(text, f"{missing}: No such file or directory")
