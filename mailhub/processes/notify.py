"""Telling systemd how it goes: the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall


class Notifier:
    """The socket that ``NOTIFY_SOCKET`` names; silent where there is none.

    :param environ: the variables are taken out of it: they are meant for this
        process and none of its children.
    :ivar watchdog: seconds within which systemd wants a sign of life, or ``None``.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        address = environ.pop("NOTIFY_SOCKET", "")
        # An abstract name begins with NUL, which cannot stand in a variable.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = environ.pop("WATCHDOG_USEC", "")
        is_ours = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        wanted = int(interval) if interval.isdigit() and is_ours else 0
        self.watchdog = wanted / 1e6 if wanted else None

    def send(self, **variables: object) -> None:
        """Tell ``READY=1`` and the like; that nobody hears it is no fault."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in variables.items())
        with suppress(OSError), _datagrams() as out:
            out.sendto(text.encode(), self._address)

    def ready(self, status: str = "") -> None:
        """All services listen."""
        self.send(READY=1, STATUS=status)

    def reloading(self) -> None:
        """The configuration is read again; :meth:`ready` ends that."""
        self.send(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def stopping(self, seconds: float) -> None:
        """No new clients from now on; it may take *seconds*."""
        self.send(STOPPING=1, EXTEND_TIMEOUT_USEC=int(seconds * 1e6))


def _datagrams() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


class Watchdog(Service):
    """Gives signs of life, from the reactor, as long as all is well.

    :param is_well: whether the rest of the server lives, too.
    """

    def __init__(
        self, notifier: Notifier, reactor: Any, is_well: Callable[[], bool]
    ) -> None:
        self._notifier = notifier
        self._is_well = is_well
        self._feeding = LoopingCall(self._feed)
        self._feeding.clock = reactor

    def startService(self) -> None:
        """Begin, where systemd wants it."""
        super().startService()
        if self._notifier.watchdog is not None:
            self._feeding.start(self._notifier.watchdog / 3)

    def stopService(self) -> None:
        """End."""
        super().stopService()
        if self._feeding.running:
            self._feeding.stop()

    def _feed(self) -> None:
        if self._is_well():
            self._notifier.send(WATCHDOG=1)
