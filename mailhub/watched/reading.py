"""Reading one file that others write: at once, and only if it can be trusted."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from ..errors import LocalFault

#: Device, inode, octets, and the times in ns of the last change of what is in it and
#: of who may read it: another after each change of a file.  ``None``: there is no such
#: file; a text: that cannot be known, and why.
Signature = tuple[int, int, int, int, int] | str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a file held at some time."""

    data: bytes
    signature: Signature


class Unsafe(LocalFault):
    """A file that others than its owner can write, or that is none."""


def signature_of(path: str) -> Signature:
    """The signature of the file at *path*."""
    try:
        return _signature(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return str(error.strerror)


def changed_at(signature: Signature) -> float | None:
    """When what is in the file was changed, in seconds since the epoch."""
    return signature[3] / 1e9 if isinstance(signature, tuple) else None


def _signature(status: os.stat_result) -> Signature:
    return (
        status.st_dev, status.st_ino, status.st_size,
        status.st_mtime_ns, status.st_ctime_ns,
    )  # fmt: skip


def read_file(path: str, most: int, owner: int | None = None) -> Found:
    """What is in a file now, one octet more than *most* at most.

    :param owner: the user whose file it has to be, if it is not root's; then *path*
        may not be a symbolic link either.  Attack: a user's ``.forward`` that is a
        link to a file only the server may read.
    :raises Unsafe: it is no plain file, or others can write it.
    :raises OSError: it cannot be read.
    """
    # A FIFO in the place of a file would keep a thread waiting for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    if owner is not None:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if owner is not None and error.errno == errno.ELOOP:
            raise Unsafe("a symbolic link") from error
        raise
    try:
        status = os.fstat(descriptor)
        _check(status, owner)
        with open(descriptor, "rb", closefd=False) as file:
            return Found(file.read(most + 1), _signature(status))
    finally:
        os.close(descriptor)


def _check(status: os.stat_result, owner: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unsafe("not a plain file")
    if status.st_mode & stat.S_IWOTH:
        raise Unsafe("everybody can write it")
    if owner is not None and status.st_uid not in (owner, 0):
        raise Unsafe("belongs to somebody else")
