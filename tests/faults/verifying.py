"""What ``mailhub verify`` says of a store that nobody has open."""

from __future__ import annotations

from importlib.util import find_spec

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
