"""What a server costs: CPU seconds and memory of all its processes.

A server runs in a control group of its own (cgroup v2), whose ``cpu.stat`` counts
every process that ever ran there, also those that nobody waited for.  Where there
is no such file system, or no right to it, the tree of processes is summed up.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_MOUNTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


class Group:
    """The control group of one server, made when the server is started.

    :param name: of the group; the process that measures is part of it.
    """

    def __init__(self, name: str) -> None:
        self._path = self._make(f"{name}.{os.getpid()}")

    @staticmethod
    def _make(name: str) -> Path | None:
        for mount in _MOUNTS:
            if (mount / "cgroup.procs").exists() and os.access(mount, os.W_OK):
                path = mount / name
                try:
                    path.mkdir(exist_ok=True)
                except OSError:
                    return None
                return path if (path / "cpu.stat").exists() else None
        return None

    @property
    def entrance(self) -> str:
        """The file that takes the ids of processes; ``""`` where there is none."""
        return str(self._path / "cgroup.procs") if self._path else ""

    def cpu(self, roots: list[int]) -> float:
        """CPU seconds so far, of the group or of the trees below *roots*."""
        if self._path is None:
            stats = _processes()
            return sum(stats[pid].ticks for pid in _below(roots, stats)) / TICK
        words = (self._path / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6

    def pids(self, roots: list[int]) -> list[int]:
        """The processes of the server, without *roots*, which are its keepers."""
        if self._path is None:
            found = _below(roots, _processes())
        else:
            found = [int(each) for each in Path(self.entrance).read_text().split()]
        return [pid for pid in found if pid not in roots]

    def remove(self) -> None:
        """Give the group back; its processes have ended."""
        if self._path is not None:
            for _ in range(100):
                try:
                    self._path.rmdir()
                    return
                except OSError:
                    time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    ticks: int


def _processes() -> dict[int, _Process]:
    """All processes; the ticks include children that were waited for."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path("/proc", name, "stat").read_text("latin-1")
        except OSError:
            continue
        words = text.rpartition(")")[2].split()  # from the state on
        found[int(name)] = _Process(int(words[1]), sum(map(int, words[11:15])))
    return found


def _below(roots: list[int], stats: dict[int, _Process]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, process in stats.items():
        children.setdefault(process.parent, []).append(pid)
    found, todo = [], [pid for pid in roots if pid in stats]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(children.get(pid, ()))
    return found


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a server's processes, in KiB.

    :ivar pss: what they use, shared pages divided by those who share them.
    :ivar count: how many processes.
    """

    pss: int
    count: int


def memory(pids: list[int]) -> Memory:
    """What the processes use now; one that ends meanwhile counts nothing."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        words = text.split()
        if "Pss:" in words:
            total += int(words[words.index("Pss:") + 1])
    return Memory(total, len(pids))


def kernel_memory() -> int:
    """KiB that the kernel needs for processes and sockets, of the whole machine.

    That is what cannot be reclaimed, which leaves out caches of files; the sockets'
    inodes are among those, and are added.
    """
    names = {"SUnreclaim:", "KernelStack:", "PageTables:"}
    rows = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
    total = sum(int(row[1]) for row in rows if row[0] in names)
    words = Path("/proc/net/sockstat").read_text().split()
    return total + int(words[words.index("mem") + 1]) * PAGE // 1024 + _inodes()


def _inodes() -> int:
    """KiB of the sockets' inodes; 0 where only root may know."""
    with suppress(OSError):
        for line in Path("/proc/slabinfo").read_text().splitlines():
            name, *words = line.split()
            if name == "sock_inode_cache":
                return int(words[0]) * int(words[2]) // 1024
    return 0


def machine_cpu() -> float:
    """CPU seconds that the whole machine has worked since its start."""
    first = Path("/proc/stat").read_text().split(maxsplit=9)
    user, nice, system, _, _, irq, softirq, _ = map(int, first[1:9])
    return (user + nice + system + irq + softirq) / TICK


def own_cpu() -> float:
    """CPU seconds of this process and of its children that ended."""
    return sum(os.times()[:4])


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds between two moments.

    :ivar other: everybody else on the machine: kernel threads, neighbours.
    """

    seconds: float
    server: float
    client: float
    other: float

    @property
    def client_share(self) -> float:
        """Of what all cores had to give."""
        return self.client / max(1e-9, self.seconds * (os.cpu_count() or 1))

    def each_ms(self, count: int) -> float:
        """The server's milliseconds for each of *count*."""
        return 1000 * self.server / max(1, count)


class Meter:
    """Counts from its making on."""

    def __init__(self, group: Group, roots: list[int]) -> None:
        self._group, self._roots = group, roots
        self._before = self._read()

    def _read(self) -> tuple[float, float, float, float]:
        server = self._group.cpu(self._roots)
        return time.perf_counter(), server, own_cpu(), machine_cpu()

    def read(self) -> Cost:
        """What was used so far."""
        seconds, server, client, machine = (
            after - before
            for after, before in zip(self._read(), self._before, strict=True)
        )
        return Cost(seconds, server, client, max(0.0, machine - server - client))


def speed() -> float:
    """Milliseconds for a fixed piece of work: how fast the machine is just now."""
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        sum(number * number for number in range(60_000))
        best = min(best, time.perf_counter() - begin)
    return best * 1000
