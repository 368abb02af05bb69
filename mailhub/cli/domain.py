"""``mailhub domain``: the domains whose mail is for here."""

from __future__ import annotations

from argparse import ArgumentParser

from ..errors import NotPermitted
from .directory import changing, reading
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Exit, Failure, Result
from .spelling import canonical_domain


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    for name, run, text in (
        ("add", add, "take mail for a domain"),
        ("remove", remove, "take mail for it no more"),
    ):
        action = add_action(actions, name, run, text)
        action.add_argument("domain", metavar="DOMAIN")
    add_action(actions, "list", list_all, "show all domains")


def add(invocation: Invocation) -> Result:
    """JSON: ``{"domain": NAME}``."""
    domain = canonical_domain(invocation.options.domain)
    with changing(invocation) as directory:
        if not directory.add_domain(domain):
            raise Failure(Exit.CANNOT_CREATE, f"{domain} is there already")
    return Result({"domain": domain}, f"added {domain}")


def remove(invocation: Invocation) -> Result:
    """JSON: ``{"domain": NAME}``."""
    domain = canonical_domain(invocation.options.domain)
    with changing(invocation) as directory:
        try:
            gone = directory.remove_domain(domain)
        except NotPermitted:
            text = f"{domain} has users; remove them first"
            raise Failure(Exit.DATA_WRONG, text) from None
        if not gone:
            raise Failure(Exit.NO_HOST, f"there is no domain {domain}")
    return Result({"domain": domain}, f"removed {domain}")


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"domains": [NAME, ...]}``."""
    with reading(invocation) as directory:
        domains = directory.domains()
    return Result({"domains": domains}, "\n".join(domains))
