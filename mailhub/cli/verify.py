"""``mailhub verify``: whether the store holds what it says it holds.

The exit code is 0 if it does, 1 if something is wrong that has not been repaired,
and one of ``sysexits.h`` if that could not be found out.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..admin.outcome import Exit
from ..config.faults import ConfigError
from .invocation import Invocation, Terminal
from .outcome import Failure, Result
from .spelling import canonical_address

if TYPE_CHECKING:
    from ..store.sqlite.verify.checking import Report

#: Seconds between two lines that tell how far it is.
_PACE = 0.5
#: What takes such a line away again.
_ERASE = "\r\x1b[K"


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=verify)
    parser.add_argument("--account", metavar="ADDRESS", help="this user's mail only")
    parser.add_argument(
        "--quick", action="store_true", help="leave the octets of messages unread"
    )
    parser.add_argument(
        "--repair", action="store_true", help="put right what is safe to put right"
    )
    parser.add_argument(
        "--rescue",
        metavar="ADDRESS",
        help="with --repair: messages that are in no mailbox go to this user",
    )


def verify(invocation: Invocation) -> Result:
    """JSON::

        {"store": PATH, "quick": BOOL, "account": ADDRESS or null,
         "messages": NUMBER, "octets": NUMBER, "found": NUMBER, "left": NUMBER,
         "counts": {KIND: NUMBER},
         "findings": [{"kind", "account", "mailbox", "uid", "blob", "detail",
                       "repairable", "repaired"}]}
    """
    from ..errors import UnknownRecipient
    from ..store.sqlite.verify import checking

    options = invocation.options
    if options.rescue and not options.repair:
        raise Failure(Exit.USAGE, "--rescue goes with --repair")
    config = invocation.config()
    if config.store.kind != "sqlite":
        fault = config.fault("store", "kind", "keeps nothing that could be verified")
        raise ConfigError([fault])
    wish = checking.Wish(
        account=_address(options.account),
        repair=options.repair,
        quick=options.quick,
        rescue=_address(options.rescue),
    )
    progress = Progress(invocation.terminal)
    try:
        report = checking.verify(config.server.data, wish, tell=progress.tell)
    except UnknownRecipient as error:
        raise Failure(Exit.NO_USER, str(error)) from None
    finally:
        progress.end()
    code = Exit.FOUND if report.left else Exit.OK
    return Result(_data(config.server.data, wish, report), _text(report), code)


def _address(text: str | None) -> str | None:
    return None if text is None else canonical_address(text)


def _data(store: str, wish: Any, report: Report) -> dict[str, Any]:
    return {
        "store": store,
        "account": wish.account,
        "quick": wish.quick,
        "messages": report.messages,
        "octets": report.octets,
        "found": sum(report.counts.values()),
        "left": report.left,
        "counts": {kind.value: number for kind, number in report.counts.items()},
        "findings": [each.as_json() for each in report.listed],
    }


def _text(report: Report) -> str:
    found = sum(report.counts.values())
    lines = [str(each) for each in report.listed]
    if found > len(lines):
        lines.append(f"and {found - len(lines)} more")
    seen = f"{report.messages} messages, {report.octets} octets read"
    if found:
        repaired = found - report.left
        lines.append(f"{seen}: {found} findings, {repaired} of them repaired")
    else:
        lines.append(f"{seen}: nothing is wrong")
    return "\n".join(lines)


class Progress:
    """One line on a terminal that tells how far it is; nothing elsewhere.

    :param seconds: a clock that only goes forward.
    """

    def __init__(
        self, terminal: Terminal, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._output = terminal.stderr if terminal.stderr.isatty() else None
        self._seconds = seconds
        self._due = seconds() + _PACE
        self._shown = False

    def tell(self, name: str, done: int, of: int) -> None:
        """*done* of about so many pieces of the work called *name*."""
        if self._output is not None and self._seconds() > self._due:
            self._due = self._seconds() + _PACE
            self._shown = True
            self._output.write(f"{_ERASE}verifying {name}: {done} of {of}")
            self._output.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._output is not None and self._shown:
            self._output.write(_ERASE)
            self._output.flush()
