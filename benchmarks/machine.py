"""What the figures were measured on, in general words."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .peers.base import CannotStart, run

#: Asks an interpreter how it was built.  One with a library beside it, which it does
#: not use itself, tells the library's flags; so it also does a fixed piece of work: a
#: build that was trained with profiles needs about three quarters of the time of one
#: that was not.
_QUESTION = """
import platform, sqlite3, ssl, sysconfig, time
get = lambda name: str(sysconfig.get_config_var(name) or "")
flags = get("CONFIG_ARGS") + get("PY_CORE_CFLAGS") + get("PY_CORE_LDFLAGS")
trained = "--enable-optimizations" in flags or "-fprofile-use" in flags
shared = "--enable-shared" in flags
if shared and "libpython" not in open("/proc/self/maps").read():
    told = "linked statically, its own flags are not told"
else:
    told = get("OPT").strip() + (", with profiles" if trained else ", without profiles")
print(f"Python {platform.python_version()}, {told}")
best = 1e9
for _ in range(15):
    begin = time.perf_counter()
    counts = {}
    for number in range(40_000):
        key = b"%d" % (number % 1000)
        counts[key] = counts.get(key, 0) + len(key)
    best = min(best, time.perf_counter() - begin)
print(f"a fixed piece of work: {best * 1000:.1f} ms")
print(f"SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}")
"""


def interpreter(python: Path) -> list[str]:
    """How *python* was built and how fast it is, in lines."""
    try:
        return run(python, "-c", _QUESTION).splitlines()
    except (CannotStart, OSError) as error:
        return [f"{python.name}: {error}"]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _file_system(folder: Path) -> str:
    """The type of the file system that *folder* is on."""
    best, found = "", "?"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        inside = str(folder.resolve()).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, kind
    return found


def description(folder: Path) -> list[str]:
    """Processor, memory, system and file system, in lines."""
    total = int(Path("/proc/meminfo").read_text().split()[1])
    release = ".".join(platform.release().split(".")[:2])
    return [
        f"{os.cpu_count()} cores ({_processor()}), {total / (1 << 20):.0f} GiB",
        f"{_system()}, Linux {release}, {_file_system(folder)}",
    ]
