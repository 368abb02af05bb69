"""What ``mailhub verify`` says of a store that nobody has open."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

from mailhub.cli.invocation import Terminal
from mailhub.cli.main import run

from .nursery import ask
from .subject import Subject


def verify(subject: Subject) -> list[str]:
    """The faults that the command tells of, a line each."""
    if find_spec("mailhub.cli.verify") is None:
        return []
    done = subject.command("verify")
    if done.returncode == 0:
        return []
    text = (done.stdout + done.stderr).decode(errors="replace")
    return [f"mailhub verify: {line}" for line in text.splitlines()] or ["verify"]


def verify_folder(data: Path, log: Path) -> list[str]:
    """The same in a process by fork(2), which is quicker.

    :param log: for what the process writes to its standard error.
    """
    if find_spec("mailhub.cli.verify") is None:
        return []
    return list(ask(lambda: _verify_folder(data), log))


def _verify_folder(data: Path) -> list[str]:
    output = io.StringIO()
    terminal = Terminal(io.StringIO(), output, output, {}, str(data.parent))
    code = run(["verify", "--data", str(data)], terminal)
    lines = output.getvalue().splitlines()
    return [f"mailhub verify: {line}" for line in lines] if code else []
