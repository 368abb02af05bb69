"""``mailhub reload``: lets the server read its configuration again."""

from __future__ import annotations

from argparse import ArgumentParser

from .invocation import Invocation
from .outcome import Exit, Failure, Result
from .running import running


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=read_again)


def read_again(invocation: Invocation) -> Result:
    """JSON: ``{"source": PATH or null, "changed": [...], "restart": [...]}``, with
    settings as ``"[table] key"``; faults are in ``error.faults``.
    """
    with running(invocation) as server:
        answer = server.ask("reload")
    faults = answer["faults"]
    if faults:
        text = "\n".join(fault["text"] for fault in faults)
        raise Failure(Exit.CONFIG, text, faults=faults)
    data = {name: answer[name] for name in ("source", "changed", "restart")}
    lines = [f"read {data['source'] or 'no file: all settings are defaults'}"]
    lines.append(f"changed: {', '.join(data['changed']) or 'nothing'}")
    lines += [f"{name} needs a restart" for name in data["restart"]]
    return Result(data, "\n".join(lines))
