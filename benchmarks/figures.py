"""Records put together: one figure for each case and server."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .records import Line, Record


@dataclass(frozen=True, slots=True)
class Figure:
    """All repetitions of one case on one server.

    :ivar cost: median of the server's CPU, in milliseconds.
    :ivar client_share: median share of the machine that the client took.
    """

    median: float
    least: float
    most: float
    unit: str
    count: int
    cost: float | None = None
    client_share: float | None = None
    note: str = ""


#: By workload and case, in the order of the records; then by server.
Figures = Mapping[tuple[str, str], Mapping[str, Figure]]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _figure(records: list[Record]) -> Figure:
    values = [record.value for record in records]
    notes = dict.fromkeys(record.note for record in records if record.note)
    return Figure(
        statistics.median(values),
        min(values),
        max(values),
        records[0].unit,
        len(values),
        _median(record.cost_ms for record in records),
        _median(record.client_share for record in records),
        "; ".join(notes),
    )


def put_together(lines: Iterable[Line]) -> Figures:
    """Figures of all *lines* that are not errors."""
    found: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for line in lines:
        if line.record is not None:
            key = line.record.workload, line.record.case
            found.setdefault(key, {}).setdefault(line.peer, []).append(line.record)
    return {
        key: {peer: _figure(records) for peer, records in by_peer.items()}
        for key, by_peer in found.items()
    }
