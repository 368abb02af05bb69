"""``mailhub forward``: users whose mail is sent on to others."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from .directory import perform
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Result
from .spelling import TARGETS, canonical_address, canonical_target


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    action = add_action(actions, "set", set_one, "send a user's mail on to others")
    action.add_argument("address", metavar="USER")
    action.add_argument("targets", metavar="TARGET", nargs="+", help=TARGETS)
    action.add_argument(
        "--keep", action="store_true", help="the user gets a copy, too"
    )
    action = add_action(actions, "remove", remove, "let a user's mail stay")
    action.add_argument("address", metavar="USER")
    add_action(actions, "list", list_all, "show whose mail is sent on")


def set_one(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS, "targets": [TARGET, ...], "keeps": BOOLEAN}``."""
    options = invocation.options
    data = perform(
        invocation, "forward set",
        address=canonical_address(options.address),
        targets=list(dict.fromkeys(map(canonical_target, options.targets))),
        keeps=options.keep,
    )  # fmt: skip
    del data["elsewhere"]
    return Result(data, _line(data))


def remove(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS}``."""
    address = canonical_address(invocation.options.address)
    data = perform(invocation, "forward remove", address=address)
    return Result(data, f"mail of {address} stays")


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"forwards": [{"address", "targets", "keeps"}]}``."""
    data = perform(invocation, "forward list")
    return Result(data, "\n".join(map(_line, data["forwards"])))


def _line(forward: dict[str, Any]) -> str:
    stays = " and stays" if forward["keeps"] else ""
    return f"{forward['address']}  goes to {', '.join(forward['targets'])}{stays}"
