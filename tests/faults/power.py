"""Lose power at many moments of a server's life, in many ways::

    python -m tests.faults.power
    python -m tests.faults.power --states 60 --seconds 0.5
    python -m tests.faults.power --workers 2
    python -m tests.faults.power --without commit-flush

strace(1) records everything that a server does to its files, and every answer that
it sends, while clients of SMTP, submission and IMAP keep it busy; it is stopped and
killed and started on the way.  At many moments of the recording - half of them just
after an answer - the power fails: of the changes that no flush had covered by then,
each of the losses in :mod:`tests.faults.losses` leaves something else.  The folder
that is left is built, opened by the store's own code and read whole.  Every answer
sent by that moment must hold, every other operation must have happened wholly or not
at all, every octet must be right, and the check behind ``mailhub verify`` finds no
fault.  Some states are also given to a whole server, which has time to tidy up.

The flush audit follows the same recording: at each answer all octets of its message
and all names on the way to them must have been flushed.

``--without`` takes a precaution out (see :mod:`tests.faults.broken`), ``--without
disk`` makes every flush do nothing (libeatmydata): these have to end with broken
promises.  The exit status is 0 only if all criteria were met.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.task import react

from .audit import Audit, audit
from .broken import PRECAUTIONS
from .disk import Disk
from .kill import TIDYING, conclude, say
from .life import WITHOUT_DISK, Life, record
from .losses import LOSSES, build, pending, signature
from .opening import read_folder
from .promises import Found, Judgement, judge
from .reading import Inspector
from .subject import Subject, copy_folder
from .verifying import verify, verify_folder

#: Seconds of load on each server of the life that is recorded.
SECONDS = (2.0, 1.5, 1.5)
#: One state in so many is given to a whole server.
SERVED_EVERY = 100
#: Lines of the recording without an answer that make a pause.
QUIET = 100
#: The key of the control that is no patch of the server's.
DISK = "disk"
#: Memory, which is a good place to build states in.
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Plan:
    """What to do.

    :ivar states: to look at, at least.
    :ivar seconds: of load on each of the servers.
    :ivar without: a key of ``PRECAUTIONS``, ``DISK``, or ``None``.
    :ivar workers: processes of the server, or 0 for one without a master.
    """

    states: int = 1200
    seconds: tuple[float, ...] = SECONDS
    without: str | None = None
    workers: int = 0
    seed: int = 1


@dataclass
class Results:
    """What came of it: counts by loss, and faults, a line each.

    :ivar looked: states that were opened and judged.
    :ivar distinct: those of them whose folders differ from all others.
    :ivar served: those that were also given to a whole server.
    """

    looked: Counter[str] = field(default_factory=Counter)
    distinct: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    corrupt: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    served: int = 0
    moments: int = 0
    answers: int = 0
    faults: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    audit: Audit = field(default_factory=Audit)

    def note(self, name: str, is_new: bool, judgement: Judgement) -> None:
        """One state was judged."""
        self.looked[name] += 1
        self.distinct[name] += is_new
        self.lost[name] += bool(judgement.lost)
        self.corrupt[name] += bool(judgement.damage)
        self.others[name] += bool(judgement.doubled or judgement.wrong)
        self.faults += (f"{name}: {fault}" for fault in judgement.faults[:3])

    @property
    def table(self) -> list[str]:
        """A line per loss: states that were looked at, and those with faults."""
        form = "{:24} {:>7} {:>9} {:>6} {:>8} {:>8}".format
        columns = (self.looked, self.distinct, self.lost, self.corrupt, self.others)
        return [
            form("what is lost", "states", "distinct", "lost", "corrupt", "doubled"),
            *(form(name, *(each[name] for each in columns)) for name in LOSSES),
            form("all", *(each.total() for each in columns)),
        ]

    @property
    def criteria(self) -> dict[str, bool]:
        """What has to hold, and whether it did."""
        audit = self.audit
        return {
            f"{self.looked.total()} states ({self.distinct.total()} distinct) at"
            f" {self.moments} moments, {self.served} of them with a whole server,"
            f" {self.answers} answers: lost 0, corrupt 0, unopenable 0, doubled 0,"
            " in part 0": not self.faults,
            f"refusals: {len(self.refusals)}": not self.refusals,
            f"{audit.flushed} of {audit.answers} answers for messages came after the"
            " flush of their octets and names": (
                audit.flushed == audit.answers and audit.answers > 0
            ),
            f"flushes per message: {audit.flushes_per_message:.2f}, at most 1": (
                audit.flushes_per_message <= 1
            ),
        }


class Examination:
    """Looks at states of one life."""

    def __init__(self, life: Life, plan: Plan, folder: Path, reactor: Any) -> None:
        self._life = life
        self._random = Random(plan.seed)
        self._folder = folder
        self._reactor = reactor
        self._copy = Subject(folder / "copy")
        self._seen: set[tuple[int, ...]] = set()
        self._disk = Disk(life.folder)
        self.results = Results(
            answers=len(life.answers), refusals=life.refusals, audit=audit(life)
        )

    def moments(self, states: int) -> list[int]:
        """When to lose power, so that so many states are looked at.

        A half just after answers, a quarter where there are no answers, as servers
        start and end, and a quarter anywhere.
        """
        number = -(-states // len(LOSSES))
        calls = [call.moment for call in self._life.changes()]
        quiet = _in_gaps(calls, self._life.answers)
        chosen = {*self._random.choices(self._life.answers, k=number // 2)}
        chosen.update(self._random.choices(quiet, k=number // 4))
        while len(chosen) < min(number, len(calls)):
            chosen.add(self._random.choice(calls))
        return sorted(chosen)

    async def look(self, moments: list[int]) -> None:
        """Follow the recording, and stop at each of *moments*."""
        waiting = iter(moments)
        moment = next(waiting)
        self.results.moments = len(moments)
        for call in self._life.calls:
            while call.moment > moment:
                await self._lose(moment)
                moment = next(waiting, sys.maxsize)
            self._disk.follow(call)
        if moment != sys.maxsize:
            await self._lose(moment)

    async def _lose(self, moment: int) -> None:
        """Lose power in all ways."""
        version = sum(node.version for node in self._disk.nodes())
        changes = pending(self._disk)
        for name, loss in LOSSES.items():
            kept = loss(changes, self._random)
            mark = version, len(changes), signature(kept)
            is_new = mark not in self._seen
            self._seen.add(mark)
            left = self._folder / "left"
            build(self._disk, kept, left, self._random)
            judgement = await self._judge(left, moment)
            if judgement.is_clean and not self.results.looked.total() % SERVED_EVERY:
                judgement = self._serve(left, moment)
            shutil.rmtree(left)
            self.results.note(name, is_new, judgement)

    async def _judge(self, left: Path, moment: int) -> Judgement:
        users = [u for u, since in self._life.accounts.items() if since <= moment]
        ledger = self._life.book.ledger
        found = await read_folder(str(left), users, ledger, self._reactor)
        found.damage += verify_folder(left)
        return judge(self._life.book, found, moment)

    def _serve(self, left: Path, moment: int) -> Judgement:
        """What a whole server makes of it, and the command that verifies."""
        self.results.served += 1
        if len(self._life.accounts) > sum(
            since <= moment for since in self._life.accounts.values()
        ):
            return judge(self._life.book, Found(), moment)
        shutil.rmtree(self._copy.data, ignore_errors=True)
        copy_folder(left, self._copy.data)
        self._copy.start()
        try:
            found = Inspector(self._life.book.ledger).read(self._copy.ports)
            time.sleep(TIDYING)
        finally:
            self._copy.stop()
        found.damage += verify(self._copy, is_tidy=True)
        return judge(self._life.book, found, moment)


def _in_gaps(moments: list[int], answers: list[int]) -> list[int]:
    """Those *moments* that are far from all answers."""
    known = sorted(answers)
    return [
        moment
        for moment in moments
        if all(
            abs(moment - answer) > QUIET
            for answer in known[max(bisect(known, moment) - 1, 0) :][:2]
        )
    ]


async def examine(
    life: Life, plan: Plan, folder: Path, reactor: Any
) -> Results:
    """Look at states of *life* as *plan* says; *folder* is scratch."""
    examination = Examination(life, plan, folder, reactor)
    await examination.look(examination.moments(plan.states))
    return examination.results


def live(plan: Plan, folder: Path) -> Life:
    """Record what *plan* says."""
    subject = Subject(folder / "server", _patch(plan.without), plan.workers)
    wrapper = WITHOUT_DISK if plan.without == DISK else ()
    return record(subject, folder / "trace", plan.seconds, wrapper)


def _patch(without: str | None) -> str | None:
    """What is taken out of the server itself."""
    return None if without == DISK else without


def quick() -> Path | None:
    """Where files cost least, if there is such a place."""
    return MEMORY if MEMORY.is_dir() else None


async def _main(reactor: Any, plan: Plan) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="mailhub-life-") as home,
        tempfile.TemporaryDirectory(prefix="mailhub-power-", dir=quick()) as folder,
    ):
        life = live(plan, Path(home))
        say(f"recorded {len(life.calls)} calls and {len(life.answers)} answers")
        results = await examine(life, plan, Path(folder), reactor)
    for line in results.table:
        say(line)
    raise SystemExit(conclude(results.criteria, results.faults + results.refusals))


def main(tell: Callable[[str], object] = say) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.power",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--states", type=int, default=Plan.states)
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--without", choices=[*sorted(PRECAUTIONS), DISK])
    parser.add_argument("--seed", type=int, default=1)
    options = vars(parser.parse_args())
    options["seconds"] = tuple(options["seconds"])
    react(_main, [Plan(**options)])


if __name__ == "__main__":
    main()
