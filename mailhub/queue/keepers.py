"""Which schedulers of a data folder are alive: what the dead had is free at once."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress

#: What is noted of an attempt that begins: the token of its lease.
_TOKEN = struct.Struct("<Q")
#: Attempts that are noted at a time; they are as many as end at the same time, too.
MAX_NOTED = 8192


class Begun:
    """The attempts that a process has begun, noted where others find them if it dies.

    The file is not flushed: what has been written outlives a process, and a machine
    that loses its power does so for no fault of a message.  Nothing is noted before
    there is a file.
    """

    def __init__(self) -> None:
        self._file = -1
        self._used = 0
        self._free: list[int] = []

    def use(self, file: int) -> None:
        """Note them in *file* from now on; -1: nowhere."""
        self._file = file

    def add(self, token: int) -> int:
        """Note an attempt.  -> its place, -1 for none"""
        if self._file < 0 or not self._free and self._used == MAX_NOTED:
            return -1
        if self._free:
            place = self._free.pop()
        else:
            place = self._used
            self._used += 1
        with suppress(OSError):
            os.pwrite(self._file, _TOKEN.pack(token), place * _TOKEN.size)
        return place

    def remove(self, place: int) -> None:
        """An attempt has ended, and that is durable.

        Its token stays until another needs the place: nobody has that lease any more.
        """
        if place >= 0:
            self._free.append(place)


class Keepers:
    """A folder with a file for each scheduler, locked for as long as it lives.

    The system ends the locks of a process that dies, whatever it dies of.

    :param folder: on this machine; made where it is missing.
    :ivar begun: where this scheduler notes what it begins.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = ""
        self._lock = -1
        self.begun = Begun()

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
        self.begun.use(self._lock)

    def dead(self) -> list[str]:
        """The names of schedulers that have died.

        :raises OSError: nobody can tell.
        """
        return [name for name in os.listdir(self._folder) if self._is_dead(name)]

    def begun_by(self, name: str) -> frozenset[int]:
        """Tokens of leases that the scheduler *name* was doing something for when it
        died, and of older ones that nobody has any more.

        :raises OSError:
        """
        with open(f"{self._folder}/{name}", "rb") as file:
            data = file.read(MAX_NOTED * _TOKEN.size)
        whole = len(data) // _TOKEN.size * _TOKEN.size
        return frozenset(token for (token,) in _TOKEN.iter_unpack(data[:whole]))

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
            self.begun.use(-1)
            with suppress(OSError):
                if is_clean:
                    os.unlink(self._path)
                else:
                    # What was cut off is no fault of a message.
                    os.ftruncate(self._lock, 0)
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
