"""Addresses of UNIX sockets, which the system wants to be short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Octets that a socket's address may have on every system.
_MAX_ADDRESS = 100


@contextmanager
def address_of(directory: str, name: str) -> Iterator[str]:
    """An address for a socket, however long the directory's path is."""
    path = f"{directory}/{name}"
    if len(os.fsencode(path)) <= _MAX_ADDRESS:
        yield path
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
