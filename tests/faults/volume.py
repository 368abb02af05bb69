"""File systems that a test may fill, break or freeze: gone when the test is.

A test's process has mounts of its own, which nobody else sees and which end with the
last process in there, however it ends.  That takes root.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

#: Of unshare(2).
_NEW_MOUNTS = 0x0002_0000


def be_alone() -> None:
    """From here on, what this process mounts is its own, and its children's.

    :raises PermissionError: it is not root.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_MOUNTS):
        number = ctypes.get_errno()
        raise OSError(number, f"mounts need root: {os.strerror(number)}")
    call("mount", "--make-rprivate", "/")


def call(*command: str | Path) -> None:
    """Run a program that has to succeed."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def mount_memory(folder: Path, *, octets: int, files: int = 0) -> None:
    """A file system in memory with room for so much, and so many files."""
    folder.mkdir(parents=True)
    options = f"size={octets},mode=700" + (f",nr_inodes={files}" if files else "")
    call("mount", "-t", "tmpfs", "-o", options, "mailhub-test", folder)


def mount_disk(folder: Path, image: Path, octets: int) -> None:
    """An ext4 file system in a file, which a fault makes read-only."""
    folder.mkdir(parents=True, exist_ok=True)
    if not image.exists():
        with open(image, "wb") as file:
            file.truncate(octets)
        call("mkfs.ext4", "-q", image)
    call("mount", "-o", "loop,errors=remount-ro", image, folder)


def unmount(folder: Path) -> None:
    """Forget a file system, whoever still uses it."""
    call("umount", "--lazy", folder)


def fill(path: Path, leave: int = 0) -> int:
    """Write a file until there is no room.  -> its octets

    :param leave: octets that stay free.
    """
    volume = os.statvfs(path.parent)
    free = volume.f_bavail * volume.f_frsize - leave
    written = 0
    with open(path, "ab", buffering=0) as file:
        try:
            while written < free:
                written += file.write(bytes(min(65_536, free - written)))
        except OSError:
            pass
    return written


def use_up_files(folder: Path) -> int:
    """Make files until there can be no more.  -> how many"""
    folder.mkdir(exist_ok=True)
    number = 0
    try:
        while True:
            (folder / str(number)).touch()
            number += 1
    except OSError:
        return number
