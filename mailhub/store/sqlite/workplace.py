"""The data directory: what lies where, and who is at work in it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import suppress

from . import durable
from .schema import FILE_NAME


class Workplace:
    """The places in a data directory, and this process's own corner of it.

    :ivar database: the database file.
    :ivar blobs: large bodies.
    :ivar run: sockets and locks of processes that live.
    :ivar temporary: for this process's temporary files; what is left there is
        removed by the next one that opens the store.
    """

    def __init__(self, directory: str) -> None:
        self.directory = os.path.abspath(directory)
        self.database = f"{self.directory}/{FILE_NAME}"
        self.blobs = f"{self.directory}/blobs"
        self.run = f"{self.directory}/run"
        self._corners = f"{self.directory}/tmp"
        self.temporary = ""
        self._lock = -1

    def open(self) -> None:
        """Make what is missing, remove what the dead left behind.

        :raises OSError:
        """
        for path in (self.directory, self.run, self._corners):
            durable.make_directory(path)
        for name in os.listdir(self._corners):
            self._remove_if_stale(f"{self._corners}/{name}")
        while not self.temporary:
            self._settle(f"{self._corners}/{os.getpid()}-{secrets.token_hex(4)}")

    def _settle(self, corner: str) -> None:
        """Make *corner* and lock it, which shows that its process lives."""
        os.mkdir(corner, 0o700)
        with suppress(FileNotFoundError):
            self._lock = os.open(corner, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            # Somebody may have taken it for stale before it was locked.
            if os.path.isdir(corner):
                self.temporary = corner
                return
            os.close(self._lock)

    def _remove_if_stale(self, corner: str) -> None:
        try:
            lock = os.open(corner, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(corner, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)

    def close(self) -> None:
        """Leave the corner; what somebody still uses there stays a while."""
        if self.temporary:
            with suppress(OSError):
                os.rmdir(self.temporary)
            os.close(self._lock)
            self.temporary = ""
