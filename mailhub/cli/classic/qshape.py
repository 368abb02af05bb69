"""``qshape``: how much waits for which domain, by age.

::

    qshape [-s] [-p] [-m N] [-b N] [-t MINUTES] [-l] [-w COLUMNS] [QUEUE ...]
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..invocation import Invocation
from ..outcome import Exit, Failure
from ..queue_access import messages
from ..queue_text import NULL_SENDER, state_of
from .options import Takes, read

_LETTERS = dict.fromkeys("slp", Takes.NOTHING) | dict.fromkeys(
    "bctmwnN", Takes.VALUE
)
_TOTAL = "TOTAL"


@dataclass(slots=True)
class Shape:
    """What is asked for.

    :ivar minutes: of the first age.
    :ivar least: subdomains that a parent needs for a line of its own.
    """

    senders: bool = False
    parents: bool = False
    least: int = 5
    ages: int = 10
    minutes: int = 5
    linear: bool = False
    width: int = 80

    @property
    def bounds(self) -> list[int]:
        """Of the ages, in minutes, ascending: one fewer than there are ages."""
        if self.linear:
            return [self.minutes * number for number in range(1, self.ages)]
        return [self.minutes << number for number in range(self.ages - 1)]


_NUMBERS = {"b": "ages", "t": "minutes", "m": "least", "w": "width"}
_FLAGS = {"s": "senders", "p": "parents", "l": "linear"}


def main(invocation: Invocation, arguments: Sequence[str]) -> None:
    """
    :raises Failure: it makes no sense, or the queue cannot be read.
    """
    options, queues = read(arguments, _LETTERS, mixed=True)
    shape = Shape()
    for letter, value in options:
        if letter in _FLAGS:
            setattr(shape, _FLAGS[letter], True)
        elif letter in _NUMBERS:
            setattr(shape, _NUMBERS[letter], _number(letter, value))
    chosen = queues or ["incoming", "active"]
    found = (each for each in messages(invocation) if state_of(each) in chosen)
    counts = count(shape, found, time.time())
    for line in lines(shape, counts):
        invocation.terminal.stdout.write(f"{line}\n")


def _number(letter: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value[:6]) < 10_000):
        raise Failure(Exit.USAGE, f"option -{letter} needs a number")
    return int(value)


def count(
    shape: Shape, found: Iterable[dict[str, object]], now: float
) -> dict[str, Counter[int]]:
    """By domain, and for all of them: how many of each age."""
    counts: dict[str, Counter[int]] = {_TOTAL: Counter()}
    bounds = shape.bounds
    for message in found:
        minutes = (now - message["arrived"]) / 60  # type: ignore[operator]
        age = bisect_right(bounds, minutes)
        for domain in _domains(shape, message):
            counts[_TOTAL][age] += 1
            counts.setdefault(domain, Counter())[age] += 1
    if shape.parents:
        _add_parents(counts, shape.least)
    return counts


def _domains(shape: Shape, message: dict[str, object]) -> Iterator[str]:
    if shape.senders:
        yield _domain(str(message["sender"])) or NULL_SENDER
        return
    recipients: list[dict[str, str]] = message["recipients"]  # type: ignore[assignment]
    for recipient in recipients:
        yield _domain(recipient["address"])


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _add_parents(counts: dict[str, Counter[int]], least: int) -> None:
    below: dict[str, set[str]] = {}
    for domain in counts:
        parent = domain.partition(".")[2]
        while "." in parent:
            below.setdefault(parent, set()).add(domain)
            parent = parent.partition(".")[2]
    for parent, domains in below.items():
        if len(domains) >= least:
            every = [counts[domain] for domain in domains | {parent} & counts.keys()]
            counts[f".{parent}"] = sum(every, Counter())


def lines(shape: Shape, counts: dict[str, Counter[int]]) -> Iterator[str]:
    """The table: a head, the total, and then who has most first."""
    bounds = [str(bound) for bound in shape.bounds]
    heads = ["T", *bounds, f"{bounds[-1]}+" if bounds else "0+"]
    rows = {
        name: [number.total(), *(number[age] for age in range(shape.ages))]
        for name, number in counts.items()
    }
    cells = [[str(figure) for figure in figures] for figures in rows.values()]
    columns = zip(heads, *cells, strict=True)
    widths = [max(2, *map(len, column)) + 1 for column in columns]
    room = max(shape.width - sum(widths), 18)
    yield _line("", room, heads, widths)
    names = sorted(rows, key=lambda name: (name != _TOTAL, -rows[name][0], name))
    for name in names:
        yield _line(_fitting(name, room), room, rows[name], widths)


def _line(
    name: str, room: int, figures: Sequence[object], widths: Sequence[int]
) -> str:
    columns = [f"{figure:>{w}}" for figure, w in zip(figures, widths, strict=True)]
    return f"{name:>{room}}{''.join(columns)}"


def _fitting(name: str, room: int) -> str:
    """A name in so many columns, its end if need be."""
    if len(name) <= room:
        return name
    mark = ".+" if name.startswith(".") else "+"
    return mark + name[-(18 - len(mark)) :]
