"""The report: tables in reStructuredText."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .figures import Figure, Figures, put_together
from .goals import GOALS, Kind, Outcome, outcome
from .records import Line

#: Titles of the tables, in their order.
TITLES = {
    "w1": "Mail by SMTP into mailboxes",
    "w2": "Mail by SMTP to the next server",
    "w3": "IMAP on a large mailbox",
    "w4": "IMAP sessions, short and idle",
    "w5": "POP3 of a large maildrop",
    "w6": "TLS and bulk",
    "w7": "Start and rest",
    "wn": "Cost and the size of the store",
    "limits": "What the machine can do",
}
#: Whose figures are divided by others', and by whose: of those there are, the first.
OURS = ("mailhub-2", "mailhub")
THEIRS = ("postfix-dovecot", "dovecot")
#: From here on the client may have been the limit, and is told.
BUSY_CLIENT = 0.2


def number(value: float) -> str:
    """Three digits or more, with commas."""
    if value != value:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A simple table; an empty first cell would join rows, so there is none."""
    widths = [
        max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)
    ]
    rule = "  ".join("=" * max(1, width) for width in widths)

    def line(cells: Sequence[str]) -> str:
        padded = (
            (cell or "..").ljust(width)
            for cell, width in zip(cells, widths, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [rule, line(head), rule, *map(line, rows), rule, ""]


def heading(text: str, mark: str) -> list[str]:
    """A title with its underline."""
    return [text, mark * len(text), ""]


def cell(figure: Figure | None) -> str:
    """``median (least-most) [cost]``, and what is remarkable."""
    if figure is None:
        return "-"
    text = number(figure.median)
    if figure.count > 1:
        text += f" ({number(figure.least)}-{number(figure.most)})"
    if figure.cost is not None:
        text += f" [{number(figure.cost)}]"
    if (figure.client_share or 0) > BUSY_CLIENT:
        text += "\\*"
    return text + (f" ({figure.note})" if figure.note else "")


def ratio(by_peer: dict[str, Figure]) -> str:
    """Ours divided by theirs, both named by the columns' order."""
    ours = next((by_peer[name] for name in OURS if name in by_peer), None)
    theirs = next((by_peer[name] for name in THEIRS if name in by_peer), None)
    if ours is None or theirs is None or not theirs.median or theirs.note != ours.note:
        return "-"
    return number(ours.median / theirs.median)


def workload_table(workload: str, figures: Figures) -> list[str]:
    """All cases of a workload, a column for each server."""
    cases = {
        case: dict(by_peer) for (work, case), by_peer in figures.items()
        if work == workload
    }  # fmt: skip
    if not cases:
        return []
    peers = list(dict.fromkeys(peer for by_peer in cases.values() for peer in by_peer))
    columns = len(peers) + (3 if len(peers) > 1 else 2)
    rows = []
    for case, by_peer in cases.items():
        unit = next(iter(by_peer.values())).unit
        cells = [cell(by_peer.get(peer)) for peer in peers]
        rows.append([case, unit, *cells, ratio(by_peer)][:columns])
    head = ["case", "unit", *peers, "ratio"][:columns]
    return [*heading(TITLES.get(workload, workload), "-"), *table(head, rows)]


def goal_row(result: Outcome, figures: Figures) -> list[str]:
    """A row of the goals' table."""
    goal = result.goal
    by_peer = figures.get((goal.workload, goal.case), {})
    unit = by_peer[goal.ours].unit if goal.ours in by_peer else ""
    is_cost, is_bound = goal.kind is Kind.COST, goal.kind is Kind.MOST
    ours, theirs, reached = (
        "-" if value is None else number(value)
        for value in (result.ours, result.theirs, result.reached)
    )
    at = "at most" if is_bound or goal.kind is Kind.GROWTH else "at least"
    return [
        f"{goal.case}: CPU" if is_cost else goal.case,
        "ms" if is_cost else unit,
        goal.ours,
        ours,
        goal.theirs or goal.before or "-",
        theirs,
        "-" if is_bound else reached,
        f"{at} {goal.bound:g}",
        {None: "not measured", True: "met", False: "**not met**"}[result.is_met],
    ]


def goals_table(figures: Figures) -> list[str]:
    """All goals, met or not."""
    rows = [goal_row(outcome(goal, figures), figures) for goal in GOALS]
    head = ["case", "unit", "ours", "figure", "beside", "figure", "ratio", "goal"]
    return [*heading("Goals", "-"), *table([*head, "outcome"], rows)]


def report(lines: Iterable[Line], about: Sequence[str]) -> str:
    """The whole report.

    :param about: lines about machine and programs.
    """
    known = list(lines)
    figures = put_together(known)
    text = [*heading("Figures", "="), *(f"* {line}" for line in about), ""]
    text += [
        "Median (least-most) [server CPU in ms: per message, session or handshake,",
        "else for the whole].  Ratio: mailhub-2, or mailhub where that has no column,",
        "divided by postfix-dovecot or dovecot.  A star: the client took more than",
        f"{BUSY_CLIENT:.0%} of the machine, and may have been the limit.",
        "",
    ]
    for workload in TITLES:
        text += workload_table(workload, figures)
    text += goals_table(figures)
    errors = [line for line in known if line.error]
    if errors:
        text += heading("What failed", "-")
        text += [
            f"* {line.peer}, {line.work}, turn {line.repetition + 1}: {line.error}"
            for line in errors
        ]
    return "\n".join(text) + "\n"
