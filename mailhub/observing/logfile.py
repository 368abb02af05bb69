"""Where the lines of the log go: a file that may be moved away, or a descriptor."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress

#: Octets that are written to a pipe as one, whoever else writes to it (PIPE_BUF).
_WHOLE = 4096
#: Octets that wait at most for a reader who does not read.  More are lost: a log
#: that nobody reads must neither stop the server nor fill its memory.
BACKLOG = 1 << 20
#: Seconds between two looks whether the file was moved away.
_LOOK_SECONDS = 1.0


class Sink:
    """An open descriptor that lines are written to; nothing that fails is raised.

    :param descriptor: is the sink's own from now on.
    :ivar lost: lines that could not be written.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lost = 0
        self._is_pipe = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Write whole lines, or keep them for the next time, or count them lost."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        try:
            while data:
                size = self._piece(data)
                written = os.write(self.descriptor, data[:size])
                data = data[written:]
        except BlockingIOError:
            # The oldest stay: the first of them may be half written.
            end = len(data)
            if end > BACKLOG:
                end = data.rfind(b"\n", 0, BACKLOG) + 1
            self._rest = data[:end]
            self.lost += data.count(b"\n", end)
        except OSError:
            self.lost += data.count(b"\n")

    def reopen(self) -> None:
        """Begin a new file, where this is one."""

    def _piece(self, data: bytes) -> int:
        """How much of *data* to write at once.

        Several processes may share a pipe.  What is longer than it takes as one
        ends with a line, so that lines stay whole.
        """
        if not self._is_pipe or len(data) <= _WHOLE:
            return len(data)
        return data.rfind(b"\n", 0, _WHOLE) + 1 or data.find(b"\n") + 1 or len(data)


class FileSink(Sink):
    """A file by name.  When it has been moved away, a new one is begun.

    :param seconds: a clock that only goes forward.
    :raises OSError: it cannot be opened.
    """

    def __init__(
        self, path: str, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(_open(path))
        self._path = path
        self._seconds = seconds
        self._looked = seconds()

    def write(self, data: bytes) -> None:
        """As for all sinks."""
        now = self._seconds()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            if self._was_moved():
                self.reopen()
        super().write(data)

    def reopen(self) -> None:
        """Begin a new file; the old one goes on if that is not possible."""
        with suppress(OSError):
            descriptor = _open(self._path)
            # The number stays, which another thread may be about to use.
            os.dup2(descriptor, self.descriptor, inheritable=False)
            os.close(descriptor)

    def _was_moved(self) -> bool:
        here = os.fstat(self.descriptor)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
