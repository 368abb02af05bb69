"""What the programs of this folder have in common: options, criteria, exit status."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .careless import PRECAUTIONS
from .kill import conclude, say


@dataclass
class Results:
    """What came of a test.

    :ivar criteria: what has to hold, with its figures, and whether it did.
    :ivar faults: what was seen to go wrong, a line each.
    """

    criteria: dict[str, bool] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def expect(self, text: str, is_met: bool) -> None:
        """Add a criterion."""
        self.criteria[text] = bool(is_met)

    @property
    def held(self) -> bool:
        """Whether all was as it has to be."""
        return bool(self.criteria) and all(self.criteria.values())


#: A test: its options, a folder of its own, and what hears of its progress.
Run = Callable[[argparse.Namespace, Path, Callable[[str], object]], Results]


def perform(
    module: str,
    text: str | None,
    run: Run,
    *,
    without: Iterable[str] = (),
    options: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
) -> int:
    """The command line of a program.  -> its exit status

    :param module: its name in this package, and *text* its docstring.
    :param without: the keys of ``careless.PRECAUTIONS`` that it should notice.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m tests.faults.{module}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--short", action="store_true", help="in some seconds")
    choices = sorted(without)
    unknown = [each for each in choices if each not in PRECAUTIONS]
    if unknown:
        raise KeyError(unknown[0])
    if choices:
        parser.add_argument("--without", choices=choices, help="take one thing out")
    else:
        parser.set_defaults(without=None)
    options(parser)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=f"mailhub-{module}-") as folder:
        results = run(chosen, Path(folder), say)
    return conclude(results.criteria, results.faults)


def end(status: int) -> None:
    """End the program, whatever threads still wait for a server."""
    sys.stdout.flush()
    sys.exit(status)
