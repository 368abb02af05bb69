"""What the writer does between changes: checkpoints and removing garbage."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from ..measures import Measures
from . import purge
from .change import Change
from .files import BlobFiles
from .schema import storage_faults, transaction

#: Octets in the write-ahead log after which a checkpoint cannot wait for a
#: pause.  Readers search the log first, so it should not become long.
_LONG_LOG = 8 * 1024 * 1024

#: Octets in the log that a short pause is used for.
_WORTHWHILE = 1024 * 1024

#: Roughly what a change without content adds to the log.
_PER_CHANGE = 16 * 1024

#: Seconds without work that make a pause, and a long one.
_PAUSE, _LONG_PAUSE = 0.1, 30.0

#: Seconds of work without a pause after which garbage is removed all the same.
_OVERDUE = 10.0

#: Milliseconds to wait for the others when the rest of a log is copied.
_CATCH_UP = 100


class Upkeep:
    """Keeps account of what should be done, and does it.

    :param now: seconds since the epoch.
    :ivar written: octets of content put into the log since the last checkpoint.
    :ivar patience: seconds to wait for work before the next :meth:`run`.
    :ivar measures: where checkpoints are counted.
    """

    def __init__(
        self,
        files: BlobFiles,
        now: Callable[[], float],
        measures: Measures | None = None,
    ) -> None:
        self._files = files
        self._now = now
        self._last_pause = time.monotonic()
        self._unswept = 256
        self.written = 0
        self.patience = _PAUSE
        self.measures = measures or Measures()

    def configure(self, connection: sqlite3.Connection) -> None:
        """Set what the writer's connection needs."""
        connection.execute("pragma wal_autocheckpoint=0")
        # Dirty pages stay in memory until the commit.
        connection.execute("pragma cache_size=-32768")
        connection.execute("pragma journal_size_limit=67108864")

    def run(self, connection: sqlite3.Connection, idle: bool) -> None:
        """Do one thing, if it is time.

        :param idle: no work came for :attr:`patience` seconds.
        :raises LocalFault:
        """
        with storage_faults():
            if not idle:
                self._between_work(connection)
                return
            self._last_pause = time.monotonic()
            enough = 0 if self.patience == _LONG_PAUSE else _WORTHWHILE
            self.patience = _LONG_PAUSE  # Also if this fails.
            if self.written > enough:
                self._checkpoint(connection)
            if self._tidy(connection):
                self.patience = 0.0

    def _between_work(self, connection: sqlite3.Connection) -> None:
        self.written += _PER_CHANGE
        self.patience = _PAUSE
        if self.written > _LONG_LOG:
            self._checkpoint(connection)
        if time.monotonic() - self._last_pause > _OVERDUE:
            self._last_pause = time.monotonic()
            self._tidy(connection)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        began = time.monotonic()
        # This waits for nobody, and copies nearly everything.
        connection.execute("pragma wal_checkpoint(passive)").fetchall()
        # What others have written meanwhile is copied while all wait, so that the log
        # begins anew: it would grow for as long as two processes write in turns, and
        # each commit would wait for the file system to note its new size.
        connection.execute(f"pragma busy_timeout={_CATCH_UP}")
        connection.execute("pragma wal_checkpoint(restart)").fetchall()
        connection.execute("pragma busy_timeout=0")
        self.measures.checkpoints.add(time.monotonic() - began)
        self.written = 0

    def _tidy(self, connection: sqlite3.Connection) -> bool:
        """Remove one piece of garbage.  -> whether there may be more"""
        if self._unswept:
            self._unswept -= 1
            with transaction(connection):
                purge.sweep(Change(connection, self._files, self._now()), self._unswept)
            return True
        if not purge.has_work(connection, self._now()):
            return False
        with transaction(connection):
            purge.step(Change(connection, self._files, self._now()))
        self.written += _PER_CHANGE
        return True
