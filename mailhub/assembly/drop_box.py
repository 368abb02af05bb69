"""The folder where users of this machine leave mail, from their side.

A file there is for its owner only until all of it is on the disk; then the group, which
is the server's, may read it, and that is how the server knows.

Nothing here needs Twisted, so that a program's ``sendmail`` is quick.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress

from ..config.naming import server_name
from ..config.settings import Config
from ..errors import LimitReached, LocalFault, MessageTooLarge, StorageFull
from ..smtp.batch import Batch, write_batch

#: Recipients of one message.
MAX_RECIPIENTS = 10_000
#: Of a file that is being written, and of one that is all there.
WRITING, WHOLE = 0o600, 0o640
#: Octets of a file's name in hexadecimal: nobody but its owner can guess it.
_NAME = 16


class DropBox:
    """Takes mail as it is; who gets it the server finds out.

    :raises LocalFault: the folder is not what a server has made.
    :ivar local_name: what this machine calls itself.
    """

    def __init__(self, config: Config) -> None:
        self._folder = config.local.drop
        self._limits = config.limits
        self.local_name = server_name(config)
        try:
            self._group = os.stat(self._folder).st_gid
            room = os.statvfs(self._folder)
        except OSError as error:
            raise _fault(self._folder, error) from None
        if room.f_bavail * room.f_frsize < self._limits.free_space:
            raise StorageFull(f"{self._folder} is on a volume that is full")

    def leave(self, batch: Batch, pieces: Iterable[bytes]) -> str:
        """Write a file, and return after it is durable.  -> its name

        :raises MailError: there is none.
        """
        if len(batch.recipients) > MAX_RECIPIENTS:
            raise LimitReached(f"more than {MAX_RECIPIENTS} recipients")
        head = write_batch(batch)
        name = secrets.token_hex(_NAME)
        path = os.path.join(self._folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, WRITING)
            try:
                self._write(descriptor, head, pieces)
            except BaseException:
                with suppress(OSError):
                    os.unlink(path)
                raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _fault(self._folder, error) from None
        return name

    def _write(self, descriptor: int, head: bytes, pieces: Iterable[bytes]) -> None:
        if os.fstat(descriptor).st_gid != self._group:
            # The server could not read it.
            text = f"{self._folder} is not what the server has made: no setgid"
            raise LocalFault(text)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(head)
            size = 0
            for piece in pieces:
                size += len(piece)
                if size > self._limits.message_size:
                    raise MessageTooLarge(f"more than {self._limits.message_size}"
                                          " octets")
                file.write(piece)
        # Linux makes the name durable with the file.  The folder itself, which
        # nobody may read, cannot be flushed by those who write there.
        os.fsync(descriptor)
        os.fchmod(descriptor, WHOLE)
        os.fsync(descriptor)


def box_for_users(config: Config) -> DropBox | None:
    """Where this user leaves mail; ``None`` for who writes in the store.

    :raises LocalFault: it is neither root nor the server's user, and has no place.
    """
    data = config.server.data
    if config.store.kind == "memory" or not _is_somebody_else_s(data):
        return None
    if not config.local.drop:
        text = f"{data} is the server's own, and there is no [local] drop for users"
        raise LocalFault(text) from PermissionError()
    return DropBox(config)


def spare_box(config: Config) -> DropBox | None:
    """A drop box, where one can be used."""
    with suppress(LocalFault):
        return DropBox(config) if config.local.drop else None
    return None


def _is_somebody_else_s(data: str) -> bool:
    """Whether the data folder is for neither this user nor root to write in."""
    user = os.geteuid()
    if user == 0:
        return False
    try:
        return os.stat(data).st_uid != user
    except FileNotFoundError:
        return False
    except OSError:
        # Below a folder that is somebody else's.
        return True


def _fault(folder: str, error: OSError) -> LocalFault:
    fault = LocalFault(f"{folder}: {error.strerror}")
    fault.__cause__ = error
    return fault
