"""A data folder belongs to one server at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from twisted.logger import Logger

from ..store.sqlite.durable import make_directory
from .worker import StartFailed

#: In the data folder: whose it is.
FOLDER, NAME = "run", "server.pid"
#: A process id, padded: what was there before is overwritten as a whole.
_DIGITS = 20


class FolderInUse(StartFailed):
    """Another server has the data folder."""


class FolderLock:
    """The data folder, locked by the server that it belongs to.

    It is the folder itself that is locked, so that nobody who tidies up in it removes
    the lock.  The system ends the lock with the process, whatever that dies of.
    Programs that this one starts do not inherit it: while the workers of a master
    that was killed finish what they do, another server may take their place.

    :param data: the data folder.
    """

    log = Logger()

    def __init__(self, data: str) -> None:
        self._data = os.path.abspath(data)
        self._lock = -1

    def take_if_there(self) -> None:
        """Take the lock where the folder is there; nothing is made or written.

        For a process with root's rights, in a folder that somebody else may have put
        links into.

        :raises FolderInUse: another server has it.
        """
        if self._lock >= 0:
            return
        try:
            lock = os.open(self._data, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return  # Whoever makes it, or opens the store, tells what is wrong.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            text = f"the data folder {self._data} belongs to {self._holder()}"
            raise FolderInUse(text, is_config=False) from None
        except OSError as error:
            self.log.warn(
                "{folder} cannot be locked against other servers: {error}",
                folder=self._data, error=error,
            )  # fmt: skip
        self._lock = lock

    def take(self) -> None:
        """Make the folder where it is missing, take the lock, and tell whose it is.

        :raises FolderInUse: another server has it.
        :raises OSError: the folder cannot be made.
        """
        make_directory(f"{self._data}/{FOLDER}")
        self.take_if_there()
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
            file = os.open(f"{self._data}/{FOLDER}/{NAME}", flags, 0o600)
            try:
                os.pwrite(file, b"%-*d\n" % (_DIGITS, os.getpid()), 0)
            finally:
                os.close(file)

    def release(self) -> None:
        """Let another server have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _holder(self) -> str:
        try:
            with open(f"{self._data}/{FOLDER}/{NAME}", "rb") as file:
                pid = int(file.read(_DIGITS))
        except (OSError, ValueError):
            return "another server that is running"
        return f"another server that is running: process {pid}"
