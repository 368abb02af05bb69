"""What mailhub wants to reach, as comparisons of measured figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from .figures import Figure, Figures


class Kind(Enum):
    """How figures are compared with a bound.

    ``RATE``: ours divided by theirs, at least.  ``COST``: their CPU divided by ours,
    at least.  ``MOST``: our figure, at most.  ``GROWTH``: our figure in the case
    divided by that of the case before, at most.
    """

    RATE = "times"
    COST = "times less CPU"
    MOST = "at most"
    GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Goal:
    """One of them.

    :ivar ours: the server whose figure it is; *theirs* is compared with, and *before*
        is the case that growth begins with.
    """

    workload: str
    case: str
    kind: Kind
    bound: float
    ours: str = "mailhub-2"
    theirs: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a goal.

    :ivar reached: in the goal's own terms; ``None`` where it was not measured.
    """

    goal: Goal
    ours: float | None
    theirs: float | None
    reached: float | None

    @property
    def is_met(self) -> bool | None:
        if self.reached is None:
            return None
        if self.goal.kind in (Kind.MOST, Kind.GROWTH):
            return self.reached <= self.goal.bound
        return self.reached >= self.goal.bound


def _delivery() -> Iterator[Goal]:
    for kind, times in (("plain", 12), ("mix", 8)):
        for at_once in (10, 50):
            for each in (1, 20):
                case = f"{kind}, {at_once} at once, {each} on each"
                peer = "postfix-dovecot"
                yield Goal("w1", case, Kind.RATE, times, theirs=peer)
                yield Goal("w1", case, Kind.COST, 12, theirs=peer)


def _relaying() -> Iterator[Goal]:
    for kind in ("plain", "mix"):
        for at_once in (10, 50):
            for each in (1, 20):
                case = f"{kind}, {at_once} at once, {each} on each"
                yield Goal("w2", case, Kind.RATE, 3, theirs="postfix-dovecot")


def _reading() -> Iterator[Goal]:
    for service, times in (("IMAP", 1), ("IMAPS", 2), ("POP3", 1), ("POP3S", 2)):
        case = f"download by {service}"
        yield Goal("w6", case, Kind.RATE, times, theirs="dovecot")
    case = "short IMAP sessions, 50 at once"
    yield Goal("w4", case, Kind.RATE, 1, theirs="dovecot-tuned")
    yield Goal("w6", "TLS handshakes, 8 at once", Kind.RATE, 3, theirs="dovecot")


def _idle() -> Iterator[Goal]:
    for name, most in (("in clear", 8), ("over TLS", 36)):
        yield Goal("w4", f"memory of an idle connection {name}", Kind.MOST, most)
        yield Goal("w4", f"wake-up {name}, p99", Kind.MOST, 1000)
        yield Goal("w4", f"CPU of idle connections {name}", Kind.MOST, 2)


def _growth() -> Iterator[Goal]:
    for place in ("{} stored", "beside {}"):
        for name in ("delivery", "SELECT", "FETCH of one message"):
            before = f"{name}, {place.format('1,000')}"
            for size in ("100,000", "1,000,000"):
                case = f"{name}, {place.format(size)}"
                yield Goal("wn", case, Kind.GROWTH, 2, ours="mailhub", before=before)


GOALS = (*_delivery(), *_relaying(), *_reading(), *_idle(), *_growth())


def outcome(goal: Goal, figures: Figures) -> Outcome:
    """What the figures say about *goal*."""
    by_peer = figures.get((goal.workload, goal.case), {})
    ours, theirs = _pair(goal, by_peer, figures)
    mine = _value(goal, ours)
    other = _value(goal, theirs)
    reached = mine
    if goal.kind is not Kind.MOST:
        reached = None
        if mine and other:
            reached = mine / other if goal.kind is not Kind.COST else other / mine
        if reached and goal.kind is Kind.GROWTH and ours and ours.unit == "msg/s":
            reached = 1 / reached
    return Outcome(goal, mine, other, reached)


def _pair(
    goal: Goal, by_peer: Mapping[str, Figure], figures: Figures
) -> tuple[Figure | None, Figure | None]:
    if goal.before:
        before = figures.get((goal.workload, goal.before), {})
        return by_peer.get(goal.ours), before.get(goal.ours)
    return by_peer.get(goal.ours), by_peer.get(goal.theirs)


def _value(goal: Goal, figure: Figure | None) -> float | None:
    if figure is None:
        return None
    return figure.cost if goal.kind is Kind.COST else figure.median
