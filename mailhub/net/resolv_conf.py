"""The machine's own resolvers: ``/etc/resolv.conf`` (resolv.conf(5))."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.logger import Logger

from .dns_exchange import NameServer

PATH = "/etc/resolv.conf"
#: Where none is named there may be one on this machine (resolv.conf(5)).
DEFAULT = ("127.0.0.1",)
#: Lines are looked at up to here: nobody's list is longer.
LONGEST = 65_536
#: Seconds between looks at whether the file is another (a laptop has moved on).
INTERVAL = 5.0


def name_servers(text: str) -> list[str]:
    """The IP addresses of the ``nameserver`` lines of *text*.

    Those with a scope (``fe80::1%eth0``) and what is no address are left out.
    """
    found = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_] if _is_address(address):
                found.append(address)
    return found or list(DEFAULT)


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


class SystemServers:
    """The servers that the file names at the moment; called, it gives them.

    :param trust: which addresses are trusted.
    """

    log = Logger()

    def __init__(self, clock: Any, trust: Any, path: str = PATH) -> None:
        self._clock = clock
        self._trust = trust
        self._path = path
        self._looked = -INTERVAL
        self._seen: tuple[int, int] | None = None
        self._servers = self._made(list(DEFAULT))

    def __call__(self) -> list[NameServer]:
        now = self._clock.seconds()
        if now - self._looked >= INTERVAL:
            self._looked = now
            self._look()
        return self._servers

    def _look(self) -> None:
        """Read the file if it is another; what was known stays where it cannot be."""
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_ino)
            if seen == self._seen:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:
                text = file.read(LONGEST)
        except OSError as error:
            self.log.debug("{path}: {error}", path=self._path, error=error)
            return
        self._seen = seen
        self._servers = self._made(name_servers(text))

    def _made(self, addresses: list[str]) -> list[NameServer]:
        return [
            NameServer(address, trusted=self._trust(address)) for address in addresses
        ]
