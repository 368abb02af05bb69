"""Files that users of this machine have left for the server.

What is in them may be anybody's work: the owner of a file, as the system tells it, is
who sends it, and all else is read as what a stranger says.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, BinaryIO

from twisted.logger import Logger

from ..errors import LimitReached, MessageTooLarge, SyntaxFault
from ..logbook import Complaints
from ..mail.line_ends import lines_of
from ..smtp.batch import Batch, read_batch
from ..store.sqlite.durable import sync_directory
from .drop_box import MAX_RECIPIENTS, WHOLE, WRITING

#: What nobody has written to for so long, in seconds, will never be whole.
ABANDONED = 86_400.0
#: Files of one user that are thought of at a time (attack: a million of them, for
#: the memory that their names take).
MAX_OF_USER = 1_000
#: Octets of an envelope before its message.
MAX_HEAD = 4 << 20

_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is all there.

    :ivar left: when, in seconds since the epoch.
    """

    name: str
    user_id: int
    left: float


@dataclass(frozen=True, slots=True)
class Left:
    """A message that somebody has left, read from its file.

    :ivar user: the login name of who has.
    :ivar content: ``IContent``: all octets; the receiver closes it.
    """

    user: str
    user_id: int
    batch: Batch
    content: Any


class DropFolder:
    """What lies in the folder.  Its methods wait for the disk.

    :param path: of the folder, which is ours.
    :param spool: makes an ``ISpool``.
    :param message_size: octets of the largest message.
    """

    log = Logger()

    def __init__(
        self, path: str, spool: Callable[[], Any], message_size: int
    ) -> None:
        self.path = path
        self.message_size = message_size
        self._spool = spool
        self._complaints = Complaints()

    def waiting(
        self, now: float, without: Container[str] = frozenset()
    ) -> list[Waiting]:
        """What can be taken, in fair order; what never will be is removed.

        :param without: names that are passed over.
        """
        found: dict[int, list[Waiting]] = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if _is_message(entry.name, status, WHOLE):
                        own = found.setdefault(status.st_uid, [])
                        if len(own) < MAX_OF_USER and entry.name not in without:
                            each = Waiting(entry.name, status.st_uid, status.st_mtime)
                            own.append(each)
                    elif not _may_become_one(entry.name, status, now):
                        self._discard(entry.name, status, "it is no message")
        return list(fair(found))

    def read(self, waiting: Waiting) -> Left | None:
        """A message; ``None`` if there is none any more, or it never was one.

        :raises OSError: it cannot be read now.
        :raises MailError: there is no room for it now.
        """
        try:
            file = self._opened(waiting.name)
        except (FileNotFoundError, IsADirectoryError):
            return None
        with file:
            status = os.fstat(file.fileno())
            if not _is_message(waiting.name, status, WHOLE):
                return None  # Next time it is seen for what it is.
            try:
                return self._read(file, status)
            except (SyntaxFault, LimitReached, MessageTooLarge) as error:
                self._discard(waiting.name, status, str(error))
                return None

    def listed(self) -> Iterator[tuple[Waiting, int, Batch]]:
        """What can be taken, with its octets, for people to see; nothing is changed.

        :raises OSError: the folder is not for this user to read.
        """
        with os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(OSError, SyntaxFault, LimitReached):
                    status = entry.stat(follow_symlinks=False)
                    if _is_message(entry.name, status, WHOLE):
                        with self._opened(entry.name) as file:
                            batch = read_batch(file.readline, MAX_RECIPIENTS)
                            size = status.st_size - file.tell()
                        found = Waiting(entry.name, status.st_uid, status.st_mtime)
                        yield found, size, batch

    def _opened(self, name: str) -> BinaryIO:
        """
        :raises OSError: there is no file, or it is not for us.
        """
        # Attack: in its place a FIFO, which would keep us waiting, or a link.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path(name), flags)
        try:
            return open(descriptor, "rb")
        except OSError:
            os.close(descriptor)  # a folder
            raise

    def remove(self, waiting: Waiting) -> None:
        """Forget a message that was taken.

        :raises OSError: it stays.
        """
        with suppress(FileNotFoundError):
            os.unlink(self._path(waiting.name))

    def sync(self) -> None:
        """Return when what was removed will not be there again after a loss of power.

        Where that cannot be had, mail may come twice then.
        """
        with suppress(OSError):
            sync_directory(self.path)

    def _path(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _read(self, file: BinaryIO, status: os.stat_result) -> Left:
        """
        :raises MailError: it is no message, or there is no room for it.
        """
        if status.st_size > self.message_size + MAX_HEAD:
            raise MessageTooLarge(f"{status.st_size} octets")
        batch = read_batch(file.readline, MAX_RECIPIENTS)
        spool = self._spool()
        try:
            # Its owner may be writing still: no more is read than there may be.
            for piece in lines_of(file, dot_ends=False):
                spool.write(piece)
                if spool.size > self.message_size:
                    raise MessageTooLarge(f"more than {self.message_size} octets")
            user = user_name(status.st_uid)
            return Left(user, status.st_uid, batch, spool.finish())
        finally:
            spool.close()

    def _discard(self, name: str, status: os.stat_result, why: str) -> None:
        """Remove what is no message, but for folders with something in them."""
        with suppress(OSError):
            (os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink)(self._path(name))
            if self._complaints.is_due():
                self.log.warn(
                    "what user {user} has left in {folder} is removed: {why}",
                    user=status.st_uid, folder=self.path, why=why,
                )  # fmt: skip


def fair(found: dict[int, list[Waiting]]) -> Iterator[Waiting]:
    """Of each user in turn the oldest, so that who leaves a million keeps nobody
    waiting (attack: a flood)."""
    for each in found.values():
        each.sort(key=lambda waiting: waiting.left)
    for turn in zip_longest(*found.values()):
        yield from filter(None, turn)


def user_name(user_id: int) -> str:
    """The login name of a user of this machine; ``uid1234`` for who has none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"uid{user_id}"


def _is_message(name: str, status: os.stat_result, mode: int) -> bool:
    """Whether it is a file that its owner has made there.

    Attack: another name of somebody else's file, who would be the sender then.
    """
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_nlink == 1
        and stat.S_IMODE(status.st_mode) == mode
        and _NAME.fullmatch(name) is not None
    )


def _may_become_one(name: str, status: os.stat_result, now: float) -> bool:
    """Whether somebody may still be writing it."""
    is_fresh = now - status.st_mtime < ABANDONED
    return is_fresh and _is_message(name, status, WRITING)
