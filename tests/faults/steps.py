"""Kill the server at every step of everything it does::

    python -m tests.faults.steps
    python -m tests.faults.steps --only MOVE "accept: large"
    python -m tests.faults.steps --every 7
    python -m tests.faults.steps --only MOVE --without one-move

For each operation in :mod:`tests.faults.operations` and each kind of call that changes
a file, flushes one or sends an answer, strace(1) kills the server as it makes the
N-th such call; N grows until the operation ends without a kill.  The store is then
opened by a new process: all of what was promised must be there, the operation must
have happened wholly, or, if it was not answered, not at all; what the store says of
itself must be true, it must take new mail, and ``mailhub verify`` must be content.
Nobody repairs anything by hand.

``--without`` takes a precaution out (see :mod:`tests.faults.broken`), which has to be
found out.  The exit status is 0 only if every point has recovered.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mailhub.store.sqlite.store import SQLiteStore

from .broken import PRECAUTIONS
from .kill import conclude, say
from .nursery import Child, Send, Tracer, Trouble, ask
from .operations import LONG_AGO, OPERATIONS, Operation, fill, open_store, tidy
from .power import quick
from .snapshot import Snapshot, take
from .subject import PASSWORD, USERS, copy_folder
from .verifying import verify_folder
from .wire import Gone, IMAPWire, SMTPWire

#: Calls to be killed at.
CALLS = (
    "fsync", "fdatasync", "write", "pwrite64", "ftruncate", "rename", "renameat",
    "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat",
    "sendto",
)
_CALL = re.compile(r"(\d+) +(\w+)\(")


@dataclass
class Tally:
    """What became of one operation.

    :ivar points: kills, by call.
    :ivar recovered: those after which nothing was wrong.
    :ivar faults: a line each; a point may have several.
    """

    name: str
    points: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        calls = ", ".join(f"{call} {number}" for call, number in self.points.items())
        return (
            f"{self.name:38} {self.points.total():5} points,"
            f" {self.recovered} recovered  ({calls})"
        )


class Trial:
    """One operation, and the store that it begins with.

    :param every: kill at each so-manieth call only.
    """

    def __init__(
        self, operation: Operation, folder: Path, without: str | None, every: int
    ) -> None:
        self._operation = operation
        self._without = without
        self._every = every
        self._template = folder / "template"
        self._place = folder / "place"
        self._log = folder / "log"
        self._calls = folder / "calls"
        self._before = self._after = Snapshot()
        self.tally = Tally(operation.name)

    def run(self) -> None:
        """Kill at every step."""
        self._prepare()
        self._copy()
        data = str(self._place / "data")
        # By the program as it is: a newer one would change it.
        self._before = ask(lambda: take(data), self._log)
        counts = self._count()
        self._after = self._look()
        self.tally.faults += self._before.damage + self._after.damage
        if (self._before.content != self._after.content) != self._operation.changes:
            self.tally.faults.append(f"{self._operation.name}: answered, and not done")
        for call in CALLS:
            if counts[call] and call not in self._operation.spared:
                self._kill_at(call)
        self._tidy()

    def _prepare(self) -> None:
        """The store as it is before the operation."""
        operation, data = self._operation, self._template / "data"
        shutil.rmtree(self._template, ignore_errors=True)
        self._template.mkdir()

        async def work(store: SQLiteStore) -> None:
            await fill(store)
            if operation.prepare is not None:
                await operation.prepare(store)

        if not operation.is_fresh:
            close = not operation.leaves_log
            task = partial(open_store, data, work, age=LONG_AGO, close=close)
            Child(lambda send: task(), self._log).join()

    def _copy(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        copy_folder(self._template, self._place)

    def _count(self) -> Counter[str]:
        """Do it without a kill.  -> the calls it makes, by name

        Of calls made by several threads, those of the one that makes the most.
        """
        trace = f"trace={','.join(CALLS)}"
        killed, answered = self._try(["-e", trace, "-o", str(self._calls)])
        if killed or not answered:
            raise Trouble(f"{self._operation.name} does not end well")
        found = Counter(_CALL.findall(self._calls.read_text()))
        counts: Counter[str] = Counter()
        for (_, call), number in found.items():
            counts[call] = max(counts[call], number)
        return counts

    def _kill_at(self, call: str) -> None:
        """Kill at the N-th *call*, N = 1.. until nothing is killed any more."""
        number = 1
        while True:
            inject = f"inject={call}:signal=SIGKILL:when={number}"
            trace = ["-e", f"trace={call}", "-e", inject, "-o", os.devnull]
            killed, answered = self._try(trace)
            if not killed:
                return
            faults = self._judge(answered)
            self.tally.points[call] += 1
            self.tally.recovered += not faults
            place = f"{self._operation.name}, {call} {number}"
            self.tally.faults += (f"{place}: {fault}" for fault in faults)
            number += self._every

    def _tidy(self) -> None:
        """After some time nothing is left of a kill."""
        data = self._place / "data"
        self._ask(lambda: tidy(data, print))
        self.tally.faults += self._verify(is_tidy=True)

    def _try(self, tracing: Sequence[str]) -> tuple[bool, bool]:
        """-> whether it was killed, and whether it had answered."""
        self._copy()
        child = Child(self._perform, self._log)
        client = None
        if self._operation.drive is None:
            child.wait_until_paused()
        else:
            client = self._connect(child.receive())
            child.pause()
        tracer = Tracer(child, tracing)
        child.resume()
        if client is None:
            answered = child.said() == ["answered"]
        else:
            answered = self._drive(client)
            child.end()
        killed = child.join()
        tracer.join()
        return killed, answered

    def _perform(self, send: Send) -> None:
        """In the child."""
        self._operation.patch()
        if self._without is not None:
            PRECAUTIONS[self._without]()
        if self._operation.drive is None:
            os.kill(os.getpid(), signal.SIGSTOP)
        self._operation.perform(self._place / "data", send)

    def _connect(self, ports: dict[str, int]) -> SMTPWire | IMAPWire:
        if self._operation.client == "smtp":
            return SMTPWire(ports["smtp"])
        client = IMAPWire(ports["imap"], USERS[0], PASSWORD)
        client.command("SELECT INBOX")
        return client

    def _drive(self, client: SMTPWire | IMAPWire) -> bool:
        """-> whether there was an answer."""
        drive = self._operation.drive
        with closing(client), suppress(OSError, Gone):
            if drive is not None:
                drive(client)
            return True
        return False

    def _look(self) -> Snapshot:
        data = str(self._place / "data")
        snapshot: Snapshot = self._ask(lambda: take(data))
        return snapshot

    def _verify(self, is_tidy: bool = False) -> list[str]:
        data = self._place / "data"
        return list(self._ask(lambda: verify_folder(data, is_tidy)))

    def _ask(self, task: Callable[[], object]) -> Any:
        """What *task* returns in a process by itself, of the same program."""

        def perform() -> object:
            self._operation.patch()
            return task()

        return ask(perform, self._log)

    def _judge(self, answered: bool) -> list[str]:
        """Open the store that a kill has left.  -> what is wrong with it"""
        found = self._look()
        faults = self._verify()
        legal = [self._after] if answered else [self._before, self._after]
        if all(found.content != each.content for each in legal):
            faults.append(f"answered: {answered}; {difference(found, legal[-1])}")
        kept = found.validity.keys() & self._before.validity.keys()
        if any(found.validity[each] != self._before.validity[each] for each in kept):
            faults.append("a UIDVALIDITY has changed")
        return faults + found.damage


def difference(found: Snapshot, wanted: Snapshot) -> str:
    """The parts of *found* that are not as *wanted*."""
    keys = found.content.keys() | wanted.content.keys()
    return "; ".join(
        f"{key}: {found.content.get(key)!r:.300}, not {wanted.content.get(key)!r:.300}"
        for key in sorted(keys)
        if found.content.get(key) != wanted.content.get(key)
    )


def run(
    operations: Sequence[Operation],
    tell: Callable[[str], object],
    without: str | None = None,
    every: int = 1,
) -> list[Tally]:
    """Kill in each of *operations*; *tell* hears of each that is done."""
    tallies = []
    with tempfile.TemporaryDirectory(prefix="mailhub-steps-", dir=quick()) as folder:
        for operation in operations:
            trial = Trial(operation, Path(folder), without, every)
            trial.run()
            tell(str(trial.tally))
            tallies.append(trial.tally)
    return tallies


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.steps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [operation.name for operation in OPERATIONS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--every", type=int, default=1, help="kill at every N-th call")
    parser.add_argument("--without", choices=sorted(PRECAUTIONS))
    options = parser.parse_args()
    chosen = [operation for operation in OPERATIONS if operation.name in options.only]
    tallies = run(chosen, say, options.without, options.every)
    points = sum(tally.points.total() for tally in tallies)
    recovered = sum(tally.recovered for tally in tallies)
    faults = [fault for tally in tallies for fault in tally.faults]
    share = 100 * recovered / max(points, 1)
    text = f"{recovered} of {points} points recovered without help ({share:.1f} %)"
    return conclude({text: not faults and points > 0}, faults)


if __name__ == "__main__":
    sys.exit(main())
