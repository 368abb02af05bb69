"""Lose power at many moments of a queue's life, in many ways::

    python -m tests.faults.queue_power
    python -m tests.faults.queue_power --states 60 --messages 20
    python -m tests.faults.queue_power --without commit-flush

The same as :mod:`tests.faults.power` for what waits to leave: strace(1) records
:mod:`tests.faults.queue_life`, and at many moments of the recording the power fails.
Each message has then to be where its last step that was answered for has left it, or
where the one that was begun leaves it, wholly; its octets have to be right, and
``mailhub verify`` finds no fault.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.task import react

from .broken import PRECAUTIONS
from .disk import Disk
from .kill import conclude
from .losses import LOSSES, build, pending
from .power import quick
from .queue_life import state_after, states_of
from .subject import ROOT
from .trace import Call, read, strace
from .verifying import verify_folder


@dataclass
class Recording:
    """What was recorded.

    :ivar folder: the data folder.
    :ivar steps: moments, messages and steps of what was begun and of what was
        answered for.
    """

    folder: str
    calls: list[Call] = field(default_factory=list)
    begun: list[tuple[int, int, int]] = field(default_factory=list)
    ended: list[tuple[int, int, int]] = field(default_factory=list)

    def legal(self, moment: int) -> dict[int, range]:
        """After which steps a message may be seen at *moment*."""
        least, most = Counter[int](), Counter[int]()
        for counter, steps in ((least, self.ended), (most, self.begun)):
            for at, number, step in steps:
                if at <= moment:
                    counter[number] = max(counter[number], step)
        return {number: range(least[number], most[number] + 1) for number in most}


@dataclass
class Results:
    """What came of it: counts by loss, and faults, a line each."""

    looked: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    answers: int = 0


def record(home: Path, messages: int, without: str | None = None) -> Recording:
    """Let a queue live twice: once to its orderly end, once until it is killed."""
    data, story, trace = home / "data", home / "story", home / "trace"
    half = messages // 2
    for first, last in ((0, half), (half, messages)):
        subprocess.run(
            [
                *strace(trace), sys.executable, "-m", "tests.faults.queue_life",
                str(data), str(story), str(first), str(last),
                *([without] if without else []),
            ],
            cwd=ROOT, check=True, capture_output=True,
        )
    recording = Recording(str(data))
    with open(trace) as lines:
        recording.calls = list(read(lines))
    for call in recording.calls:
        if call.name == "write" and call.file == str(story):
            word, number, step = call.data.split()
            steps = recording.begun if word == b"begin" else recording.ended
            at = call.began if word == b"begin" else call.moment
            steps.append((at, int(number), int(step)))
    return recording


async def examine(
    recording: Recording, folder: Path, reactor: Any, states: int, seed: int = 1
) -> Results:
    """Lose power at moments of *recording*; *folder* is scratch."""
    random = Random(seed)
    results = Results(answers=len(recording.ended))
    moments = _moments(recording, -(-states // len(LOSSES)), random)
    disk = Disk(recording.folder)
    for call in recording.calls:
        while moments and call.moment > moments[0]:
            moment = moments.pop(0)
            await _lose(recording, moment, disk, folder, reactor, results, random)
        disk.follow(call)
    for moment in moments:
        await _lose(recording, moment, disk, folder, reactor, results, random)
    return results


def _moments(recording: Recording, number: int, random: Random) -> list[int]:
    """A half just after answers, the others anywhere."""
    answers = [moment for moment, _, _ in recording.ended]
    calls = [
        call.moment
        for call in recording.calls
        if call.is_change_below(recording.folder)
    ]
    chosen = random.choices(answers, k=number // 2)
    return sorted(chosen + random.choices(calls, k=number - len(chosen)))


async def _lose(
    recording: Recording, moment: int, disk: Disk, folder: Path, reactor: Any,
    results: Results, random: Random,
) -> None:
    changes = pending(disk)
    legal = recording.legal(moment)
    for name, loss in LOSSES.items():
        left = folder / "left"
        build(disk, loss(changes, random), left, random)
        found, faults = await states_of(str(left), reactor)
        faults += verify_folder(left)
        for number in sorted(legal.keys() | found.keys()):
            state = found.get(number, frozenset())
            steps = legal.get(number, range(1))
            if all(state != state_after(number, step) for step in steps):
                faults.append(f"message {number}: {sorted(state)} after {steps}")
        shutil.rmtree(left)
        results.looked[name] += 1
        results.faults += [f"{name} at {moment}: {fault}" for fault in faults[:3]]


async def _main(reactor: Any, options: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="mailhub-queue-") as home,
        tempfile.TemporaryDirectory(prefix="mailhub-power-", dir=quick()) as folder,
    ):
        recording = record(Path(home), options.messages, options.without)
        results = await examine(
            recording, Path(folder), reactor, options.states, options.seed
        )
    text = (
        f"{results.looked.total()} states, {results.answers} answers: lost 0, corrupt"
        " 0, in part 0"
    )
    held = not results.faults and results.answers > 0
    raise SystemExit(conclude({text: held}, results.faults))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.queue_power",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--states", type=int, default=1200)
    parser.add_argument("--messages", type=int, default=60)
    parser.add_argument("--without", choices=sorted(PRECAUTIONS))
    parser.add_argument("--seed", type=int, default=1)
    react(_main, [parser.parse_args()])


if __name__ == "__main__":
    main()
