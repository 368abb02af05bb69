"""``mailhub alias``: addresses whose mail goes to others."""

from __future__ import annotations

from argparse import ArgumentParser

from ..store.sqlite.directory import Directory
from .directory import changing, reading
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Exit, Failure, Result
from .spelling import canonical_address, canonical_domain

#: What to expect of an alias that leads to another server.
OUTBOUND = "mail for it waits at its sender until this server can send"


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    action = add_action(actions, "add", add, "send an address's mail to others")
    action.add_argument("address", metavar="ADDRESS", help="or @DOMAIN for the rest")
    action.add_argument("targets", metavar="TARGET", nargs="+")
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
    targets = list(dict.fromkeys(map(canonical_address, options.targets)))
    with changing(invocation) as directory:
        _check_new(directory, address, options.replace)
        directory.set_alias(address, targets)
        for target in targets:
            if not directory.is_local_domain(target.rpartition("@")[2]):
                invocation.terminal.tell(f"{target} is not here: {OUTBOUND}")
    data = {"address": address, "targets": targets}
    return Result(data, f"{address} goes to {', '.join(targets)}")


def remove(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS}``."""
    address = _canonical(invocation.options.address)
    with changing(invocation) as directory:
        if not directory.remove_alias(address):
            raise Failure(Exit.NO_USER, f"there is no alias {address}")
    return Result({"address": address}, f"removed {address}")


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"aliases": [{"address": ADDRESS, "targets": [ADDRESS, ...]}]}``."""
    with reading(invocation) as directory:
        aliases = directory.aliases()
    return Result(
        {"aliases": [{"address": a.address, "targets": [*a.targets]} for a in aliases]},
        "\n".join(f"{a.address}  {', '.join(a.targets)}" for a in aliases),
    )


def _canonical(text: str) -> str:
    """An address, or ``@domain``, which catches all that is left."""
    if text.startswith("@"):
        return "@" + canonical_domain(text[1:])
    return canonical_address(text)


def _check_new(directory: Directory, address: str, replace: bool) -> None:
    domain = address.rpartition("@")[2]
    if not directory.is_local_domain(domain):
        text = f"there is no domain {domain}; run: mailhub domain add {domain}"
        raise Failure(Exit.NO_HOST, text)
    if not replace and directory.find_alias(address) is not None:
        text = f"{address} is there already; --replace gives it new targets"
        raise Failure(Exit.CANNOT_CREATE, text)
