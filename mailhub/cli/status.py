"""``mailhub status``: how the running server is."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from .invocation import Invocation
from .outcome import Result
from .running import columns, lasted, running


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=show)


def show(invocation: Invocation) -> Result:
    """JSON: ``version``, ``started`` and ``seconds`` (since then), ``source``,
    ``store``, ``certificate_ends``, ``draining``, ``listeners``, ``services``
    (``open``, ``accepted``, ``turned_away``, ``messages``), and ``workers``
    (``worker``, ``pid``, ``started``, ``restarts``).
    """
    with running(invocation) as server:
        data = server.ask("status")
    started = data["started"]
    data["seconds"] = None if started is None else round(time.time() - started, 3)
    return Result(data, "\n".join(_lines(data)))


def _lines(data: dict[str, Any]) -> list[str]:
    store = data["store"] or {"kind": "unknown", "data": None, "fault": None}
    place = f" in {store['data']}" if store["data"] else ""
    lasts = "not ready" if data["seconds"] is None else f"up {lasted(data['seconds'])}"
    lines = [
        f"mailhub {data['version']}, {'stopping' if data['draining'] else lasts}",
        f"configuration  {data['source'] or 'all defaults'}",
        f"store          {store['kind']}{place}: {store['fault'] or 'works'}",
        f"certificate    until {(data['certificate_ends'] or 'unknown')[:10]}",
    ]
    for each in data["workers"]:
        pid = "does not answer" if each["pid"] is None else f"pid {each['pid']}"
        again = f", started anew {each['restarts']} times" * bool(each["restarts"])
        lines.append(f"process {each['worker']:<6} {pid}{again}")
    rows: list[tuple[object, ...]] = [
        ("service", "open", "accepted", "turned away", "messages", "listens on")
    ]
    for service, counts in data["services"].items():
        places = ", ".join((data["listeners"] or {}).get(service, ()))
        rows.append(
            (
                service, counts["open"], counts["accepted"], counts["turned_away"],
                counts["messages"], places,
            )
        )  # fmt: skip
    return [*lines, "", *columns(rows)]
