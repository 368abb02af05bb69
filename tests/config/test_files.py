"""The settings of ``[files]``."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.faults import ConfigError
from mailhub.config.loading import load
from mailhub.config.text import effective
from mailhub.tables.tags import Tag
from mailhub.watched.places import AccessPlace, Places


class FilesTests(SynchronousTestCase):
    """Paths of the classic files."""

    def load(self, text):
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("[files]\n" + text)
        return load(path, environ={}, folder="/etc/mailhub")

    def test_without_settings_there_are_none(self):
        self.assertEqual(self.load("").files, Places())
        self.assertFalse(Places().for_routing)

    def test_lists_of_paths(self):
        config = self.load('aliases = ["/etc/aliases", "/srv/more"]\n')
        self.assertEqual(config.files.aliases, ("/etc/aliases", "/srv/more"))
        self.assertTrue(config.files.for_routing)

    def test_access_tables_may_be_about_one_thing(self):
        config = self.load('access = ["/a/b", "connect:/c", "from:/d", "to:/e:f"]\n')
        places = (
            AccessPlace("/a/b"), AccessPlace("/c", Tag.CONNECT),
            AccessPlace("/d", Tag.FROM), AccessPlace("/e:f", Tag.TO),
        )  # fmt: skip
        self.assertEqual(config.files.access, places)
        self.assertEqual(
            effective(config)["files"]["access"],
            '["/a/b", "connect:/c", "from:/d", "to:/e:f"]',
        )

    def test_forwards_need_an_origin(self):
        config = self.load('forward = "~/.forward"\norigin = "example.org"\n')
        self.assertEqual(config.files.forward, "~/.forward")
        for text in ('forward = "~/.forward"', 'forward = "x"\norigin = "a.b"'):
            self.assertRaises(ConfigError, self.load, text)
