"""Mail from programs of users who may not write in the store.

It is left in a folder that the server looks into, whether that runs or not.  A file
there is for its owner only until all of it is on the disk; then the group, which is
the server's, may read it, and that is how the server knows.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from zope.interface import implementer

from ..config.folder import as_owner_of
from ..config.identity import server_name
from ..config.settings import Config
from ..errors import LimitReached, LocalFault, MailError, MessageTooLarge, StorageFull
from ..interfaces import ISubmission
from ..mail.address import Address
from ..mail.envelope import Envelope
from ..net.spool import Spool
from ..smtp.batch import Batch, write_batch
from .programs import Post, Posted, pieces_of, post_office

#: Recipients of one message.
MAX_RECIPIENTS = 10_000
#: Of a file that is being written, and of one that is all there.
WRITING, WHOLE = 0o600, 0o640
#: Octets of a file's name in hexadecimal: nobody but its owner can guess it.
_NAME = 16


class DropBox:
    """Takes mail as :class:`.programs.PostOffice` does; the rest is for the server.

    :raises LocalFault: the folder is not what a server has made.
    """

    queues = False

    def __init__(self, config: Config) -> None:
        self._folder = config.local.drop
        self._limits = config.limits
        self.local_name = server_name(config)
        self.spool = Spool
        self.submission = _Leaving(self)
        try:
            self._group = os.stat(self._folder).st_gid
            room = os.statvfs(self._folder)
        except OSError as error:
            raise _fault(self._folder, error) from None
        if room.f_bavail * room.f_frsize < self._limits.free_space:
            raise StorageFull(f"{self._folder} is on a volume that is full")

    async def send(self, post: Post, pieces: Iterable[bytes]) -> Posted:
        """Leave a message for all recipients; who gets it is found out later.

        :param pieces: its octets, lines ended by CRLF.
        :raises MailError: nobody gets it.
        """
        recipients = tuple(dict.fromkeys(post.recipients))
        wishes = dict.fromkeys(recipients, post.wishes)
        batch = Batch(post.sender, recipients, post.parameters, wishes)
        return Posted(self.leave(batch, pieces))

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


@implementer(ISubmission)
class _Leaving:
    """For SMTP on standard input: the server finds out who gets it."""

    def __init__(self, box: DropBox) -> None:
        self._box = box

    async def sender(self, envelope: Envelope) -> None:
        """Anybody; the server says what it thinks of that in the message."""

    async def recipient(self, envelope: Envelope, address: Address) -> None:
        """Anybody."""

    async def message(
        self, envelope: Envelope, content: Any
    ) -> list[MailError | None]:
        """See :meth:`DropBox.leave`."""
        recipients = tuple(envelope.recipients)
        self._box.leave(
            Batch(envelope.sender, recipients, envelope.parameters, envelope.wishes),
            await pieces_of(content),
        )
        return [None] * len(recipients)


@asynccontextmanager
async def nearest_office(config: Config, reactor: Any) -> AsyncIterator[Any]:
    """A place to bring mail to, for whoever calls: the store, or a drop box.

    What the store cannot take now goes into the drop box, if there is one, and the
    server tries again.

    :raises ConfigError: the data folder cannot be used.
    :raises MailError: there is no place.
    """
    data = config.server.data
    if config.store.kind != "memory" and _is_somebody_else_s(data):
        if not config.local.drop:
            text = f"{data} is the server's own, and there is no [local] drop for users"
            raise LocalFault(text) from PermissionError()
        yield DropBox(config)
        return
    box = _spare_box(config)
    with as_owner_of(data):
        async with AsyncExitStack() as stack:
            try:
                opening = post_office(config, reactor)
                office: Any = await stack.enter_async_context(opening)
                office.box = box
            except LocalFault:
                if box is None:
                    raise
                office = box
            yield office


def _spare_box(config: Config) -> DropBox | None:
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
