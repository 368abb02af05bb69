"""What the system knows about this process."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress

#: Places in /proc/self/stat, after the name in parentheses: see proc_pid_stat(5).
_START, _VIRTUAL, _RESIDENT = 19, 20, 21


def figures() -> dict[str, float]:
    """By metric; where there is no ``/proc``, only what is known without it."""
    times = os.times()
    found = {"process_cpu_seconds_total": times.user + times.system}
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most != resource.RLIM_INFINITY:
        found["process_max_fds"] = most
    with suppress(OSError, ValueError, IndexError):
        found |= _from_proc()
    return found


def _from_proc() -> dict[str, float]:
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    # When the machine was started: others than ourselves may be hidden in /proc.
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return {
        "process_virtual_memory_bytes": int(fields[_VIRTUAL]),
        "process_resident_memory_bytes": int(fields[_RESIDENT])
        * os.sysconf("SC_PAGE_SIZE"),
        "process_start_time_seconds": booted
        + int(fields[_START]) / os.sysconf("SC_CLK_TCK"),
        # Listing them opens one.
        "process_open_fds": len(os.listdir("/proc/self/fd")) - 1,
    }
