"""Listening sockets, bound before anything else happens.

They are bound here and handed to the reactor later, so that a port that is taken is
known before a store is opened, and so that a privileged port can be bound before
the right to do so is given up.
"""

from __future__ import annotations

import errno
import os
import socket
import stat

#: Connections that wait to be accepted; the kernel's own limit may be lower.
BACKLOG = 1024
#: Who may connect to a UNIX socket: its owner and its group, which is that of the
#: folder where the folder says so (setgid).
UNIX_MODE = 0o660
#: This machine has no such kind of address.
UNAVAILABLE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def bind_copies(host: str, port: int, number: int) -> list[socket.socket]:
    """*number* sockets for one address, among which the system deals connections.

    Each has a queue of its own, so that each process is woken for its own only.

    :raises OSError: they cannot be bound, also where somebody listens already.
    """
    copies: list[socket.socket] = []
    try:
        for _ in range(number):
            # The first shares its address with nobody until it has it: where others
            # share one among themselves, it finds out instead of joining in.
            copy = _bind(host, port, is_shared=bool(copies))
            copies.append(copy)
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            port = copy.getsockname()[1]
        for copy in copies:
            _listen(copy)
    except BaseException:
        for copy in copies:
            copy.close()
        raise
    return copies


def bind_internet(host: str, port: int) -> socket.socket:
    """A socket that listens on the IP address *host*; port 0 is any free one.

    An IPv6 address takes no IPv4 connections, so that peers have one spelling.

    :raises OSError: it cannot be bound.
    """
    bound = _bind(host, port)
    try:
        return _listen(bound)
    except BaseException:
        bound.close()
        raise


def _bind(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def bind_unix(path: str) -> socket.socket:
    """A socket that listens at *path*; what a process that died left is removed.

    :raises OSError: it cannot be bound; ``EADDRINUSE`` if another process
        listens there, or something else than a socket is there.
    """
    remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        os.chmod(path, UNIX_MODE)
        return _listen(listening)
    except BaseException:
        listening.close()
        raise


def _listen(listening: socket.socket) -> socket.socket:
    listening.setblocking(False)
    listening.listen(BACKLOG)
    return listening


def remove_stale(path: str) -> None:
    """Remove the socket at *path* if nobody listens there any more."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Whoever lives, but is too busy to accept, would keep us waiting.
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            return
