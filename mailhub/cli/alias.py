"""``mailhub alias``: addresses whose mail goes to others."""

from __future__ import annotations

from argparse import ArgumentParser

from .directory import perform
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Result
from .spelling import TARGETS, canonical_address, canonical_domain, canonical_target

#: What to expect of an alias that leads to another server.
OUTBOUND = "mail for it is sent on to its server"


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    action = add_action(actions, "add", add, "send an address's mail to others")
    action.add_argument("address", metavar="ADDRESS", help="or @DOMAIN for the rest")
    action.add_argument("targets", metavar="TARGET", nargs="+", help=TARGETS)
    action.add_argument(
        "--replace", action="store_true", help="even if there is such an alias"
    )
    action = add_action(actions, "remove", remove, "remove an alias")
    action.add_argument("address", metavar="ADDRESS")
    add_action(actions, "list", list_all, "show all aliases")


def add(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS, "targets": [ADDRESS, ...]}``."""
    options = invocation.options
    address = _canonical(options.address)
    targets = list(dict.fromkeys(map(canonical_target, options.targets)))
    data = perform(
        invocation, "alias add",
        address=address, targets=targets, replace=options.replace,
    )  # fmt: skip
    for target in data.pop("elsewhere"):
        invocation.terminal.tell(f"{target} is not here: {OUTBOUND}")
    return Result(data, f"{address} goes to {', '.join(targets)}")


def remove(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS}``."""
    address = _canonical(invocation.options.address)
    data = perform(invocation, "alias remove", address=address)
    return Result(data, f"removed {address}")


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"aliases": [{"address": ADDRESS, "targets": [ADDRESS, ...]}]}``."""
    data = perform(invocation, "alias list")
    lines = [f"{a['address']}  {', '.join(a['targets'])}" for a in data["aliases"]]
    return Result(data, "\n".join(lines))


def _canonical(text: str) -> str:
    """An address, or ``@domain``, which catches all that is left."""
    if text.startswith("@"):
        return "@" + canonical_domain(text[1:])
    return canonical_address(text)
