"""Whether a server can do its work just now.

Each check has a name, and says in a sentence what is wrong, or ``""``.  The answers
are for whoever may ask the administration listener: no paths, no addresses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError

from ..errors import MailError
from ..interfaces import IMeasuredStore
from .samples import Measured

#: What stays free on the volume of the store, in octets and in files, or no new
#: client should come: room for one message of the largest usual size, and for the
#: write-ahead log that it goes through.
RESERVE_OCTETS = 64 * 1024 * 1024
RESERVE_FILES = 100
#: Seconds that storing something may take; a disk that hangs says nothing at all.
PATIENCE = 5.0

#: What is wrong, by check; ``""`` is nothing.
Checks = dict[str, str]


async def examine(mail: Measured, clock: Any) -> Checks:
    """All checks of one process.

    :param clock: provides ``callLater``.
    """
    return {
        "drain": "the server is stopping" if mail.is_draining else "",
        "listeners": "" if mail.is_listening else "not all services listen",
        "disk": _disk(mail.store),
        "store": await _store(mail.store, clock),
    }


def together(heard: Mapping[str, Checks], expected: int) -> Checks:
    """The checks of a whole server.

    :param heard: by worker.
    :param expected: workers that there should be.
    """
    found: Checks = {}
    for worker, checks in heard.items():
        for name, fault in checks.items():
            told = f"worker {worker}: {fault}" if fault and expected > 1 else fault
            found[name] = found.get(name) or told
    missing = expected - len(heard)
    found["workers"] = f"{missing} of {expected} do not answer" if missing > 0 else ""
    return found


def _disk(store: Any) -> str:
    if not IMeasuredStore.providedBy(store):
        return ""
    try:
        volume = os.statvfs(store.path)
    except OSError as error:
        return f"the volume cannot be looked at: {error.strerror}"
    free = volume.f_bavail * volume.f_frsize
    if free < RESERVE_OCTETS:
        return f"{free} octets are free, fewer than {RESERVE_OCTETS}"
    # Some file systems make files as they are needed, and know no number.
    if volume.f_files and volume.f_favail < RESERVE_FILES:
        return f"{volume.f_favail} files can be made, fewer than {RESERVE_FILES}"
    return ""


async def _store(store: Any, clock: Any) -> str:
    if not IMeasuredStore.providedBy(store):
        return ""
    probing = Deferred.fromCoroutine(store.probe())
    probing.addTimeout(PATIENCE, clock)
    try:
        await probing
    except TimeoutError:
        return f"nothing was stored within {PATIENCE:.0f} s"
    except MailError as error:
        return f"nothing can be stored: {type(error).__name__}"
    return ""
