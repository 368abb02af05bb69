"""``mailhub trace``: where mail for an address would go, and why."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from ..admin.client import find
from .directory import answered, reading
from .invocation import Invocation
from .outcome import Exit, Failure, Result

if TYPE_CHECKING:
    from ..config.settings import Config

#: How the null sender is written.
_NULL = ("", "<>")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument(
        "--from",
        dest="sender",
        metavar="SENDER",
        default="",
        help="who would send it; nobody, unless given",
    )
    parser.set_defaults(run=trace)


def trace(invocation: Invocation) -> Result:
    """JSON: see :func:`mailhub.routing.tracing.explain`; and for each that leaves the
    ``way``: ``mx`` for what DNS says, or one that the configuration names.
    """
    options = invocation.options
    address = written_address(options.address)
    sender = "" if options.sender in _NULL else written_address(options.sender)
    config = invocation.config()
    data = decided(config, address, sender)
    for each in data["leaves"]:
        each["way"] = _way(config, each["destination"], each["sender"] or sender)
    return Result(data, _text(data))


def decided(config: Config, address: str, sender: str = "") -> dict[str, Any]:
    """What :func:`mailhub.routing.tracing.trace` says, in the server or without one.

    :raises Failure: nobody can say.
    """
    server = find(config.server.data)
    if server is None:
        return _trace_here(config, address, sender)
    with server:
        return answered(server.ask("trace", address=address, sender=sender))


def written_address(text: str) -> str:
    """*text*, which is an address; its spelling stays.

    :raises Failure: it is none.
    """
    from ..errors import MailError
    from ..mail.address import format_mailbox, parse_mailbox

    try:
        address = parse_mailbox(text.encode(), smtputf8=True)
        return format_mailbox(address).decode()
    except (MailError, UnicodeEncodeError) as error:
        raise Failure(Exit.DATA_WRONG, f"{text!r} is no address: {error}") from None


def _trace_here(config: Config, address: str, sender: str) -> dict[str, Any]:
    """Without a server."""
    from zope.interface import directlyProvides

    from ..assembly.stores import router_of
    from ..assembly.tables import Tables
    from ..powers import IForwards
    from ..routing.tracing import trace
    from ..store.sqlite.at_once import perform_at_once

    def work(directory: Any) -> Awaitable[dict[str, Any]]:
        # It does not say so itself: other commands do without zope.
        directlyProvides(directory, IForwards)
        router = router_of(config, directory, Tables.here(config).sources)
        return trace(router, address, sender)

    with reading(config) as directory:
        return perform_at_once(work, directory)


def _way(config: Config, destination: str, sender: str) -> str:
    from ..outbound.routes import routes_of

    return routes_of(config.outbound).find(destination, sender).text


def _text(data: dict[str, Any]) -> str:
    lines = [f"{step['address']}: {step['found']}" for step in data["steps"]]
    lines += ["", f"{data['address']}: {data['meaning']}"]
    if data["hold"]:
        lines.append(f"  waits for a person: {data['hold']}")
    lines += [f"  {each['user']}, {each['mailbox']}" for each in data["mailboxes"]]
    for each in data["leaves"]:
        line = f"  {each['recipient']}, by {each['destination']}"
        if each["way"] not in ("mx", each["destination"]):
            line += f" through {each['way']}"
        if each["sender"] is not None:
            line += f", from {each['sender']}"
        lines.append(line)
    if data["outcome"] == "local" and not data["mailboxes"] + data["leaves"]:
        lines.append("  thrown away")
    if data["strangers"] is not None:
        lines.append(f"  strangers are told: {data['strangers']}")
    if data["users"] is not None:
        lines.append(f"  users are told: {data['users']}")
    return "\n".join(lines)
