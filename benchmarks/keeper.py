"""Runs one server below a subreaper: ``keeper.py COMMAND ...``.

Daemons that fork twice leave the tree of processes that started them.  As their
subreaper this process inherits them, waits for them, and ends them when the server
has gone.  Where ``KEEPER_CGROUP`` names a file, everything runs in that group.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
#: Seconds for what a server left behind to end by itself, and again after SIGTERM.
PATIENCE = 2.0


def join_group() -> None:
    """Move into the control group, if one was named."""
    entrance = os.environ.pop("KEEPER_CGROUP", "")
    if entrance:
        Path(entrance).write_text(str(os.getpid()))


def children() -> list[int]:
    """The processes directly below this one."""
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in text.split()]


def wait_for(main: int) -> int:
    """Reap whatever ends until *main* does; its wait status."""
    while True:
        pid, status = os.wait()
        if pid == main:
            return status


def all_gone(seconds: float) -> bool:
    """Whether no child is left within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        time.sleep(0.02)
    return False


def end_children() -> None:
    """End what the server left behind, first politely."""
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        for pid in children():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if all_gone(PATIENCE):
            return


def main(command: list[str]) -> int:
    """Run *command* to its end; 0 if it ended well."""
    join_group()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = os.fork()
    if server == 0:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error}\n")
            os._exit(127)

    def pass_on(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(server, number)

    signal.signal(signal.SIGTERM, pass_on)
    status = wait_for(server)
    end_children()
    return int(os.waitstatus_to_exitcode(status) != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
