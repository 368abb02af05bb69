"""Let the disk report errors: once, at every call there is, and lasting::

    python -m tests.faults.errors
    python -m tests.faults.errors --short
    python -m tests.faults.errors --short --without new-descriptor

A server takes nine messages by SMTP and APPEND, small and large, and gives one back;
strace(1) lets the N-th of its calls of one kind fail, N = 1 to 50 (or until there are
no more).  Whatever fails, each transaction must be answered 250, 451 4.3.0 or
452 4.3.1 (OK or NO [UNAVAILABLE]), those after it must succeed, nothing that was
acknowledged may be missing in a new process, and no descriptor may be flushed again
once a flush of it has failed: the kernel has dropped what it could not write, and
says so once (C4; SQLite, PostgreSQL and others believed the second flush).

Then a server runs into errors that last: it must be told as not ready within 5
seconds, answer everybody, and take mail again within 30 seconds of their end.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from mailhub.store.sqlite import upkeep
from mailhub.store.sqlite.store import SQLiteStore

from .careless import PRECAUTIONS
from .ledger import Ledger, make_message
from .nursery import Child, Send, Tracer, ask
from .opening import read_folder
from .operations import open_store, serve
from .power import quick
from .program import Results, perform
from .server import Server
from .subject import USERS, copy_folder
from .verifying import verify_folder
from .witness import TRY_AGAIN, Keeper, Notes, Sender

#: The N-th calls that are tried at most.
MOST = 50
#: What fails, and how: calls, and errors.  Only the reactor's own thread calls
#: write(2) for messages; the others nudge each other with it.
POINTS = (
    ("fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("fsync", "EIO"),
    ("fsync", "ENOSPC"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"),
    ("write", "EIO"), ("write", "ENOSPC"), ("pread64", "EIO"), ("link", "EIO"),
    ("rename", "EIO"), ("rename", "ENOSPC"), ("ftruncate", "EIO"),
)  # fmt: skip
SHORT_POINTS = (("fdatasync", "EIO"), ("pwrite64", "ENOSPC"), ("fsync", "EIO"))
#: What fails for as long as it lasts.
LASTING = (
    ("pwrite64,fsync,fdatasync", "EIO"), ("pwrite64", "ENOSPC"),
    ("pwrite64,rename,link,ftruncate", "EROFS"),
)  # fmt: skip
#: Numbers of messages; each tenth is large.
SMALL, LARGE = (1, 2, 3, 4, 5), (10, 20)
#: Seconds that lasting errors last, until they are told, and until they are over.
SECONDS, SOON, BACK = 8.0, 5.0, 30.0
_CALL = re.compile(
    r"(?P<pid>\d+) +(?P<name>\w+)\((?P<file>\d+)(?:<(?P<path>[^>]*)>)?.*"
    r"= (?P<result>-?\d+)"
)


@dataclass
class Tally:
    """What became of the points of one kind.

    :ivar points: calls that failed.
    :ivar refused: transactions that were refused for now.
    """

    points: int = 0
    refused: int = 0
    ghosts: int = 0
    faults: list[str] = field(default_factory=list)


class Trial:
    """All points of one kind.

    :param call: a system call.
    :param error: what it fails with.
    """

    def __init__(
        self, call: str, error: str, template: Path, folder: Path, without: str | None
    ) -> None:
        self._call = call
        self._error = error
        self._template = template
        self._data = folder / "place" / "data"
        self._trace, self._log = folder / "trace", folder / "log"
        self._without = without
        self.tally = Tally()

    def run(self, every: int) -> Tally:
        """Let each *every*-th call fail."""
        for number in range(1, MOST + 1, every):
            if not self._fail_at(number):
                break
        return self.tally

    def _fail_at(self, number: int) -> bool:
        """-> whether there was such a call"""
        shutil.rmtree(self._data.parent, ignore_errors=True)
        copy_folder(self._template, self._data.parent)
        ledger, notes = Ledger(), Notes()
        child = Child(partial(_perform, self._data, self._without), self._log)
        ports = child.receive()
        child.pause()
        calls = f"trace={self._call},fsync,fdatasync,close"
        inject = f"inject={self._call}:error={self._error}:when={number}"
        tracer = Tracer(
            child,
            ["-y", "-e", calls, "-e", inject, "-o", str(self._trace)],
            is_whole=self._call != "write",
        )
        child.resume()
        taken = _drive(ports, ledger, notes)
        child.end()
        child.join()
        tracer.join()
        lines = self._trace.read_text(errors="replace").splitlines()
        injected = [line for line in lines if "(INJECTED)" in line]
        if not injected:
            return False
        if all(str(self._data) in line for line in injected):
            self.tally.points += 1
            self._judge(number, len(injected), ledger, notes, taken, lines)
        return True

    def _judge(
        self,
        number: int,
        errors: int,
        ledger: Ledger,
        notes: Notes,
        taken: Sequence[bool],
        lines: Sequence[str],
    ) -> None:
        place, faults = f"{self._call} {self._error} {number}", []
        allowed = (b"2", b"354", b"OK", b"NO [UNAVAILABLE]", *TRY_AGAIN)
        wrong = notes.others(allowed)
        if wrong or notes.cuts:
            faults.append(f"answers {wrong}, cut {notes.cuts}")
        refused = taken.count(False)
        self.tally.refused += refused
        # Each thread has an N-th call of its own.
        if refused > errors:
            faults.append(f"{errors} errors, {refused} transactions refused: {taken}")
        faults += flushed_again(lines)
        found, damage = ask(lambda: _read(self._data, ledger), self._log)
        lost = ledger.acknowledged - found.keys()
        self.tally.ghosts += len(found.keys() - ledger.acknowledged)
        doubled = [each for each, count in found.items() if count > 1]
        if lost or doubled:
            faults.append(f"lost {sorted(lost)}, doubled {doubled}")
        faults += damage
        self.tally.faults += (f"{place}: {fault}" for fault in faults)


def flushed_again(lines: Sequence[str]) -> list[str]:
    """Flushes of descriptors that a flush had failed of before."""
    failed: dict[int, str] = {}
    faults = []
    for line in lines:
        call = _CALL.match(line) or _CALL.match(f"0 {line}")
        if call is None:
            continue
        file = int(call["file"])
        if call["name"] == "close":
            failed.pop(file, None)
        elif call["name"] in ("fsync", "fdatasync"):
            if file in failed:
                faults.append(f"flushed again after an error: {line}")
            if int(call["result"]) < 0:
                failed[file] = line
    return faults


def _perform(folder: Path, without: str | None, send: Send) -> None:
    """In the child."""
    # A checkpoint after nearly every commit, so that these fail, too.
    upkeep._LONG_LOG = 30_000
    if without is not None:
        PRECAUTIONS[without]()
    serve(folder, send)


def _drive(ports: dict[str, int], ledger: Ledger, notes: Notes) -> list[bool]:
    """All transactions.  -> which of them succeeded"""
    sender, keeper = Sender(ports["smtp"], notes), None
    taken = []
    with closing(sender):
        for number in (SMALL[0], LARGE[0], SMALL[1]):
            taken.append(_send(sender, ledger, number))
        keeper = Keeper(ports["imap"], USERS[1], notes)
        for number in (SMALL[2], LARGE[1], SMALL[3]):
            data = _message(ledger, number)
            taken.append(keeper.append("INBOX", data))
            if taken[-1]:
                ledger.acknowledge(number)
        can_read = keeper.ask("SELECT INBOX")
        taken.append(bool(can_read and keeper.ask("UID FETCH 1:* BODY.PEEK[]")))
        taken.append(_send(sender, ledger, SMALL[4]))
        keeper.close()
    return taken


def _send(sender: Sender, ledger: Ledger, number: int) -> bool:
    is_taken = sender.send("s@example.net", USERS[0], _message(ledger, number))
    if is_taken:
        ledger.acknowledge(number)
    return is_taken


def _message(ledger: Ledger, number: int) -> bytes:
    while len(ledger.sent) <= number:
        ledger.new_message()
    return make_message(number)


def _read(data: Path, ledger: Ledger) -> tuple[Counter[int], list[str]]:
    """In a process of its own.  -> messages by number, and what is wrong"""
    faults = verify_folder(data)
    result: list[Any] = []

    async def read(reactor: Any) -> None:
        result.append(await read_folder(str(data), list(USERS), ledger, reactor))

    try:
        react(lambda reactor: ensureDeferred(read(reactor)), [])
    except SystemExit as end:
        if end.code:
            raise
    [found] = result
    numbers = Counter[int]()
    for (number, _), places in found.places.items():
        numbers[number] += len(places)
    return numbers, faults + found.damage


async def _accounts(store: SQLiteStore) -> None:
    for user in USERS:
        await store.directory.add_account(user, "")


# Errors that last.


def last(
    results: Results, folder: Path, calls: str, error: str, seconds: float
) -> None:
    """A server whose disk fails for a while."""
    server, ledger, notes = Server(folder), Ledger(), Notes()
    name = f"{error} at {calls} for {seconds:.0f} s"
    try:
        server.set_up()
        server.start()
        sender = Sender(server.ports.smtp, notes)
        _deliver(sender, ledger, 0.5)
        tracer = subprocess.Popen(
            [
                "strace", "-f", "-qqq", "-y",
                "-e", f"trace={calls},fsync,fdatasync,close",
                "-e", f"inject={calls}:error={error}:when=1+",
                "-o", str(folder / "trace"), "-p", str(server.pid),
            ],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.3)
        heard = Notes()
        sender = Sender(server.ports.smtp, heard)
        began, told = time.monotonic(), 0.0
        while time.monotonic() - began < seconds:
            _deliver(sender, ledger, 0.2)
            if not told and server.ready()[0] == 503:
                told = time.monotonic() - began
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        ended, after = time.monotonic(), Notes()
        sender.close()
        sender = Sender(server.ports.smtp, after)
        while time.monotonic() - ended < BACK:
            if _deliver(sender, ledger, 0.0) and server.ready()[0] == 200:
                break
            time.sleep(0.05)
        back = time.monotonic() - ended
        sender.close()
        wrong = heard.others((b"2", b"354", *TRY_AGAIN))
        results.expect(
            f"{name}: {heard.number(*TRY_AGAIN)} refused for now, others {wrong or 0},"
            f" cut {len(heard.cuts)}",
            heard.number(*TRY_AGAIN) > 0 and not wrong and not heard.cuts,
        )
        results.expect(
            f"{name}: not ready after {told:.1f} s, at most {SOON:.0f} s",
            0 < told <= SOON,
        )
        results.expect(
            f"{name}: takes mail again {back:.1f} s after the end, at most {BACK:.0f}"
            " s, without a restart",
            back < BACK and server.is_alive,
        )
        server.stop()
        _settle(results, name, folder, server, ledger)
    finally:
        server.kill()


def _settle(
    results: Results, name: str, folder: Path, server: Server, ledger: Ledger
) -> None:
    """Look for what was promised, and for flushes that were tried again."""
    found, faults = ask(lambda: _read(server.data, ledger), folder / "log")
    trace = (folder / "trace").read_text(errors="replace")
    faults += flushed_again(trace.splitlines())
    lost = ledger.acknowledged - found.keys()
    results.expect(
        f"{name}: acknowledged {len(ledger.acknowledged)}, lost {len(lost)},"
        f" other faults {len(faults)}",
        not lost and not faults,
    )
    results.faults += faults[:5]


def _deliver(sender: Sender, ledger: Ledger, seconds: float) -> bool:
    """Deliver for so long, once at least.  -> whether the last one was taken"""
    end = time.monotonic() + seconds
    while True:
        number, data = ledger.new_message()
        is_taken = sender.send("s@example.net", USERS[0], data)
        if is_taken:
            ledger.acknowledge(number)
        if time.monotonic() >= end:
            return is_taken
        time.sleep(0.02)


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """All kinds of errors."""
    results = Results()
    place = Path(quick() or folder) / f"mailhub-errors-{os.getpid()}"
    place.mkdir()
    try:
        template = place / "template"
        template.mkdir()
        fill = partial(open_store, template / "data", _accounts)
        Child(lambda send: fill(), place / "log").join()
        points = SHORT_POINTS if options.short else POINTS
        for call, error in points:
            trial = Trial(call, error, template, place, options.without)
            tally = trial.run(7 if options.short else 1)
            text = (
                f"{call} {error}: {tally.points} points, {tally.refused} transactions"
                f" refused, {tally.ghosts} of them stored all the same; faults"
                f" {len(tally.faults)}"
            )
            tell(text)
            results.expect(text, not tally.faults and tally.points > 0)
            results.faults += tally.faults
        if options.without is None:
            lasting = LASTING[:1] if options.short else LASTING
            for number, (calls, error) in enumerate(lasting):
                seconds = 3.0 if options.short else SECONDS
                last(results, folder / str(number), calls, error, seconds)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return results


def main() -> int:
    """The command line."""
    return perform("errors", __doc__, run, without=("new-descriptor",))


if __name__ == "__main__":
    sys.exit(main())
