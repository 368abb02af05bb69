"""Let the disk become read-only while mail comes in and is read::

    python -m tests.faults.readonly
    python -m tests.faults.readonly --short --without try-again

The data folder is an ext4 file system, which a fault makes read-only as a failing disk
does (``mount -o remount,abort``).  Every delivery must then be answered 451 or 452,
every APPEND and STORE NO, nobody may be cut off, FETCH, RETR, SELECT and new logins
must work, the server must live, be told as not ready within 5 seconds, and must not
write more than a line a second into its log.

No program can write there again: Linux wants such a file system unmounted and checked
first.  So the server is stopped in order, the disk mounted anew, and the server
started; all that was acknowledged must be there.  (What ends by itself is tried in
:mod:`tests.faults.errors`.)
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from .ledger import Ledger, judge
from .load import read_everything
from .program import Results, perform
from .server import Server
from .subject import USERS
from .verifying import verify
from .volume import be_alone, call, mount_disk, unmount
from .witness import TRY_AGAIN, Keeper, Notes, Reader, Sender

OCTETS = 256 * 1024 * 1024
#: Messages that are there before, and seconds of load after the fault: longer than
#: what was written before stays in memory only (30 s).
BEFORE, SECONDS = 60, 60.0
#: Seconds after which ``/readyz`` must say so.
SOON = 5.0
#: Seconds between two transactions of a client.
PAUSE = 0.02
#: What begins a complaint in the log.
COMPLAINT = re.compile(r"#(warn|error|critical)\]")


class Load:
    """Clients that write, and clients that read.

    :ivar writes: what those heard that write since the fault, and *reads* the others.
    """

    def __init__(self, server: Server, ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        self._ending = Event()
        self.smtp, self.imap, self.reads = Notes(), Notes(), Notes()
        self.flags = Notes()
        self.fetched = self.retrieved = self.logins = 0
        tasks = (self._send, self._send, self._append, self._fetch, self._retrieve)
        self._threads = [Thread(target=task, daemon=True) for task in tasks]

    def start(self) -> None:
        """All begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return after the last answer."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def forget(self) -> None:
        """From here on only what is said from here on counts."""
        for notes in (self.smtp, self.imap, self.flags, self.reads):
            notes.replies.clear()

    def _send(self) -> None:
        sender = Sender(self._server.ports.smtp, self.smtp)
        while not self._ending.wait(PAUSE):
            number, data = self._ledger.new_message()
            if sender.send("sender@example.net", USERS[0], data):
                self._ledger.acknowledge(number)
        sender.close()

    def _append(self) -> None:
        keeper = Keeper(self._server.ports.imap, USERS[1], self.imap)
        flagger = Keeper(self._server.ports.imap, USERS[0], self.flags)
        flagger.ask("SELECT INBOX")
        while not self._ending.wait(PAUSE):
            number, data = self._ledger.new_message()
            if keeper.append("Archive", data):
                self._ledger.acknowledge(number)
            # One of the two is a change, whatever was there.
            flagger.ask("UID STORE 1 FLAGS (\\Flagged)")
            flagger.ask("UID STORE 1 FLAGS (\\Answered)")
        keeper.close()
        flagger.close()

    def _fetch(self) -> None:
        while not self._ending.wait(PAUSE):
            keeper = Keeper(self._server.ports.imap, USERS[0], self.reads)
            self.logins += 1
            keeper.ask("SELECT INBOX")
            found = keeper.ask("UID FETCH 1:40 (FLAGS ENVELOPE BODY.PEEK[])")
            self.fetched += sum(len(each) > 1 for each in found)
            keeper.close()

    def _retrieve(self) -> None:
        while not self._ending.wait(PAUSE):
            reader = Reader(self._server.pop3, USERS[0], self.reads)
            for number in range(1, 20):
                self.retrieved += reader.retrieve(number) is not None
            reader.close()


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """One fault."""
    be_alone()
    results, ledger = Results(), Ledger()
    server, image = Server(folder / "server", options.without), folder / "image"
    mount_disk(server.data, image, OCTETS)
    try:
        server.set_up()
        server.start()
        _deliver(server, ledger)
        load = Load(server, ledger)
        load.start()
        time.sleep(1.0)
        call("mount", "-o", "remount,abort", server.data)
        began, lines = time.monotonic(), server.log.count("\n")
        time.sleep(0.5)
        load.forget()
        told = _seconds_to_degraded(server, began)
        time.sleep(4.0 if options.short else SECONDS)
        load.stop()
        seconds = time.monotonic() - began
        heard = "; ".join(map(str, (load.smtp, load.imap, load.flags, load.reads)))
        tell(f"after {seconds:.0f} s: {heard}")
        said = server.log.splitlines()[lines:]
        _judge(results, server, load, told, said, seconds)
        _restart(results, server, image, ledger)
    finally:
        server.kill()
        unmount(server.data)
    return results


def _deliver(server: Server, ledger: Ledger) -> None:
    sender = Sender(server.ports.smtp, Notes())
    for _ in range(BEFORE):
        number, data = ledger.new_message()
        if sender.send("sender@example.net", USERS[0], data):
            ledger.acknowledge(number)
    sender.close()


def _seconds_to_degraded(server: Server, began: float) -> float:
    while time.monotonic() - began < 2 * SOON:
        if server.ready()[0] == 503:
            break
        time.sleep(0.05)
    return time.monotonic() - began


def _judge(
    results: Results,
    server: Server,
    load: Load,
    told: float,
    said: list[str],
    seconds: float,
) -> None:
    smtp, imap, reads = load.smtp, load.imap, load.reads
    results.expect("the server lives", server.is_alive)
    refused = smtp.number(*TRY_AGAIN)
    wrong = smtp.others((b"220", b"250 2.1", b"250 2.0.0", b"250", b"354", *TRY_AGAIN))
    results.expect(
        f"deliveries refused for now: {refused}, other replies {wrong or 0}",
        refused > 0 and not wrong,
    )
    wrong = imap.others((b"NO [UNAVAILABLE]",))
    results.expect(
        f"APPEND refused: {imap.number(b'NO')}, other answers {wrong or 0}",
        imap.number(b"NO") > 0 and not wrong,
    )
    flags = load.flags
    refused, done = flags.number(b"NO [UNAVAILABLE]"), flags.number(b"OK")
    wrong = flags.others((b"NO [UNAVAILABLE]", b"OK"))
    results.expect(
        f"STORE that changes something refused: {refused}, that changes nothing done:"
        f" {done}, other answers {wrong or 0}",
        refused >= done - 1 and refused > 0 and not wrong,
    )
    wrong = reads.others((b"OK", b"+OK"))
    results.expect(
        f"{load.logins} logins, {load.fetched} messages fetched,"
        f" {load.retrieved} retrieved; other answers {wrong or 0}",
        load.fetched > 0 and load.retrieved > 0 and not wrong,
    )
    cuts = smtp.cuts + imap.cuts + flags.cuts + reads.cuts
    results.expect(f"connections cut without a reply: {len(cuts)}", not cuts)
    results.faults += cuts[:5]
    results.expect(
        f"not ready {told:.1f} s after the fault, at most {SOON:.0f} s", told <= SOON
    )
    notices = [line for line in said if COMPLAINT.search(line)]
    results.expect(
        f"complaints in the log: {len(notices)} in {seconds:.0f} s, at most one a"
        " second",
        len(notices) <= seconds + 2,
    )


def _restart(results: Results, server: Server, image: Path, ledger: Ledger) -> None:
    began = time.monotonic()
    server.stop()
    stopped = time.monotonic() - began
    unmount(server.data)
    mount_disk(server.data, image, OCTETS)
    server.start()
    verdict = judge(ledger, read_everything(server.ports))
    results.expect(
        f"stopped in {stopped:.1f} s, mounted, started: {verdict}", verdict.is_clean
    )
    server.stop()
    faults = verify(server)
    results.expect(f"mailhub verify finds {len(faults)}", not faults)
    results.faults += faults[:5]


def main() -> int:
    """The command line."""
    return perform("readonly", __doc__, run, without=("try-again",))


if __name__ == "__main__":
    sys.exit(main())
