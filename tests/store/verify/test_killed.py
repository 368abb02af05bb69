"""A repair that is killed at any moment has been made, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from ...programs import require
from .folders import FolderTests

ROOT = Path(__file__).resolve().parents[3]
CALLS = ("pwrite64", "fdatasync", "fsync", "unlink")
#: Of each call, about so many are tried.
_TRIED = 6

_REPAIR = (
    "import sys; from mailhub.store.sqlite.verify.checking import Wish, verify;"
    "verify(sys.argv[1], Wish(repair=True), now=lambda: 2**33)"
)


class KilledTests(FolderTests):
    """SIGKILL as it makes the N-th call; the next repair goes on."""

    def repair(self, path: str, *arguments: str) -> int:
        """Repair the store in *path* under strace(1).  -> the exit status"""
        process = subprocess.run(
            [
                require("strace"), "-f", "-qqq", "-o", f"{path}.calls", *arguments,
                sys.executable, "-c", _REPAIR, path,
            ],
            cwd=ROOT, stderr=subprocess.PIPE, check=False,
        )
        return process.returncode

    def damage(self) -> None:
        """Something of everything that can be repaired."""
        self.execute(
            "update mailbox set unseen = 9, uidnext = 5 where name = 'INBOX'",
            "update account set used = 1",
            "update item set envelope = x'00' where item_id % 2",
            "delete from shared_item",
            "delete from header where item_id = 4",
            "delete from flag_change",
            "delete from mailbox where name = 'Work/Old'",
            "insert into subscription values (77, 'x')",
            "update queue_recipient set rank = 7, wake = null",
            "update queue_message set size = 1",
            "delete from queue_destination",
            "update setting set value = 0 where name = 'queue'",
        )
        for number in range(3):
            name = f"{number:02x}" * 32
            path = Path(f"{self.path}/blobs/{name[:2]}/{name}")
            path.touch(0o600)

    def test_the_next_repair_ends_where_the_first_would_have_ended(self):
        self.damage()
        template, place = self.path, f"{os.path.abspath(self.path)}-place"
        self.addCleanup(shutil.rmtree, place)
        shutil.copytree(template, place)
        self.assertEqual(self.repair(place, "-e", f"trace={','.join(CALLS)}"), 0)
        calls = re.findall(r"(\w+)\(", Path(f"{place}.calls").read_text())
        tried = 0
        for call in CALLS:
            number = calls.count(call)
            for at in range(1, number + 1, max(number // _TRIED, 1)):
                shutil.rmtree(place)
                shutil.copytree(template, place)
                kill = f"inject={call}:signal=SIGKILL:when={at}"
                status = self.repair(place, "-e", f"trace={call}", "-e", kill)
                self.assertEqual(status, -signal.SIGKILL, f"{call} {at}")
                tried += 1
                self.path = place
                self.verify(repair=True)
                self.assertEqual(self.found(), [], f"{call} {at}")
        self.assertGreater(tried, _TRIED)
