"""Telling other processes which mailboxes have changed.

Each process that wants to know binds a UNIX datagram socket in the data
directory's ``run``.  After a commit the process that made it sends each of them
one small datagram.  A datagram may get lost (a full socket); who listens looks
for itself from time to time as well.  Nothing here needs Twisted.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from .unixpath import address_of

#: A mailbox: account_id, mailbox_id.
Pair = tuple[int, int]

#: Mailboxes named in one datagram.
MAX_PAIRS = 256

_PAIR = struct.Struct("=qq")
_PREFIX, _SUFFIX = "feed-", ".sock"

#: Nanoseconds that a file system's clock stands still at most, generously.
_TICK_NS = 100_000_000


class Announcer:
    """Sends what has changed to the sockets of other processes.

    It may be used in any thread, by one at a time.

    :param directory: the data directory's ``run``.
    :param own: the name of a socket to leave out.
    """

    def __init__(self, directory: str, own: str = "") -> None:
        self._directory = directory
        self._own = own
        self._seen = -1
        self._names: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def announce(self, pairs: Iterable[Pair]) -> None:
        """Tell the others, who may not be there any more; never fails."""
        with suppress(OSError):
            self._look()
        if not self._names:
            return
        every = list(pairs)
        for start in range(0, len(every), MAX_PAIRS):
            data = pack(every[start : start + MAX_PAIRS])
            for name in tuple(self._names):
                self._send(name, data)

    def _look(self) -> None:
        """Find out who listens, if names have come or gone."""
        changed = os.stat(self._directory).st_mtime_ns
        if changed != self._seen:
            self._names = [
                name
                for name in os.listdir(self._directory)
                if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
                and name != self._own
            ]
            # Another name may come within the same tick of the file system.
            settled = time.time_ns() - changed > _TICK_NS
            self._seen = changed if settled else -1

    def _send(self, name: str, data: bytes) -> None:
        try:
            with address_of(self._directory, name) as address:
                self._socket.sendto(data, address)
        except (ConnectionRefusedError, FileNotFoundError):
            # Its process has died.
            self._names.remove(name)
            forget(self._directory, name)
        except OSError:
            # Full: it will look for itself.
            pass

    def close(self) -> None:
        """Nothing is announced after this."""
        self._socket.close()


def announce(directory: str, pairs: Iterable[Pair]) -> None:
    """Tell all processes that serve the store of this data directory."""
    announcer = Announcer(f"{directory}/run")
    try:
        announcer.announce(pairs)
    finally:
        announcer.close()


def listen(directory: str) -> tuple[socket.socket, str]:
    """-> a bound socket in the directory ``run``, and its name there

    :raises OSError: it cannot be made.
    """
    name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        listener.setblocking(False)
        with address_of(directory, name) as address:
            listener.bind(address)
        os.chmod(f"{directory}/{name}", 0o600)
    except OSError:
        listener.close()
        raise
    return listener, name


def forget(directory: str, name: str) -> None:
    """Remove the name of a socket that nobody listens to any more."""
    with suppress(OSError):
        os.unlink(f"{directory}/{name}")


def receive(listener: socket.socket) -> set[Pair]:
    """What has come since, without waiting."""
    pairs: set[Pair] = set()
    with suppress(BlockingIOError):
        while True:
            # One more octet: a datagram that is cut there is none of ours.
            pairs.update(unpack(listener.recv(_PAIR.size * MAX_PAIRS + 1)))
    return pairs


def pack(pairs: Sequence[Pair]) -> bytes:
    """One datagram."""
    return b"".join(_PAIR.pack(*pair) for pair in pairs)


def unpack(data: bytes) -> list[Pair]:
    """The mailboxes a datagram names; what is no datagram of ours names none."""
    if len(data) % _PAIR.size:
        return []
    return list(_PAIR.iter_unpack(data))
