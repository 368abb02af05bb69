"""Sockets that systemd has bound for us: sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import MutableMapping
from contextlib import suppress

from ..config.faults import ConfigError, Fault
from ..config.kinds import Endpoint
from ..config.listening import Bound
from ..config.settings import PORTS, Config

#: The first descriptor that is passed.
FIRST = 3


def take(config: Config, environ: MutableMapping[str, str]) -> list[Bound]:
    """The sockets that were passed to this process, which listen already.

    One serves the service that ``FileDescriptorName=`` names, or the one whose
    configured address it is bound to.

    :param environ: the variables are taken out of it.
    :raises ConfigError: a socket is for none of our services.
    """
    is_ours = environ.pop("LISTEN_PID", "") == str(os.getpid())
    number = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if not is_ours or not number.isdigit():
        return []
    bound: list[Bound] = []
    faults: list[Fault] = []
    for place in range(int(number)):
        name = names[place] if place < len(names) else ""
        found = _recognise(config, FIRST + place, name)
        if found is None:
            text = f"inherited socket {FIRST + place} ({name or 'without name'})"
            text += f" is for none of: {', '.join(PORTS)}"
            faults.append(config.fault("listen", "profile", text))
        else:
            bound.append(found)
    if faults:
        raise ConfigError(faults)
    return bound


def _recognise(config: Config, descriptor: int, name: str) -> Bound | None:
    with suppress(OSError):
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        listening = socket.socket(fileno=descriptor)
        listening.setblocking(False)
        os.set_inheritable(descriptor, False)
        endpoint = _endpoint(listening)
        for service in PORTS:
            if name == service or endpoint in config.listen.endpoints(service):
                return Bound(service, endpoint, listening)
        listening.detach()
    return None


def _endpoint(listening: socket.socket) -> Endpoint:
    address = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return Endpoint("", 0, os.fsdecode(address))
    return Endpoint(address[0], address[1])
