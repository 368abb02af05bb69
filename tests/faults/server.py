"""A subject with all protocols, limits of its own, and figures of its process."""

from __future__ import annotations

import os
import resource
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .subject import HOST, Subject

_MORE = """\
pop3 = ["127.0.0.1:{pop3}"]
imaps = ["127.0.0.1:{imaps}"]
admin = ["127.0.0.1:{admin}"]

[login]
delay = 0

[limits]
drain = 2
"""


class Server(Subject):
    """Like :class:`Subject`, and speaks POP3 and tells of its health.

    :param limits: settings of ``[limits]``.
    :param resources: limits of the process: ``RLIMIT_...``, and soft and hard.
    """

    patches = "tests.faults.careless"

    def __init__(
        self,
        folder: Path,
        without: str | None = None,
        *,
        limits: Mapping[str, Any] | None = None,
        resources: Mapping[int, tuple[int, int]] | None = None,
        workers: int = 0,
    ) -> None:
        super().__init__(folder, without, workers)
        self.pop3, self.imaps, self.admin = _free_ports(3)
        self._resources = dict(resources or {})
        text = self._configuration.read_text()
        text = text.replace("\npop3 = []", "").replace("\nimaps = []", "")
        text += _MORE.format(pop3=self.pop3, imaps=self.imaps, admin=self.admin)
        text += "".join(f"{name} = {value}\n" for name, value in (limits or {}).items())
        self._configuration.write_text(text)

    def configure(self, settings: str) -> None:
        """Add *settings*, which begin with more of ``[limits]``; before the start.

        Those of DNS are theirs.
        """
        text = self._configuration.read_text()
        text = text.replace('[dns]\nservers = ["127.0.0.1:9"]\n', "")
        self._configuration.write_text(text + settings)

    def _before(self) -> None:
        for kind, values in self._resources.items():
            resource.setrlimit(kind, values)

    @property
    def pid(self) -> int:
        """Of the server, once it has started."""
        return self._pid

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    def memory(self, figure: str = "VmRSS") -> int:
        """Octets that its process has in memory, or ``VmHWM``: had at most."""
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith(f"{figure}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(figure)

    def processor_seconds(self) -> float:
        """That it has used."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    @property
    def state(self) -> str:
        """What its first thread does: ``S`` sleeps, ``R`` works or wants to."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0]

    def descriptors(self) -> int:
        """That it has open."""
        return len(os.listdir(f"/proc/{self._pid}/fd"))

    def open_files(self) -> dict[str, str]:
        """What its descriptors are: numbers, and names of files or sockets."""
        folder, names = Path(f"/proc/{self._pid}/fd"), {}
        for each in folder.iterdir():
            with suppress(OSError):
                names[each.name] = os.readlink(each)
        return names

    def ready(self) -> tuple[int, str]:
        """What ``/readyz`` says: a status, and a text."""
        url = f"http://{HOST}:{self.admin}/readyz?verbose"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
