"""Figures as the text that Prometheus reads: its own format, and OpenMetrics.

Nothing of this runs unless somebody asks, and adding up processes has to be done
here in any case; so no client library stands between the figures and the text.

The formats: https://prometheus.io/docs/instrumenting/exposition_formats/ (version
0.0.4) and OpenMetrics 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from .families import FAMILIES, Family, Kind
from .merging import Figures, Series

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def content_type(accept: str) -> str:
    """The format for a client that sends *accept* as its Accept header.

    Whoever knows OpenMetrics says so; nobody else is surprised by it.
    """
    return OPENMETRICS if "application/openmetrics-text" in accept else TEXT


def render(figures: Figures, form: str = TEXT) -> bytes:
    """*figures* in one of the two formats."""
    lines: list[str] = []
    for name, family in FAMILIES.items():
        series = figures.get(name)
        if series:
            lines += _family(family, series, form)
    if form == OPENMETRICS:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _family(family: Family, series: Series, form: str) -> Iterator[str]:
    name = family.name
    if form == OPENMETRICS and family.kind is Kind.COUNTER:
        name = name.removesuffix("_total")
    meaning = " ".join(family.meaning.split()).translate(_HELP_ESCAPES)
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {family.kind.value}"
    for values in sorted(series):
        pairs = list(zip(family.shown_labels, values, strict=True))
        if family.kind is Kind.HISTOGRAM:
            yield from _histogram(family, pairs, series[values])
        else:
            yield f"{family.name}{_labels(pairs)} {_number(series[values])}"


def _histogram(
    family: Family, pairs: list[tuple[str, str]], value: Any
) -> Iterator[str]:
    counts, total = value
    bounds = [*map(_number, map(float, family.bounds)), "+Inf"]
    for bound, count in zip(bounds, accumulate(counts), strict=True):
        yield f"{family.name}_bucket{_labels([*pairs, ('le', bound)])} {count}"
    yield f"{family.name}_sum{_labels(pairs)} {_number(total)}"
    yield f"{family.name}_count{_labels(pairs)} {sum(counts)}"


def _labels(pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return (
        "{" + ",".join(f'{k}="{v.translate(_ESCAPES)}"' for k, v in pairs) + "}"
    )


def _number(value: float) -> str:
    """In full: a time stamp in exponents loses its seconds."""
    return repr(value)
