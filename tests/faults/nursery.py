"""Processes by fork(2): a server in a tenth of a second, to be killed at any call.

Everything is imported before the first fork, but for the reactor, which each child
makes for itself.  A child writes what it has to tell into a pipe.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

#: Seconds after which a child that neither ends nor answers is in trouble.
PATIENCE = 30.0
_REACTOR = "twisted.internet.reactor"


#: Sends a value to the parent.
Send = Callable[[Any], None]


class Trouble(Exception):
    """A child did not do what it was made for."""


class Child:
    """A process that performs *task* and ends.

    :param task: is given a function that sends a value to the parent.
    :param log: what it writes to its standard error goes to this file.
    """

    def __init__(self, task: Callable[[Send], None], log: Path) -> None:
        if _REACTOR in sys.modules:
            raise Trouble("the reactor must not be imported before the fork")
        reading, writing = os.pipe()
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _perform(task, writing, log)
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb")

    def receive(self) -> Any:
        """The next value that it sends.

        :raises EOFError: it has ended, or was killed.
        """
        return pickle.load(self._pipe)

    def said(self) -> list[Any]:
        """All that it still sends until it ends."""
        values = []
        with suppress(EOFError, pickle.UnpicklingError):
            while True:
                values.append(self.receive())
        return values

    def pause(self) -> None:
        """Stop it where it is."""
        os.kill(self.pid, signal.SIGSTOP)
        self.wait_until_paused()

    def wait_until_paused(self) -> None:
        """Return after it has stopped, as it does by itself."""
        self._wait(os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end."""
        if self._status is None:
            os.kill(self.pid, signal.SIGTERM)

    def join(self) -> bool:
        """Wait until it has ended.  -> whether it was killed

        :raises Trouble: it ended by itself, and not well.
        """
        if self._status is None:
            self._wait(0)
        self._pipe.close()
        status = self._status or 0
        if os.WIFSIGNALED(status):
            return os.WTERMSIG(status) == signal.SIGKILL
        if status:
            code = os.waitstatus_to_exitcode(status)
            raise Trouble(f"a child ended with status {code}")
        return False

    def _wait(self, options: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, options | os.WNOHANG)
            if pid and not os.WIFSTOPPED(status):
                self._status = status
            if pid:
                return
            time.sleep(0.001)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise Trouble("a child did not end")


def _perform(task: Callable[[Send], None], writing: int, log: Path) -> NoReturn:
    code = 1
    try:
        descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(descriptor, 2)
        os.dup2(descriptor, 1)
        os.close(descriptor)

        def send(value: Any) -> None:
            os.write(writing, pickle.dumps(value))

        task(send)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ask(task: Callable[[], Any], log: Path) -> Any:
    """What *task* returns, in a child."""
    child = Child(lambda send: _answer(task, send), log)
    try:
        value = child.receive()
    except EOFError:
        child.join()
        raise Trouble(f"a child said nothing:\n{log.read_text()[-3000:]}") from None
    child.join()
    return value


def _answer(task: Callable[[], Any], send: Send) -> None:
    send(task())


class Tracer:
    """strace(1), attached to the threads of a process that is paused.

    :param arguments: what to trace and to inject.
    :param is_whole: attach to all threads, and not just to the first.
    """

    def __init__(
        self, child: Child, arguments: Sequence[str], is_whole: bool = True
    ) -> None:
        program = shutil.which("strace")
        if program is None:
            raise FileNotFoundError("strace")
        self._process = subprocess.Popen(
            [
                program, *(["-f"] if is_whole else []), "-qqq", *arguments,
                "-p", str(child.pid),
            ],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE
        while not _is_traced(child.pid, is_whole):
            if time.monotonic() > end or self._process.poll() is not None:
                raise Trouble("strace does not attach")
            time.sleep(0.0005)

    def join(self) -> None:
        """Wait for its end, which follows that of the process."""
        self._process.wait(PATIENCE)


def _is_traced(pid: int, is_whole: bool) -> bool:
    """Whether all threads of *pid* are, or just the first."""
    folder = f"/proc/{pid}/task"
    return all(
        "TracerPid:\t0\n" not in Path(f"{folder}/{task}/status").read_text()
        for task in (os.listdir(folder) if is_whole else [str(pid)])
    )
