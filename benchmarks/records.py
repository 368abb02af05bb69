"""Measured figures, and the file of JSON lines that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One figure of one case of one workload.

    :ivar case: what was done; equal for all servers that did it.
    :ivar value: the figure, in *unit*.
    :ivar cost_ms: CPU of all processes of the server in milliseconds: per message,
        session or handshake where *value* is a rate of those, else for the whole;
        ``None`` where it was not measured.
    :ivar client_share: CPU of the client, as a share of what all cores had to give
        in that time.
    :ivar note: what differs from the other servers' case, for the report.
    :ivar more: further figures by name, for whoever reads the file.
    """

    workload: str
    case: str
    value: float
    unit: str
    cost_ms: float | None = None
    client_share: float | None = None
    note: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """A record and the turn that it was measured in.

    :ivar error: why there is none, ``""`` where there is.
    """

    peer: str
    repetition: int
    at: str
    record: Record | None = None
    error: str = ""
    workload: str = ""
    speed_ms: float = 0.0
    load: float = 0.0

    @property
    def work(self) -> str:
        """The workload, also of a turn that failed."""
        return self.workload if self.record is None else self.record.workload


def append(path: Path, line: Line) -> None:
    """Add *line* to the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(line)) + "\n")


def read(paths: Iterable[Path]) -> Iterator[Line]:
    """All lines of the files, in their order.

    :raises ValueError: a line is not one of ours.
    """
    for path in paths:
        for text in path.read_text("utf-8").splitlines():
            data = json.loads(text)
            record = data.pop("record")
            try:
                yield Line(**data, record=Record(**record) if record else None)
            except TypeError as error:
                raise ValueError(f"{path}: {error}") from None
