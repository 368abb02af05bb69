"""The exclusive lock of a POP3 session (RFC 1939, section 4)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from ...errors import MailboxInUse
from .schema import storage_faults


class MaildropLocks:
    """Locks that hold in all processes and die with the one that has them.

    :param directory: the data directory's ``run``.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._held: set[int] = set()

    def lock(self, account_id: int) -> Callable[[], None]:
        """-> a function that releases the lock; calling it again is harmless

        :raises MailboxInUse: a session here or in another process has it.
        """
        # Here a set, as a lock of ours would not keep ourselves out.
        if account_id in self._held:
            raise MailboxInUse(f"maildrop {account_id} is locked by a session here")
        path = f"{self._directory}/maildrop-{account_id}.lock"
        with storage_faults():
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise MailboxInUse(f"maildrop {account_id} is locked") from None
        self._held.add(account_id)
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                self._held.discard(account_id)
                os.close(descriptor)

        return release
