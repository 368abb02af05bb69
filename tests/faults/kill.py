"""Kill the server under load, again and again, and look for what it had promised::

    python -m tests.faults.kill --rounds 200
    python -m tests.faults.kill --rounds 200 --workers 2
    python -m tests.faults.kill --rounds 3 --without order
    python -m tests.faults.kill --rounds 20 --lazyfs /usr/local/bin/lazyfs

In each round eight clients of SMTP, four of submission and four of IMAP (APPEND,
MOVE, COPY, STORE, EXPUNGE) go on as fast as they are answered; the server is killed
with SIGKILL after 50 to 1,500 ms and started again.  Then every operation that was
answered must have happened, every other wholly or not at all, no message may be
there twice, and every octet must be right.  Every 25th round, and the last, read
all octets again; in the others what is known already is only listed.

After fifty rounds, and after the last, the server is stopped and started in order ten
times: nothing may come twice by that.  Then another begins, with an empty store.

With ``--workers`` the server has so many processes, and what is killed is one of
them, their master, or all, in turn.

With ``--lazyfs`` the store lies on a file system that loses with each kill what was
not flushed (see :mod:`tests.faults.forgetful`).

``--without`` takes one of the server's precautions out (see :mod:`tests.faults.broken`)
and is how the test is tested: it has to end with broken promises.  The exit status
is 0 only if all criteria were met.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .broken import PRECAUTIONS
from .crowd import Crowd, Members
from .forgetful import ForgetfulDisk
from .promises import Book, Judgement, judge
from .reading import Inspector
from .subject import Subject
from .verifying import verify

#: Seconds of load before the kill.
EARLIEST, LATEST = 0.05, 1.5
#: Rounds after which all octets are read again.
THOROUGH_EVERY = 25
#: What is killed where there are workers.
VICTIMS = ("worker", "master", "all")
#: Rounds after which another store is begun: reading one takes longer and longer.
ROUNDS_PER_STORE = 50
#: Seconds without work in which a server clears away what a kill left behind.
TIDYING = 1.0
#: Seconds in which a killed server must greet again.
SOON = 2.0


@dataclass(frozen=True)
class Plan:
    """What to do.

    :ivar restarts: in order, after the last round.
    :ivar without: a key of ``PRECAUTIONS``, or ``None`` for the server as it is.
    :ivar workers: processes of the server, or 0 for one without a master.
    :ivar lazyfs: path of a program, or ``None`` for a disk that forgets nothing.
    """

    rounds: int
    restarts: int = 10
    without: str | None = None
    workers: int = 0
    lazyfs: str | None = None
    seed: int = 1


@dataclass
class Results:
    """What came of it.

    :ivar faults: broken promises, a line each.
    :ivar starts: seconds that each start after a kill took.
    :ivar struck: how often what was killed.
    :ivar replaced: seconds until a killed worker had a successor.
    """

    rounds: int = 0
    answered: int = 0
    unanswered: int = 0
    faults: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    replaced: list[float] = field(default_factory=list)

    @property
    def criteria(self) -> dict[str, bool]:
        """What has to hold, and whether it did."""
        slowest = max(self.starts, default=0.0)
        criteria = {
            f"{self.answered} answered operations in {self.rounds} rounds: lost 0,"
            " corrupt 0, doubled 0, in part 0": not self.faults,
            f"refusals: {len(self.refusals)}": not self.refusals,
            f"slowest start after a kill: {slowest:.2f} s, at most {SOON} s": (
                slowest <= SOON
            ),
        }
        if self.replaced:
            successor = max(self.replaced)
            text = f"slowest successor of a killed worker: {successor:.2f} s, at most"
            criteria[f"{text} {SOON} s"] = successor <= SOON
        return criteria


class Trial:
    """One server, what its clients were promised, and rounds of kills.

    :param rounds: the first and the last.
    """

    def __init__(
        self,
        plan: Plan,
        rounds: range,
        folder: Path,
        results: Results,
        tell: Callable[[str], object],
    ) -> None:
        self._plan = plan
        self._rounds = rounds
        self._tell = tell
        self._random = Random(plan.seed + rounds.start)
        self._book = Book()
        self._inspector = Inspector(self._book.ledger)
        self._subject = Subject(folder / "server", plan.without, plan.workers)
        self._results = results
        self._answered_before = results.answered
        self._disk: ForgetfulDisk | None = None
        if plan.lazyfs is not None:
            place = self._subject.data
            self._disk = ForgetfulDisk(plan.lazyfs, folder / "disk", place)

    def run(self) -> None:
        """All rounds, or those up to the first fault."""
        try:
            self._subject.set_up()
            self._subject.start()
            for number in self._rounds:
                judgement = self._round(number)
                self._tell(f"round {number}: {judgement}")
                if not judgement.is_clean:
                    return
            self._restart()
        finally:
            self._subject.kill()
            if self._disk is not None:
                self._disk.close()

    def _round(self, number: int) -> Judgement:
        """Load, kill, start again, look."""
        crowd = Crowd(self._subject.ports, self._book, Members())
        crowd.start()
        time.sleep(self._random.uniform(EARLIEST, LATEST))
        self._strike()
        crowd.stop()
        self._results.refusals += crowd.refusals
        if number % THOROUGH_EVERY == 0 or number == self._rounds[-1]:
            self._inspector.forget()
            self._verify()
        return self._look()

    def _strike(self) -> None:
        """Kill something, and see that the server goes on."""
        turn = self._results.struck.total()
        victim = VICTIMS[turn % len(VICTIMS)] if self._plan.workers else "all"
        self._results.struck[victim] += 1
        if victim == "worker":
            worker = self._random.choice(self._subject.workers())
            self._results.replaced.append(self._subject.kill_worker(worker))
            return
        if victim == "master":
            self._subject.kill_master()
        self._subject.kill()
        if self._disk is not None:
            self._disk.forget()
        self._results.starts.append(self._subject.start())

    def _verify(self) -> None:
        """Ask the server's own command about its store, which nobody has open."""
        self._subject.kill()
        self._results.faults += verify(self._subject)
        self._subject.start()

    def _look(self) -> Judgement:
        found = self._inspector.read(self._subject.ports)
        judgement = judge(self._book, found)
        self._book.settle(found)
        results = self._results
        results.rounds += 1
        results.answered = self._answered_before + judgement.answered
        results.unanswered += judgement.unanswered
        results.faults += judgement.faults
        return judgement

    def _restart(self) -> None:
        """Stop and start in order: nothing changes by that."""
        for _ in range(self._plan.restarts):
            self._subject.stop()
            self._subject.start()
        self._inspector.forget()
        judgement = self._look()
        time.sleep(TIDYING)
        self._subject.stop()
        self._results.faults += verify(self._subject, is_tidy=True)
        self._tell(f"after {self._plan.restarts} restarts in order: {judgement}")
        self._results.rounds -= 1


def run(plan: Plan, folder: Path, tell: Callable[[str], object]) -> Results:
    """Follow *plan*; *tell* hears of each round."""
    results = Results()
    for first in range(1, plan.rounds + 1, ROUNDS_PER_STORE):
        rounds = range(first, min(first + ROUNDS_PER_STORE, plan.rounds + 1))
        place = folder / f"store-{first}"
        Trial(plan, rounds, place, results, tell).run()
        shutil.rmtree(place)
        if results.faults:
            break
    return results


def say(line: str) -> None:
    """Print at once, for who watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def conclude(criteria: dict[str, bool], faults: list[str]) -> int:
    """Print what held and what did not.  -> the exit status"""
    for fault in faults[:20]:
        say(f"FAULT: {fault}")
    for text, is_met in criteria.items():
        say(f"{'held  ' if is_met else 'BROKEN'}  {text}")
    return 0 if all(criteria.values()) else 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.kill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--lazyfs", metavar="PROGRAM", help="lose what is unflushed")
    parser.add_argument("--without", choices=sorted(PRECAUTIONS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailhub-kill-") as folder:
        results = run(Plan(**vars(options)), Path(folder), say)
    say(f"killed: {dict(results.struck)}")
    say(f"unanswered operations that happened: {results.unanswered}")
    return conclude(results.criteria, results.faults + results.refusals)


if __name__ == "__main__":
    sys.exit(main())
