"""The figures of several processes as those of one server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .families import FAMILIES, Family, Kind, Merge

#: By label values: a number, or a histogram's counts and sum.
Series = dict[tuple[str, ...], Any]
#: By metric.
Figures = dict[str, Series]


class Totals:
    """Puts figures together so that counters never fall while the server lives.

    A worker that dies takes its counts with it.  Were they missing from the sum, it
    would fall, and Prometheus would take what is left for new events; so the last
    that was heard of every process is kept, and counts on.
    """

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, Figures]] = {}
        self._departed: Figures = {}

    def combine(self, heard: Mapping[str, tuple[int, Mapping[str, Any]]]) -> Figures:
        """All processes' figures together.

        :param heard: by worker, its process id and its samples; workers that did
            not answer are missing, and of them only what never falls is shown.
        """
        combined: Figures = {}
        _merge_into(combined, self._departed)
        for worker, (pid, samples) in heard.items():
            figures = _figures(samples, worker)
            before = self._latest.get(worker)
            if before is not None and before[0] != pid:
                _merge_into(self._departed, before[1])
                _merge_into(combined, before[1])
            self._latest[worker] = pid, _lasting(figures)
            _merge_into(combined, figures)
        for worker in self._latest.keys() - heard.keys():
            _merge_into(combined, self._latest[worker][1])
        return combined


def _figures(samples: Mapping[str, Iterable[Any]], worker: str) -> Figures:
    """*samples* as they come out of JSON, with the worker's label where it counts."""
    found: Figures = {}
    for name, rows in samples.items():
        family = FAMILIES.get(name)
        if family is None:
            continue  # from a worker of another version, just before it ends
        extra = (worker,) if family.merge is Merge.EACH else ()
        found[name] = {(*labels, *extra): value for labels, value in rows}
    return found


def _lasting(figures: Figures) -> Figures:
    """What a process has done, as against what it is."""
    return {
        name: series
        for name, series in figures.items()
        if FAMILIES[name].kind is not Kind.GAUGE
        # The next process in its place has series of the same labels, which begin
        # at nothing, as its counters do.
        and FAMILIES[name].merge is not Merge.EACH
    }


def _merge_into(combined: Figures, figures: Figures) -> None:
    for name, series in figures.items():
        family, target = FAMILIES[name], combined.setdefault(name, {})
        for labels, value in series.items():
            known = target.get(labels)
            target[labels] = value if known is None else _both(family, known, value)


def _both(family: Family, one: Any, other: Any) -> Any:
    if family.kind is Kind.HISTOGRAM:
        counts = [a + b for a, b in zip(one[0], other[0], strict=True)]
        return counts, one[1] + other[1]
    match family.merge:
        case Merge.LEAST:
            return min(one, other)
        case Merge.MOST:
            return max(one, other)
        case _:
            return one + other
