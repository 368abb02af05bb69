"""Giving up root's rights."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mailhub.config.faults import ConfigError
from mailhub.config.settings import Config, Server
from mailhub.processes import privileges

from .fleet import LISTEN, ROOT, Fleets

#: Becomes somebody else who may bind low ports all the same, as systemd does it.
AMBIENT = """
import ctypes, os, re
from mailhub.processes.privileges import lock_down
def tell():
    with open("/proc/self/status") as status:
        print(re.sub(r":\\s+", ": ", status.read()))
if os.geteuid() == 0:
    libc, words = ctypes.CDLL(None), ctypes.c_uint32 * 6
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setresuid(65534, 65534, 65534)
    right = 1 << 10  # CAP_NET_BIND_SERVICE
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc.capset(header, words(right, right, right, 0, 0, 0))
    libc.prctl(47, 2, 10, 0, 0)  # PR_CAP_AMBIENT_RAISE
tell()
print("then")
lock_down()
tell()
"""
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
            places = tempfile.mkdtemp()
            self.addCleanup(shutil.rmtree, places)
            lmtp = f'lmtp = ["unix:{places}/lmtp"]'
            listen = LISTEN.replace('lmtp = ["127.0.0.1:0"]', lmtp)
            self.write(NOBODY.format(folder=self.folder) + listen)
            self.let_pass(self.folder)
            self.let_pass(os.path.realpath(sys.executable))
            fleet = self.fleet().ready()
            pids = [fleet.process.pid, *fleet.workers()]
            self.assertEqual(len(pids), 3)
            for made in (f"{self.folder}/own", f"{places}/lmtp"):
                self.assertNotEqual(os.stat(made).st_uid, 0)
        for pid in pids:
            told = status(pid)
            self.assertNotIn("0", told["Uid"].split())
            self.assertEqual(int(told["CapEff"], 16), 0)
            self.assertEqual(told["NoNewPrivs"], "1")
            # Of a process whose memory nobody may read, this is root's (proc(5)).
            self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0)

    def test_a_right_that_came_without_root_is_given_up(self):
        done = subprocess.run(
            [sys.executable, "-c", AMBIENT], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": ROOT},
        )  # fmt: skip
        self.assertEqual(done.stderr, "")
        before, after = done.stdout.split("then")
        if os.geteuid() == 0:
            self.assertIn("CapEff: 0000000000000400", before)
            self.assertIn("CapAmb: 0000000000000400", before)
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            self.assertIn(f"{name}: {0:016x}", after)
        self.assertIn("NoNewPrivs: 1", after)

    def test_what_root_has_made_is_given_to_the_user_and_nothing_else(self):
        if os.geteuid() != 0:
            return  # Nobody else could give anything away.
        nobody = pwd.getpwnam("nobody")
        os.mkdir("ours")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("ours")
        for name in ("log", "secret", "twice"):
            Path(name).touch()
        os.symlink("secret", "link")
        os.link("twice", "other")
        for name in ("log", "link", "other", "missing"):
            privileges._give(name, nobody.pw_uid, nobody.pw_gid)
        owners = {name: os.lstat(name).st_uid for name in os.listdir()}
        self.assertEqual(owners.pop("log"), nobody.pw_uid)
        self.assertEqual(set(owners.values()), {0})

    def test_a_user_that_does_not_exist_is_told(self):
        self.write('[server]\nuser = "no-such-user"\n' + LISTEN)
        fleet = self.fleet()
        if os.geteuid() == 0:
            fleet.hear("no user 'no-such-user' on this machine")
            self.assertEqual(fleet.process.wait(60), os.EX_CONFIG)
        else:
            fleet.ready()

    def test_a_folder_of_somebody_else_is_told(self):
        os.mkdir(f"{self.folder}/own")
        os.chown(f"{self.folder}/own", os.geteuid(), -1)
        self.patch(os, "geteuid", lambda: 0)
        config = Config(server=Server(user="nobody", data=f"{self.folder}/own"))
        error = self.assertRaises(ConfigError, privileges.drop, config)
        self.assertIn(f"run: chown -R nobody {self.folder}/own", str(error))

    def test_a_group_that_does_not_exist_is_told(self):
        config = Config(server=Server(user="nobody", group="no-such-group"))
        self.patch(os, "geteuid", lambda: 0)
        error = self.assertRaises(ConfigError, privileges.drop, config)
        self.assertIn("no group 'no-such-group'", str(error))
