"""Which schedulers of a data folder are alive: what the dead had is free at once."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress


class Keepers:
    """A folder with a file for each scheduler, locked for as long as it lives.

    The system ends the locks of a process that dies, whatever it dies of.

    :param folder: on this machine; made where it is missing.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = ""
        self._lock = -1

    def enter(self, name: str) -> None:
        """Show that the scheduler *name* is alive.

        :raises OSError: that cannot be shown.
        """
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._path = f"{self._folder}/{name}"
        while self._lock < 0:
            lock = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Somebody may have taken it for dead before it was locked.
            if os.path.exists(self._path):
                self._lock = lock
            else:
                os.close(lock)

    def dead(self) -> list[str]:
        """The names of schedulers that have died.

        :raises OSError: nobody can tell.
        """
        return [name for name in os.listdir(self._folder) if self._is_dead(name)]

    def forget(self, name: str) -> None:
        """Nothing is lent to the scheduler *name* any more.

        :raises OSError:
        """
        with suppress(FileNotFoundError):
            os.unlink(f"{self._folder}/{name}")

    def leave(self, is_clean: bool) -> None:
        """The scheduler ends.

        :param is_clean: whether it has given back everything.
        """
        if self._lock >= 0:
            if is_clean:
                with suppress(OSError):
                    os.unlink(self._path)
            os.close(self._lock)
            self._lock = -1

    def _is_dead(self, name: str) -> bool:
        path = f"{self._folder}/{name}"
        if path == self._path:
            return False
        try:
            lock = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True
