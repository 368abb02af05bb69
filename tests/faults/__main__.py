"""Every fault that the server must survive, one program after the other::

    python -m tests.faults
    python -m tests.faults --short
    python -m tests.faults --only kill storm
    python -m tests.faults --controls

Each is a program of its own, with a docstring that tells what it does and what has to
hold.  With ``--controls`` each is run against a server that lacks a precaution, which
it must find out: its exit status must then be 1.  The exit status here is 0 only if
everything was as it has to be.  As root, because some mount file systems.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .kill import say
from .subject import ROOT


@dataclass(frozen=True)
class Program:
    """A test.

    :ivar name: what it is called here.
    :ivar module: in this package.
    :ivar arguments: of its long form, and of its *short* one.
    :ivar control: those that make it end with broken promises.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    short: tuple[str, ...] = ("--short",)
    control: tuple[str, ...] = ()


def _own(module: str, without: str, *arguments: str, name: str = "") -> Program:
    short = (*arguments, "--short")
    control = (*short, "--without", without)
    return Program(name or module, module, arguments, short, control)


PROGRAMS = (
    Program(
        "kill", "kill", ("--rounds", "200"), ("--rounds", "4", "--restarts", "1"),
        ("--rounds", "5", "--without", "order"),
    ),
    Program(
        "kill: workers", "kill", ("--rounds", "60", "--workers", "2"),
        ("--rounds", "4", "--restarts", "1", "--workers", "2"),
    ),
    _own("queue_kill", "row", name="kill: queue"),
    Program(
        "kill: queue, workers", "queue_kill", ("--workers", "2"),
        ("--workers", "2", "--short"),
    ),
    Program(
        "steps", "steps", (),
        ("--every", "9", "--only", "accept: large", "APPEND: small", "MOVE"),
        ("--every", "4", "--only", "MOVE", "--without", "one-move"),
    ),
    Program(
        "power", "power", ("--states", "2800"), ("--states", "60", "--seconds", "0.5"),
        ("--states", "100", "--seconds", "0.5", "--without", "disk"),
    ),
    Program(
        "power: queue", "queue_power", ("--states", "2800"),
        ("--states", "60", "--messages", "30"),
        ("--states", "100", "--without", "commit-flush"),
    ),
    _own("full", "try-again"),
    _own("full", "try-again", "--files", name="full: files"),
    _own("errors", "new-descriptor"),
    _own("readonly", "try-again"),
    _own("storm", "capacity"),
    _own("memory", "streams"),
    _own("poison", "moderation"),
    _own("crash_loop", "notes"),
    _own("nameless", "patience"),
    _own("slow", "lanes"),
    _own("frozen", "deadlines"),
    _own("clock", "steady-clock"),
    Program(
        "clock: workers", "clock", ("--workers", "2"), ("--short", "--workers", "2")
    ),
    _own("strangers", "line-limits"),
    _own("freeze", "threads"),
)  # fmt: skip


@dataclass
class Row:
    """What became of a program."""

    program: Program
    status: int
    wanted: int
    seconds: float
    criteria: int
    broken: int

    @property
    def is_met(self) -> bool:
        """Whether it ended as it has to."""
        return self.status == self.wanted


def run(program: Program, arguments: Sequence[str], wanted: int, folder: Path) -> Row:
    """Run *program*; what it says goes to a file in *folder*."""
    began = time.monotonic()
    path = folder / f"{program.name.replace(': ', '-')}-{wanted}"
    with open(path, "w+") as output:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.faults.{program.module}", *arguments],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )
        output.seek(0)
        lines = output.read().splitlines()
    held = sum(line.startswith("held") for line in lines)
    broken = sum(line.startswith("BROKEN") for line in lines)
    seconds = time.monotonic() - began
    row = Row(program, done.returncode, wanted, seconds, held + broken, broken)
    if not row.is_met:
        say("\n".join(f"    {line}" for line in lines[-40:]))
    return row


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [program.name for program in PROGRAMS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--short", action="store_true", help="some seconds each")
    parser.add_argument("--controls", action="store_true", help="break the server")
    parser.add_argument(
        "--output", type=Path, default=Path(), help="folder for what each says"
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    say(f"{'':16} {'ended':8} {'criteria':>8} {'broken':>6} {'seconds':>8}")
    for program in PROGRAMS:
        if program.name not in options.only:
            continue
        arguments, wanted = program.arguments, 0
        if options.controls:
            arguments, wanted = program.control, 1
        elif options.short:
            arguments = program.short
        if options.controls and not program.control:
            continue
        row = run(program, arguments, wanted, options.output)
        ended = "as due" if row.is_met else f"WITH {row.status}"
        say(
            f"{program.name:16} {ended:8} {row.criteria:8} {row.broken:6}"
            f" {row.seconds:8.0f}"
        )
        rows.append(row)
    return 0 if rows and all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
