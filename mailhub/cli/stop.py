"""``mailhub stop``: lets the server finish what it does, and end."""

from __future__ import annotations

from argparse import ArgumentParser

from .invocation import Invocation
from .outcome import Exit, Failure, Result
from .running import running

#: Seconds: more than the longest time that sessions can have to finish in.
_PATIENCE = 660.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=stop)


def stop(invocation: Invocation) -> Result:
    """JSON: ``{"pid": NUMBER}``: of the process that has ended."""
    with running(invocation) as server:
        pid = server.ask("stop")["pid"]
        if not server.wait_for_end(pid, _PATIENCE):
            text = f"the server has not ended within {_PATIENCE:.0f} s"
            raise Failure(Exit.TRY_AGAIN, text)
    return Result({"pid": pid}, "the server has ended")
