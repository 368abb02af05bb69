"""Fill the volume of the data folder while mail comes in::

    python -m tests.faults.full
    python -m tests.faults.full --files
    python -m tests.faults.full --short --without try-again

The data folder is a file system of 8 MiB, or with ``--files`` one with few inodes.
While 500 transactions of SMTP and 100 APPENDs go on it is filled up, until a chosen
number of octets or files is free; each round leaves another number, so that space
ends at other places: in the log, the database, a spool, a large body.  In some rounds
a reserve is configured, which must be refused before a message is sent.

Every reply must be 250, 452 4.3.1 or 451 4.3.0, and NO [UNAVAILABLE] or [OVERQUOTA]
for IMAP; no connection may be cut, all reading must go on, and space that is freed
must be noticed within 30 s without a restart.  What was accepted, and nothing else
that was refused, must be there in the end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from .ledger import Ledger, judge
from .load import read_everything
from .program import Results, perform
from .server import Server
from .subject import USERS
from .verifying import verify
from .volume import be_alone, fill, mount_memory, unmount, use_up_files
from .witness import TRY_AGAIN, Keeper, Notes, Reader, Sender

OCTETS = 8 * 1024 * 1024
#: The data folder has 256 folders for large bodies, so 200 files are too few.
FILES, TOO_FEW = 400, 200
TRANSACTIONS, APPENDS = 500, 100
#: Seconds after which a server must have noticed that there is room again.
SOON = 30.0
#: Octets, or files, that are left in each round; with a reserve or without.
ROUNDS = ((0, 0), (4096, 0), (40_000, 0), (300_000, 0), (1_000_000, 2_000_000))
FILE_ROUNDS = ((0, 0), (1, 0), (3, 0))
#: What an answer may be.
SMTP_REPLIES = (b"2", b"354", *TRY_AGAIN)
IMAP_REPLIES = (b"OK", b"NO [UNAVAILABLE]", b"NO [OVERQUOTA]")


@dataclass
class Load:
    """How much, and of what is left."""

    transactions: int
    appends: int
    files: bool = False


class Round:
    """One server whose volume is filled and freed.

    :param left: octets or files that stay free.
    :param reserve: ``[limits] free_space``.
    """

    def __init__(
        self, folder: Path, load: Load, left: int, reserve: int, without: str | None
    ) -> None:
        self._load = load
        self._left = left
        self.results = Results()
        self._server = Server(folder, without, limits={"free_space": reserve})
        self._reserve = reserve
        self._filler = self._server.data / "filler"
        if load.files:
            mount_memory(self._server.data, octets=8 * OCTETS, files=FILES)
        else:
            mount_memory(self._server.data, octets=OCTETS)
        self._ledger = Ledger()
        self._smtp, self._imap, self._pop3 = Notes(), Notes(), Notes()
        self.name = f"{left} {'files' if load.files else 'octets'} left"
        if reserve:
            self.name += f" of {reserve} in reserve"

    def run(self) -> Results:
        """Fill, look, free, look."""
        server = self._server
        try:
            server.set_up()
            server.start()
            self._work(self._load.transactions // 5, self._load.appends // 5)
            self._fill()
            accepted = self._smtp.replies[b"354"]
            self._work(self._load.transactions * 4 // 5, self._load.appends * 4 // 5)
            asked = self._smtp.replies[b"354"] - accepted
            self._read_all()
            self._free()
            self._judge(asked)
        finally:
            server.kill()
            unmount(server.data)
        return self.results

    def _fill(self) -> None:
        if self._load.files:
            use_up_files(self._filler)
            for number in range(self._left):
                (self._filler / str(number)).unlink()
        else:
            fill(self._filler, self._left)

    def _work(self, transactions: int, appends: int) -> None:
        """Four senders and two who append."""
        threads = [
            Thread(target=self._send, args=(transactions // 4, n)) for n in range(4)
        ] + [Thread(target=self._append, args=(appends // 2, n)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, number: int, client: int) -> None:
        sender = Sender(self._server.ports.smtp, self._smtp)
        user = USERS[client % len(USERS)]
        for turn in range(number):
            message, data = self._ledger.new_message()
            if sender.send("sender@example.net", user, data, turn % 2 == 0):
                self._ledger.acknowledge(message)
        sender.close()

    def _append(self, number: int, client: int) -> None:
        keeper = Keeper(self._server.ports.imap, USERS[client], self._imap)
        for _ in range(number):
            message, data = self._ledger.new_message()
            if keeper.append("Archive", data):
                self._ledger.acknowledge(message)
        keeper.close()

    def _read_all(self) -> None:
        """New sessions, while there is no room."""
        notes, results = Notes(), self.results
        read = 0
        for user in USERS:
            keeper = Keeper(self._server.ports.imap, user, notes)
            keeper.ask("SELECT INBOX")
            fetched = keeper.ask("UID FETCH 1:* BODY.PEEK[]")
            read += sum(len(each) > 1 for each in fetched)
            keeper.close()
        reader = Reader(self._server.pop3, USERS[0], notes)
        retrieved = reader.retrieve(1)
        reader.close()
        results.expect(
            f"{self.name}: reading goes on: {read} by FETCH, 1 by RETR",
            read > 0 and retrieved is not None and not notes.cuts
            and not notes.others((b"OK", b"+OK")),
        )  # fmt: skip

    def _free(self) -> None:
        if self._load.files:
            shutil.rmtree(self._filler)
        else:
            self._filler.unlink()
        began, notes = time.monotonic(), Notes()
        sender = Sender(self._server.ports.smtp, notes)
        keeper = Keeper(self._server.ports.imap, USERS[0], notes)
        accepted = appended = False
        while time.monotonic() - began < SOON and not (accepted and appended):
            for mailbox in ("", "Archive"):
                message, data = self._ledger.new_message()
                if mailbox:
                    taken = appended = keeper.append(mailbox, data)
                else:
                    taken = accepted = sender.send("s@example.net", USERS[0], data)
                if taken:
                    self._ledger.acknowledge(message)
            time.sleep(0.05)
        seconds = time.monotonic() - began
        sender.close()
        keeper.close()
        self.results.expect(
            f"{self.name}: accepts again {seconds:.2f} s after space is freed, at most"
            f" {SOON:.0f} s, without a restart",
            accepted and appended and self._server.is_alive,
        )

    def _judge(self, asked: int) -> None:
        results, smtp, imap = self.results, self._smtp, self._imap
        wrong = smtp.others(SMTP_REPLIES) | imap.others(IMAP_REPLIES)
        refused = smtp.number(*TRY_AGAIN) + imap.number(b"NO")
        permanent = smtp.number(b"5")
        cuts = smtp.cuts + imap.cuts
        results.expect(
            f"{self.name}: {refused} of {smtp.number(b'4', b'250 2.0.0')} times refused"
            f" for now, 5yz {permanent}, other replies {wrong or 0}",
            refused > 0 and not wrong,
        )
        text = f"{self.name}: connections cut without a reply: {len(cuts)}"
        results.expect(text, not cuts)
        results.faults += cuts[:5]
        if self._reserve:
            text = f"{self.name}: messages asked for below the reserve: {asked}"
            results.expect(text, asked == 0)
        verdict = judge(self._ledger, read_everything(self._server.ports))
        is_exact = verdict.is_clean and verdict.unanswered == 0
        results.expect(f"{self.name}: {verdict}", is_exact)
        self._server.stop()
        faults = verify(self._server)
        results.expect(f"{self.name}: mailhub verify finds {len(faults)}", not faults)
        results.faults += faults[:5]


def start_without_room(folder: Path, results: Results) -> None:
    """A volume where not even an empty store fits."""
    server = Server(folder)
    mount_memory(server.data, octets=OCTETS, files=TOO_FEW)
    try:
        server.start()
    except RuntimeError:
        text = "No space left on device"
        said = [line for line in server.log.splitlines() if text in line]
        traceback = "Traceback" in server.log
        results.expect(
            f"a volume of {TOO_FEW} files: the server ends and says {said[:1]}",
            bool(said) and not traceback,
        )
    else:
        results.expect(f"a volume of {TOO_FEW} files: no start", False)
    finally:
        server.kill()
        unmount(server.data)


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """All rounds."""
    be_alone()
    rounds = FILE_ROUNDS if options.files else ROUNDS
    load = Load(TRANSACTIONS, APPENDS, options.files)
    if options.short:
        rounds, load = rounds[:1], Load(120, 30, options.files)
    results = Results()
    for number, (left, reserve) in enumerate(rounds):
        trial = Round(folder / str(number), load, left, reserve, options.without)
        found = trial.run()
        tell(f"{trial.name}: {'held' if found.held else 'BROKEN'}")
        results.criteria |= found.criteria
        results.faults += found.faults
    if options.files:
        start_without_room(folder / "small", results)
    return results


def main() -> int:
    """The command line."""
    return perform(
        "full", __doc__, run, without=("try-again",),
        options=lambda parser: parser.add_argument(
            "--files", action="store_true", help="run out of files instead of octets"
        ),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
