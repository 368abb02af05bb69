"""A server that is killed while it takes what users have left."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing

from mailhub.assembly.taking_in import AT_ONCE
from mailhub.store.sqlite.schema import FILE_NAME

from .assembly.drops import Drops
from .processes.fleet import LISTEN, USER, Fleet, Fleets, until

#: Messages, and how often the server is killed among them.
MESSAGES, KILLS = 150, 3
HEAD = f"MAIL FROM:<{USER}>\r\nRCPT TO:<{USER}>\r\nDATA\r\nSubject: "


class KillTests(Drops, Fleets):
    """kill -9, again and again: nothing is lost, and little comes twice."""

    def start(self, *, ready: bool = True) -> Fleet:
        fleet = self.fleet()
        return fleet.ready() if ready else fleet

    def subjects(self) -> list[str]:
        """Of all messages that are durable."""
        path = os.path.join(self.folder, "mailhub-data", FILE_NAME)
        query = (
            "select b.data from message join item using (item_id)"
            " join blob b using (blob_id)"
        )
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(query).fetchall()
        return sorted(bytes(data).split()[1].decode() for (data,) in rows)

    def test_nothing_is_lost_and_little_comes_twice(self):
        self.write(f'{LISTEN}[local]\ndrop = "{self.drop}"\n')
        first = self.start()
        first.command("user", "add", USER, "--password-stdin", text="secret\n")
        first.stop()
        sent = {f"number-{number:03}" for number in range(MESSAGES)}
        for subject in sent:
            self.leave(f"{HEAD}{subject}\r\n\r\n{subject}\r\n".encode())
        for turn in range(1, KILLS + 1):
            fleet = self.start(ready=False)
            goal = MESSAGES * (KILLS - turn) // KILLS + 1
            until(lambda goal=goal: len(self.names()) <= goal)
            os.kill(fleet.process.pid, signal.SIGKILL)
            fleet.process.wait()
        last = self.start()
        until(lambda: not self.names())
        last.stop()
        found = self.subjects()
        self.assertEqual(set(found), sent)
        # Those whose commit had returned when the file was still there.
        self.assertLessEqual(len(found) - len(sent), KILLS * AT_ONCE)
