"""Kill the server under load, again and again, and look for what it had promised::

    python -m tests.faults.kill --rounds 20
    python -m tests.faults.kill --rounds 20 --power --states 5
    python -m tests.faults.kill --rounds 3 --power --without flush

In each round eight SMTP clients and four IMAP clients send as fast as they are
answered, the server is killed with SIGKILL after 50 to 1,500 ms, started again, and
every message that it had answered for must be there, whole and once.

With ``--power`` the kill is a loss of power: what the server had not flushed by then
is taken from its files (see :mod:`tests.faults.power`).  ``--states`` looks at so many
more files than one that the same loss could have left.

``--without`` takes one of the server's precautions out (see :mod:`tests.faults.broken`)
and is how the test is tested: it has to end with messages lost.  The exit status is 0
only if every promise was kept.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .broken import PRECAUTIONS
from .ledger import Ledger, Verdict, judge
from .load import Load, read_everything
from .power import Recording, files_below, lose, record
from .subject import Subject

SMTP_CLIENTS = 8
IMAP_CLIENTS = 4
#: Seconds of load before the kill.
EARLIEST, LATEST = 0.05, 1.5


@dataclass(frozen=True)
class Plan:
    """What to do.

    :ivar states: file states to look at after each loss of power, at least 1.
    :ivar without: a key of ``PRECAUTIONS``, or ``None`` for the server as it is.
    """

    rounds: int
    power: bool = False
    states: int = 1
    without: str | None = None
    seed: int = 1


class Trial:
    """One server, its clients' ledger, and rounds of kills."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._random = Random(plan.seed)
        self._ledger = Ledger()
        self._subject = Subject(folder / "server", plan.without)
        self._copy = Subject(folder / "copy")
        self._trace = folder / "trace" if plan.power else None
        self.slowest_start = 0.0

    def set_up(self) -> None:
        """A store with its accounts, closed in order."""
        self._subject.set_up()
        self._subject.start()
        self._subject.stop()

    def round(self) -> Verdict:
        """Load, kill, start again, look.  The first fault found is the verdict."""
        existing = files_below(self._subject.data)
        self._subject.start(self._trace)
        load = Load(self._subject.ports, self._ledger, SMTP_CLIENTS, IMAP_CLIENTS)
        load.start()
        time.sleep(self._random.uniform(EARLIEST, LATEST))
        self._subject.kill()
        load.stop()
        if self._trace is not None:
            recording = record(self._subject.data, self._trace, existing)
            for _ in range(1, self._plan.states):
                verdict = self._look_at_a_copy(recording)
                if not verdict.is_clean:
                    return verdict
            lose(recording, self._subject.data)
        return self._look_at(self._subject)

    def _look_at_a_copy(self, recording: Recording) -> Verdict:
        """What another outcome of the same loss would have left."""
        shutil.rmtree(self._copy.data, ignore_errors=True)
        shutil.copytree(
            self._subject.data, self._copy.data, ignore=shutil.ignore_patterns("*.sock")
        )
        lose(recording, self._copy.data, self._random)
        return self._look_at(self._copy)

    def _look_at(self, subject: Subject) -> Verdict:
        self.slowest_start = max(self.slowest_start, subject.start())
        try:
            return judge(self._ledger, read_everything(subject.ports))
        finally:
            subject.stop()

    def end(self) -> None:
        """No process of ours is left."""
        self._subject.kill()
        self._copy.kill()


def run(plan: Plan, folder: Path, tell: Callable[[str], object]) -> Verdict:
    """The verdict of the last round, or of the first that found a fault."""
    trial = Trial(plan, folder)
    try:
        trial.set_up()
        for number in range(1, plan.rounds + 1):
            verdict = trial.round()
            tell(f"round {number}: {verdict}")
            if not verdict.is_clean:
                break
        tell(f"slowest start after a kill: {trial.slowest_start:.2f} s")
    finally:
        trial.end()
    return verdict


def say(line: str) -> None:
    """Print at once, for who watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.kill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--power", action="store_true", help="lose what is unflushed")
    parser.add_argument("--states", type=int, default=1, help="per loss of power")
    parser.add_argument("--without", choices=sorted(PRECAUTIONS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailhub-kill-") as folder:
        verdict = run(Plan(**vars(options)), Path(folder), say)
    say("every promise was kept" if verdict.is_clean else "BROKEN PROMISES")
    return 0 if verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
