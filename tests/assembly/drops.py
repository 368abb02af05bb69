"""A folder for mail of users here, in tests that are root's or somebody else's."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from mailhub.config.drop_folder import MODE, prepare_drop_folder
from mailhub.config.settings import Config, Local, Server

#: Somebody who may do nothing, and is not the server, where this is tried as root.
STRANGER = 65534 if os.geteuid() == 0 else os.geteuid()
ENVELOPE = (
    b"MAIL FROM:<nobody@mail.example.org>\r\n"
    b"RCPT TO:<jo@example.org>\r\nDATA\r\n"
)
TEXT = b"Subject: hello\n\nbody\n"


class Drops:
    """What tests are mixed with that have such a folder in :attr:`drop`."""

    def setUp(self) -> Any:
        ready = super().setUp()
        # Below trial's own folder, which others may not pass through.
        self.place = tempfile.mkdtemp(prefix="mailhub-drop-")
        os.chmod(self.place, 0o755)
        self.addCleanup(shutil.rmtree, self.place)
        self.drop = os.path.join(self.place, "drop")
        self.local = Local(drop=self.drop)
        return ready

    def prepared(self) -> Config:
        """A configuration whose folder has been made."""
        data = os.path.join(self.place, "data")
        server = Server(data=data, host_name="mail.example.org")
        config = Config(server=server, local=self.local)
        prepare_drop_folder(config)
        return config

    def leave(
        self,
        octets: bytes = ENVELOPE + TEXT,
        *,
        name: str = "",
        mode: int = 0o640,
        user: int = STRANGER,
    ) -> Path:
        """A file of *user*'s as it is when all of it is there."""
        path = Path(self.drop, name or os.urandom(16).hex())
        path.write_bytes(octets)
        os.chown(path, user, -1)
        path.chmod(mode)
        return path

    def names(self) -> list[str]:
        """What lies in the folder."""
        return sorted(os.listdir(self.drop))


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


__all__ = ["ENVELOPE", "MODE", "STRANGER", "TEXT", "Drops", "mode_of"]
