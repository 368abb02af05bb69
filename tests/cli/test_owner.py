"""Root's commands in a data folder that is a server's."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ..assembly.drops import STRANGER, Drops
from .shell import Shell


class OwnerTests(Drops, Shell, SynchronousTestCase):
    """The server, which is somebody else, has to be able to go on with it."""

    def test_what_root_makes_is_the_server_s(self):
        if os.geteuid() != 0:
            raise SkipTest("needs root, to be somebody else than the server")
        data = Path(self.place, "data")
        data.mkdir(mode=0o700)
        os.chown(data, STRANGER, STRANGER)
        self.environ["MAILHUB_SERVER__DATA"] = str(data)
        self.add_user("jo@example.org")
        self.works("alias", "add", "root@example.org", "jo@example.org")
        self.works("queue", "list")
        owners = {path.stat().st_uid for path in data.rglob("*")}
        self.assertEqual((owners, os.geteuid()), ({STRANGER}, 0))
