"""Giving up root's rights."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from mailhub.config.faults import ConfigError
from mailhub.config.settings import Config, Server
from mailhub.processes import privileges

from .fleet import LISTEN, Fleets

NOBODY = '[server]\nuser = "nobody"\nworkers = 2\ndata = "{folder}/own"\n'


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


class PrivilegeTests(Fleets):
    """Bound first, given up next, and only then is anything opened or started."""

    def let_pass(self, path: str) -> None:
        """Let everybody pass through the folders above *path*, for this test."""
        for parent in Path(path).parents:
            mode = parent.stat().st_mode
            if mode & 0o011 != 0o011:
                self.addCleanup(os.chmod, parent, mode)
                os.chmod(parent, mode | 0o011)

    def test_nobody_has_rights_that_nobody_needs(self):
        if os.geteuid() != 0:
            # Without root's rights there is nothing to give up but this.
            pids = [self.fleet("--workers", "2").ready().process.pid]
        else:
            os.chmod(self.folder, 0o777)
            self.write(NOBODY.format(folder=self.folder) + LISTEN)
            self.let_pass(self.folder)
            self.let_pass(os.path.realpath(sys.executable))
            fleet = self.fleet().ready()
            pids = [fleet.process.pid, *fleet.workers()]
            self.assertEqual(len(pids), 3)
            self.assertNotEqual(os.stat(f"{self.folder}/own").st_uid, 0)
        for pid in pids:
            told = status(pid)
            self.assertNotIn("0", told["Uid"].split())
            self.assertEqual(int(told["CapEff"], 16), 0)
            self.assertEqual(told["NoNewPrivs"], "1")

    def test_a_user_that_does_not_exist_is_told(self):
        self.write('[server]\nuser = "no-such-user"\n' + LISTEN)
        fleet = self.fleet()
        if os.geteuid() == 0:
            fleet.hear("no user 'no-such-user' on this machine")
            self.assertEqual(fleet.process.wait(60), os.EX_CONFIG)
        else:
            fleet.ready()

    def test_a_group_that_does_not_exist_is_told(self):
        config = Config(server=Server(user="nobody", group="no-such-group"))
        self.patch(os, "geteuid", lambda: 0)
        error = self.assertRaises(ConfigError, privileges.drop, config)
        self.assertIn("no group 'no-such-group'", str(error))
