"""The exclusive lock of a POP3 session (RFC 1939, section 4)."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable

from ...errors import MailboxInUse
from .schema import storage_faults

_NAME = "maildrops.lock"


class MaildropLocks:
    """Locks that hold in all processes and die with the one that has them.

    All are octets of one file, each at the number of its account, and that file is
    open all the time: a session needs no descriptor for its lock, and gets it also
    where no file can be made any more.

    :param directory: the data directory's ``run``.
    :raises OSError: the file can be neither found nor made.
    """

    def __init__(self, directory: str) -> None:
        self._file = os.open(f"{directory}/{_NAME}", os.O_CREAT | os.O_RDWR, 0o600)
        self._held: set[int] = set()

    def lock(self, account_id: int) -> Callable[[], None]:
        """-> a function that releases the lock; calling it again is harmless

        :raises MailboxInUse: a session here or in another process has it.
        """
        # Here a set, as a lock of ours would not keep ourselves out.
        if account_id in self._held:
            raise MailboxInUse(f"maildrop {account_id} is locked by a session here")
        with storage_faults():
            try:
                _set_lock(self._file, fcntl.F_WRLCK, account_id)
            except (BlockingIOError, PermissionError):
                raise MailboxInUse(f"maildrop {account_id} is locked") from None
        self._held.add(account_id)
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                self._held.discard(account_id)
                if self._file >= 0:
                    _set_lock(self._file, fcntl.F_UNLCK, account_id)

        return release

    def close(self) -> None:
        """Release all of them."""
        os.close(self._file)
        self._file = -1


def _set_lock(descriptor: int, kind: int, place: int) -> None:
    """Lock or unlock the octet at *place*, for whoever has opened the file.

    :raises OSError: somebody else has it.
    """
    # Locks of the other kind belong to the process, and every store in it.
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        unlock = kind == fcntl.F_UNLCK
        mode = fcntl.LOCK_UN if unlock else fcntl.LOCK_EX | fcntl.LOCK_NB
        fcntl.lockf(descriptor, mode, 1, place)
    else:
        lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, place, 1, 0)
        fcntl.fcntl(descriptor, command, lock)
