"""The flush points: what makes data survive a loss of power.

A test that wants to know whether it would notice a lost flush replaces these.
A failed flush is final: the kernel may have dropped the data and call the pages
clean, so a second flush of the same file proves nothing.
"""

from __future__ import annotations

import os

#: A commit returns after the write-ahead log is on disk.
SYNCHRONOUS = "PRAGMA synchronous=FULL"


def sync_file(descriptor: int) -> None:
    """Return after the octets of an open file are on disk.

    :raises OSError: they may not be, ever.
    """
    os.fsync(descriptor)


def sync_directory(path: str) -> None:
    """Return after the names in the directory *path* are on disk.

    :raises OSError: they may not be, ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: str) -> bool:
    """Make *path*, readable for us only, and its name durable.

    -> whether it is new.  Missing parents are made the same way.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        return make_directory(path)
    sync_directory(os.path.dirname(path) or ".")
    return True
