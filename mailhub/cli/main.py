"""The ``mailhub`` command: finds the sub-command, runs it, shows what it says.

Each sub-command is a module with ``add_arguments(parser)``, imported only when it
is the one that was asked for; it sets ``run``, which takes an
:class:`~mailhub.cli.invocation.Invocation` and returns a
:class:`~mailhub.cli.outcome.Result`.  With ``--json`` exactly one JSON object is
written to standard output, also for a failure: ``{"error": {"code", "text"}}``.
"""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS, ArgumentParser, HelpFormatter, Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .invocation import Invocation, Terminal
from .outcome import Exit, Failure, Result, failure_of

#: Sub-commands: module and help.
COMMANDS = {
    "init": ("init", "write a configuration"),
    "user": ("user", "users: add, list, passwd, remove, show"),
    "domain": ("domain", "domains: add, list, remove"),
    "alias": ("alias", "aliases: add, list, remove"),
    "queue": ("queue", "mail that waits: list, show, flush, retry, hold, delete ..."),
    "forward": ("forward", "users' mail that is sent on: set, remove, list"),
    "trace": ("trace", "explain where mail for an address goes"),
    "dns": ("dns", "ask the server's resolver: lookup, policy"),
    "config": ("config", "the configuration: check, default, show"),
    "import": ("import_files", "make one from sendmail.cf or main.cf"),
    "status": ("status", "show how the running server is"),
    "sessions": ("sessions", "show who is connected to it"),
    "who": ("sessions", "the same"),
    "kick": ("kick", "end the sessions of a user or of an address"),
    "reload": ("reload", "let it read its configuration again"),
    "stop": ("stop", "let its sessions finish, and end it"),
    "verify": ("verify", "compare the mail store with what it should hold"),
    "version": ("version", "show the version"),
}
#: What shells call a command that Ctrl-C ended, and one whose reader went away.
INTERRUPTED = 130
NOT_READ = 141


class Parser(ArgumentParser):
    """A parser that exits with EX_USAGE, and loads its arguments when needed.

    :param module: of this package; adds the arguments of a sub-command.
    """

    def __init__(self, *, module: str | None = None, **settings: Any) -> None:
        settings |= {"allow_abbrev": False, "formatter_class": _narrow}
        super().__init__(**settings)
        self._module = module

    def parse_known_args(self, args=None, namespace=None):
        if self._module is not None:
            module, self._module = self._module, None
            import_module(f"{__package__}.{module}").add_arguments(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise Failure(Exit.USAGE, f"{message}\n{self.format_usage().rstrip()}")


def _narrow(prog: str) -> HelpFormatter:
    """Help for 80 columns: asking the terminal takes a slow import at each start."""
    return HelpFormatter(prog, width=80)


def make_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(prog="mailhub", description="Look after a mailhub mail server.")
    _add_shared(parser, nested=False)
    commands = _add_choices(parser, "command")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, module=module)
        _add_shared(command, nested=True)
    return parser


def add_actions(parser: ArgumentParser) -> Any:
    """Where the actions of a sub-command (``user add``) are added."""
    return _add_choices(parser, "action")


def _add_choices(parser: ArgumentParser, name: str) -> Any:
    return parser.add_subparsers(metavar=name, required=True, prog=parser.prog)


def add_action(actions: Any, name: str, run: Any, text: str) -> ArgumentParser:
    """The parser of action *name*, which *run* performs."""
    parser: ArgumentParser = actions.add_parser(name, help=text, description=text)
    _add_shared(parser, nested=True)
    parser.set_defaults(run=run)
    return parser


def run(arguments: Sequence[str], terminal: Terminal) -> int:
    """Perform the command line *arguments*; the exit code."""
    try:
        options = make_parser().parse_args(arguments)
        result = options.run(Invocation(options, terminal))
    except Exception as error:
        return _show_failure(failure_of(error), "--json" in arguments, terminal)
    _show(result, options, terminal)
    return result.code


def main() -> int:
    """The command as the shell calls it."""
    terminal = Terminal(sys.stdin, sys.stdout, sys.stderr, os.environ, os.getcwd())
    try:
        code = run(sys.argv[1:], terminal)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads the output has seen enough; Python would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_READ
    return code


def _show(result: Result, options: Namespace, terminal: Terminal) -> None:
    if options.json:
        _write_json(result.data, terminal)
    elif result.text:
        terminal.stdout.write(f"{result.text}\n")


def _show_failure(failure: Failure, as_json: bool, terminal: Terminal) -> int:
    if as_json:
        error = {"code": int(failure.code), "text": str(failure), **failure.detail}
        _write_json({"error": error}, terminal)
    else:
        terminal.tell(f"mailhub: {failure}")
    return failure.code


def _write_json(data: object, terminal: Terminal) -> None:
    import json  # for those who ask for it

    json.dump(data, terminal.stdout, indent=2, ensure_ascii=False)
    terminal.stdout.write("\n")


def _add_shared(parser: ArgumentParser, *, nested: bool) -> None:
    """Options that may stand anywhere on the command line."""
    # A sub-command that was not given one must not undo what stood before it.
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=SUPPRESS if nested else None,
        help="the configuration, instead of the one that is found",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        default=SUPPRESS if nested else None,
        help="the data folder, instead of the configuration's",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=SUPPRESS if nested else False,
        help="write one JSON object",
    )
