"""Finds the command by the name that it was called by."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from ..invocation import Invocation, Terminal
from ..main import INTERRUPTED, NOT_READ
from ..outcome import Exit, failure_of

#: By name: a module of this package, and its function.
COMMANDS = {
    "sendmail": ("sendmail", "main"),
    "mailq": ("sendmail", "mailq"),
    "newaliases": ("newaliases", "main"),
    "makemap": ("makemap", "main"),
    "postqueue": ("postqueue", "main"),
    "postsuper": ("postsuper", "main"),
    "qshape": ("qshape", "main"),
}
#: What stands before each name where it is installed beside other mail servers.
PREFIX = "mailhub-"


def run(name: str, arguments: Sequence[str], terminal: Terminal) -> int:
    """Perform a command.  -> its exit code, one of ``sysexits.h``

    The configuration is the one that the server would find, which ``MAILHUB_CONFIG``
    names where it is in no usual place.
    """
    module, function = COMMANDS[name]
    options = Namespace(config=None, data=None, json=False)
    perform = getattr(import_module(f"{__package__}.{module}"), function)
    try:
        perform(Invocation(options, terminal), arguments)
    except Exception as error:
        failure = failure_of(error)
        terminal.tell(f"{name}: {failure}")
        return failure.code
    return Exit.OK


def main() -> int:
    """The command as the shell calls it."""
    name = os.path.basename(sys.argv[0]).removeprefix(PREFIX)
    terminal = Terminal(sys.stdin, sys.stdout, sys.stderr, os.environ, os.getcwd())
    if name not in COMMANDS:
        terminal.tell(f"{sys.argv[0]}: link it as one of: {', '.join(COMMANDS)}")
        return Exit.USAGE
    try:
        code = run(name, sys.argv[1:], terminal)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_READ
    return code
