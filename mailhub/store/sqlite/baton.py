"""A nudge for processes that wait for their turn at writing.

SQLite lets one process write at a time and leaves the others to look again and again.
Looking often costs more than the work of a small commit; looking seldom leaves the
database idle.  So who has committed writes an octet into a pipe that all of them
have open, and who waits is woken by it.  The pipe promises nothing: SQLite's lock
decides, and who misses the nudge looks again soon anyway.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress

_NAME = "turn"
#: Octets read at once: more nudges than processes could be waiting for.
_ALL = 4096


class Baton:
    """One process's end of the pipe; used by one thread.

    :param directory: the data directory's ``run``.
    :raises OSError: the pipe can be neither found nor made.
    """

    def __init__(self, directory: str) -> None:
        path = f"{directory}/{_NAME}"
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # For both directions, so that it opens at once and never ends.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)

    def forget(self) -> None:
        """Ignore what was passed on until now."""
        with suppress(BlockingIOError):
            os.read(self._pipe, _ALL)

    def wait(self, seconds: float) -> None:
        """Until another process has passed it on, or *seconds* are over."""
        if self._poll.poll(seconds * 1000):
            # Another one that waits may have been faster.
            self.forget()

    def pass_on(self) -> None:
        """Somebody else may write now."""
        # Full: nobody has waited for long.
        with suppress(BlockingIOError):
            os.write(self._pipe, b".")

    def close(self) -> None:
        """Wait no more."""
        os.close(self._pipe)
