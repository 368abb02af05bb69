"""Tests for :mod:`mailhub.config.drop_folder`."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.drop_folder import MODE, make_drop_folder, prepare_drop_folder
from mailhub.config.faults import ConfigError
from mailhub.config.settings import Config, Local

from ..assembly.drops import STRANGER, Drops, mode_of


class DropFolderTests(Drops, SynchronousTestCase):
    """Everybody can write there, and that must not become more than it is."""

    def refused(self, config: Config) -> str:
        return str(self.assertRaises(ConfigError, prepare_drop_folder, config))

    def test_it_is_made_and_mended(self):
        config = self.prepared()
        self.assertEqual(mode_of(self.drop), MODE)
        self.assertEqual(os.stat(self.drop).st_gid, os.getegid())
        os.chmod(self.drop, 0o755)
        prepare_drop_folder(config)
        self.assertEqual(mode_of(self.drop), MODE)

    def test_without_a_folder_there_is_nothing_to_do(self):
        self.local = Local()
        self.prepared()
        self.assertFalse(os.path.exists(self.drop))

    def test_a_folder_with_something_in_it_stays_as_it_is(self):
        config = self.prepared()
        os.chmod(self.drop, 0o755)
        self.leave(name="letter.txt")
        self.assertIn("expected a folder that is empty", self.refused(config))
        self.assertEqual((mode_of(self.drop), self.names()), (0o755, ["letter.txt"]))

    def test_links_files_and_what_is_inside_of_the_data_folder_are_refused(self):
        config = self.prepared()
        os.mkdir(config.server.data)
        inside = os.path.join(config.server.data, "drop")
        link = os.path.join(self.place, "link")
        os.symlink(self.drop, link)
        file = os.path.join(self.place, "file")
        open(file, "w").close()
        for path, text in (
            (inside, "outside of [server] data"),
            (config.server.data, "outside of [server] data"),
            (link, "is no folder"),
            (file, "is no folder"),
            (os.path.join(self.place, "not", "there"), "cannot be made"),
        ):
            other = replace(config, local=Local(drop=path))
            self.assertIn(text, self.refused(other))

    def test_somebody_else_s_folder_is_refused(self):
        config = self.prepared()
        if os.geteuid() != 0:
            self.assertIsNone(prepare_drop_folder(config))
            return
        os.chown(self.drop, STRANGER, -1)
        self.assertIn("is not the server's", self.refused(config))

    def test_root_makes_it_for_the_server_s_user(self):
        config = Config(local=self.local)
        group = STRANGER if os.geteuid() == 0 else os.getegid()
        make_drop_folder(config, STRANGER, group)
        made = os.stat(self.drop)
        self.assertEqual((made.st_uid, made.st_gid), (STRANGER, group))
        self.assertEqual(mode_of(self.drop), MODE)
