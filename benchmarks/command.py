"""The command line."""

from __future__ import annotations

import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from .machine import description, interpreter
from .peers.base import CannotStart, Place
from .peers.table import PEERS, make_peer
from .plan import FULL, QUICK
from .preparing import check, install, make_environments
from .records import append, read
from .report import report
from .turns import Turns
from .workloads.table import WORKLOADS

WORK = Path("/var/tmp/mailhub-benchmarks")
RECORDS, REPORT, ABOUT = "records.jsonl", "report.rst", "about.txt"
ALL = ("limits", *WORKLOADS)


def parser() -> ArgumentParser:
    """What can be asked for."""
    found = ArgumentParser(
        prog="python -m benchmarks",
        description="Measure mailhub beside other mail servers.  Needs root.",
    )
    size = found.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="all of it (the default)")
    size.add_argument("--quick", action="store_true", help="about three minutes")
    found.add_argument(
        "--install", action="store_true", help="install or unpack missing packages"
    )
    found.add_argument(
        "--workloads", type=_names, default=ALL, help=f"of {','.join(ALL)}"
    )
    found.add_argument(
        "--peers",
        type=_names,
        default=(),
        help=f"of {','.join(PEERS)}, or files that describe others",
    )
    found.add_argument("--reps", type=int, help="turns of every server")
    found.add_argument(
        "--output", type=Path, help="folder of records and report; may have older ones"
    )
    found.add_argument(
        "--work", type=Path, default=WORK, help=f"folder of servers, default {WORK}"
    )
    found.add_argument("--port", type=int, default=24_000, help="the base port")
    found.add_argument(
        "--report", action="store_true", help="only write the report once more"
    )
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def main(arguments: list[str] | None = None) -> int:
    """Do it; the exit status."""
    found = parser()
    options = found.parse_args(arguments)
    unknown = set(options.workloads) - set(ALL)
    unknown |= {each for each in options.peers if not each.endswith(".json")} - set(
        PEERS
    )
    if unknown:
        found.error(f"unknown: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped
    output = options.output or Path(time.strftime("benchmarks-%Y%m%d-%H%M%S"))
    output.mkdir(parents=True, exist_ok=True)
    try:
        if not options.report:
            _measure(options, output)
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _write_report(output)
    return 0


def _measure(options: Namespace, output: Path) -> None:
    options.work.mkdir(parents=True, exist_ok=True)
    if options.install:
        install(options.work)
    check(options.work)
    programs = make_environments(options.work)
    plan = QUICK if options.quick else FULL
    if options.reps:
        plan = replace(plan, repetitions=options.reps)
    place = Place(options.work / "servers", options.port, programs)
    _write_about(place, output)
    turns = Turns(place, plan, lambda line: append(output / RECORDS, line))
    for name in options.workloads:
        if name == "limits":
            turns.limits()
        else:
            turns.workload(name, options.peers)


def _write_about(place: Place, output: Path) -> None:
    """What was measured and where, for the report."""
    lines = description(place.folder.parent)
    lines += [
        f"mailhub's interpreter: {line}"
        for line in interpreter(place.programs["mailhub"] / "bin" / "python")
    ]
    lines += [f"{name}: {make_peer(name, place).version()}" for name in PEERS]
    (output / ABOUT).write_text("\n".join(lines) + "\n")


def _write_report(output: Path) -> None:
    about = output / ABOUT
    lines = about.read_text().splitlines() if about.exists() else []
    text = report(read([output / RECORDS]), lines)
    (output / REPORT).write_text(text)
    sys.stdout.write(text)
