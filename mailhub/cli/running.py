"""What commands about a running server have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..admin.client import Server, find
from ..config.faults import ConfigError
from .invocation import Invocation
from .outcome import Exit, Failure

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SIZES = ("", "Ki", "Mi", "Gi", "Ti")


def running(invocation: Invocation) -> Server:
    """The server.

    :raises Failure: none runs, or none that listens to this user.
    """
    try:
        data = invocation.config().server.data
    except ConfigError as error:
        if error.data is None:
            raise
        data = error.data
    server = find(data)
    if server is None:
        text = f"no server runs with the data folder {data}, or it is not yours"
        raise Failure(Exit.UNAVAILABLE, text)
    return server


def lasted(seconds: float) -> str:
    """A time as people say it: ``3 d 4 h``."""
    left, parts = int(seconds), list[str]()
    for length, unit in _UNITS:
        number, left = divmod(left, length)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])


def size(octets: int | None) -> str:
    """Octets as people say them: ``1.4 MiB``."""
    if octets is None:
        return "-"
    value, place = float(octets), 0
    while value >= 1024 and place < len(_SIZES) - 1:
        value, place = value / 1024, place + 1
    return f"{value:.1f} {_SIZES[place]}B" if place else f"{octets} B"


def columns(rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines in which the cells of *rows* stand below each other."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]
