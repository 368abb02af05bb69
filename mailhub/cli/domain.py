"""``mailhub domain``: the domains whose mail is for here."""

from __future__ import annotations

from argparse import ArgumentParser

from .directory import perform
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Result
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
    data = perform(invocation, "domain add", domain=domain)
    return Result(data, f"added {domain}")


def remove(invocation: Invocation) -> Result:
    """JSON: ``{"domain": NAME}``."""
    domain = canonical_domain(invocation.options.domain)
    data = perform(invocation, "domain remove", domain=domain)
    return Result(data, f"removed {domain}")


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"domains": [NAME, ...]}``."""
    data = perform(invocation, "domain list")
    return Result(data, "\n".join(data["domains"]))
