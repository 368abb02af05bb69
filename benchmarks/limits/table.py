"""All limits of the machine, as records."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ..peers.base import Place, run
from ..plan import Plan
from ..records import Record
from . import flushes, loopback
from .echo import echo

Try = Callable[[Path, float], float]

#: Name, unit, and what is tried.
LIMITS: tuple[tuple[str, str, Try], ...] = (
    ("append 4 KiB, fsync", "1/s", flushes.append_fsync),
    ("append 4 KiB, fdatasync", "1/s", flushes.append_fdatasync),
    ("overwrite 4 KiB, fdatasync", "1/s", flushes.overwrite_fdatasync),
    ("append 4 KiB, fsync, 10 threads", "1/s", flushes.append_fsync_threads),
    ("new file of 4 KiB, fsync, rename", "1/s", flushes.new_files),
    *(
        (
            f"log: {group} of 5 KB per fdatasync",
            "msg/s",
            partial(flushes.log_groups, group=group),
        )
        for group in (1, 10, 100)
    ),
    *(
        (
            f"SQLite: {group} of 5 KB per commit",
            "msg/s",
            partial(flushes.sqlite_groups, group=group),
        )
        for group in (1, 10, 100)
    ),
    ("loopback, in clear", "MB/s", loopback.in_clear),
    ("loopback, TLS 1.3", "MB/s", loopback.over_tls),
)
#: What each bare server is run with: an environment's name in a ``Place``.
SERVERS = {
    "epoll": "peers",
    "asyncio": "peers",
    "uvloop": "peers",
    "twisted": "mailhub",
}


def limits(place: Place, plan: Plan) -> Iterator[Record]:
    """Try everything once."""
    folder = place.folder / "limits"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(
        "openssl", "req", "-x509", "-nodes", "-newkey", "ec",
        "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=bench.test",
        "-keyout", folder / "key.pem", "-out", folder / "certificate.pem",
    )  # fmt: skip
    for name, unit, attempt in LIMITS:
        yield Record("limits", name, attempt(folder, plan.limit), unit)
    for kind, environment in SERVERS.items():
        if environment not in place.programs:
            continue
        python = place.programs[environment] / "bin" / "python"
        for together in (1, 10):
            rate, each = echo(python, kind, place.port + 60, plan.limit, together)
            name = f"echo, {kind}, lines in a packet: {together}"
            yield Record("limits", name, rate, "lines/s")
            yield Record("limits", f"{name}: CPU of a line", each, "us")
    shutil.rmtree(folder, ignore_errors=True)
