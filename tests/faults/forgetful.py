"""A file system that forgets what was not flushed: LazyFS, if it is there.

LazyFS (https://github.com/dsrhaslab/lazyfs) keeps what is written in a cache of its
own until a flush; told to forget, it has lost the rest.  It knows the contents of
files only, no names, and no pipes or sockets: those lie elsewhere here.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

#: Seconds that it takes to mount, and to forget, at most.
PATIENCE = 20.0

_CONFIGURATION = """\
[faults]
fifo_path="{folder}/commands"
fifo_path_completed="{folder}/completed"
[cache]
apply_eviction=false
[cache.simple]
custom_size="1gb"
blocks_per_page=1
[filesystem]
log_all_operations=false
logfile="{folder}/log"
"""


class ForgetfulDisk:
    """A mounted file system.

    :param program: the path of ``lazyfs``.
    :param folder: for everything that it needs.
    :param place: where it is mounted.
    """

    def __init__(self, program: str, folder: Path, place: Path) -> None:
        self._folder = folder
        self._place = place
        root, run = folder / "root", folder / "run"
        for path in (folder, root, run, place):
            path.mkdir(parents=True, mode=0o700, exist_ok=True)
        (root / "run").symlink_to(run)
        configuration = folder / "lazyfs.toml"
        configuration.write_text(_CONFIGURATION.format(folder=folder))
        with open(folder / "output", "wb") as output:
            self._process = subprocess.Popen(
                [
                    program, place, "--config-path", configuration, "-f",
                    "-o", "allow_other", "-o", "modules=subdir",
                    "-o", f"subdir={root}",
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
        end = time.monotonic() + PATIENCE
        while not os.path.ismount(place):
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((folder / "output").read_text()[-2000:])
            time.sleep(0.05)

    def forget(self) -> None:
        """Lose what was not flushed; return after that."""
        with open(self._folder / "commands", "w") as commands:
            commands.write("lazyfs::clear-cache\n")
        with open(self._folder / "completed") as completed:
            completed.readline()

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["fusermount3", "-u", "-z", self._place], check=False)
        self._process.kill()
        self._process.wait()
