"""Descriptors of this process, and how many connections they are enough for."""

from __future__ import annotations

import resource
from contextlib import suppress

#: Descriptors that are not for connections: sockets that listen, the database, the
#: logs, the administration, and some for whoever has been logged in for long.
RESERVE = 64
#: Of the rest, one in so many is left for the files of large messages that
#: connections bring or fetch.
FILES_SHARE = 8


def raise_limit() -> None:
    """Allow the process as many descriptors as the system lets it have.

    The lower limit is for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_possible() -> int:
    """How many connections this process can hold, 1 at least."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    most = soft - RESERVE
    return max(1, most - most // FILES_SHARE)


class Capacity:
    """The connections of all services of a process together.

    Without a descriptor left, nobody could be told so, no message could be stored,
    and nobody could look what is wrong (attack: a storm of connections).

    :ivar most: that may be open.
    :ivar open: now.
    """

    __slots__ = ("most", "open")

    def __init__(self, most: int | None = None) -> None:
        self.most = connections_possible() if most is None else most
        self.open = 0

    @property
    def is_used_up(self) -> bool:
        """Whether one more would be too many."""
        return self.open >= self.most
