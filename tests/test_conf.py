"""The configurations that are shipped, compared with what the code knows."""

from __future__ import annotations

import os
import re
from dataclasses import fields

from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.throttle import LoginLimits
from mailhub.config.loading import load
from mailhub.config.schema import TABLES
from mailhub.config.settings import Config, Login
from mailhub.config.text import commented, effective

CONF = os.path.join(os.path.dirname(os.path.dirname(__file__)), "conf")
EXAMPLES = os.path.join(CONF, "examples")


def read(name: str) -> str:
    """The text of a file in ``conf``."""
    with open(os.path.join(CONF, name)) as file:
        return file.read()


class SchemaTests(SynchronousTestCase):
    """Dataclasses and tables of settings tell the same."""

    def test_every_field_of_every_table_is_a_setting(self) -> None:
        for name, table in TABLES.items():
            names = {field.name for field in fields(table.holder)}
            self.assertEqual(names, set(table.settings), name)
        tables = {field.name for field in fields(Config)}
        tables -= {"source", "text", "call", "origins"}
        self.assertEqual(tables, set(TABLES))

    def test_the_limits_of_logins_are_those_of_the_throttle(self) -> None:
        limits, login = LoginLimits(), Login()
        for field in fields(LoginLimits):
            self.assertEqual(getattr(login, field.name), getattr(limits, field.name))

    def test_every_default_is_a_value_that_may_be_set(self) -> None:
        shown = effective(Config())
        text = "".join(
            f"[{table}]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items())
            for table, settings in shown.items()
        )
        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.abspath(os.path.join(folder, "all.toml"))
        with open(path, "w") as file:
            file.write(text)
        read_back = effective(load(path, environ={}, folder="/"))
        read_back["server"]["data"] = shown["server"]["data"]  # made absolute
        self.assertEqual(read_back, shown)


class CommentedConfigurationTests(SynchronousTestCase):
    """``conf/mailhub.toml``."""

    def test_it_shows_every_setting_as_the_code_has_it(self) -> None:
        self.assertEqual(
            read("mailhub.toml"),
            commented(),
            "write it anew: mailhub config default > conf/mailhub.toml",
        )

    def test_as_it_is_it_sets_nothing(self) -> None:
        path = os.path.join(CONF, "mailhub.toml")
        config = load(path, data="/d", environ={}, folder="/")
        self.assertEqual(
            effective(config), effective(load(data="/d", environ={}, folder=CONF))
        )

    def test_every_line_that_is_commented_out_may_be_taken_in(self) -> None:
        text = re.sub(r"(?m)^# ([a-z0-9_]+ = .)", r"\1", read("mailhub.toml"))
        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.abspath(os.path.join(folder, "mailhub.toml"))
        with open(path, "w") as file:
            file.write(text)
        settings = sum(len(table.settings) for table in TABLES.values())
        self.assertEqual(len(re.findall(r"(?m)^[a-z0-9_]+ = ", text)), settings)
        defaults = load(data="/d", environ={}, folder=folder)
        self.assertEqual(
            effective(load(path, data="/d", environ={}, folder="/")),
            effective(defaults),
        )


class ExampleTests(SynchronousTestCase):
    """``conf/examples``."""

    def test_every_example_is_a_right_configuration(self) -> None:
        names = sorted(os.listdir(EXAMPLES))
        self.assertIn("family.toml", names)
        for name in names:
            config = load(os.path.join(EXAMPLES, name), environ={}, folder="/")
            self.assertEqual(config.source, os.path.join(EXAMPLES, name))
