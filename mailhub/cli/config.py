"""``mailhub config``: what the server would say of its configuration."""

from __future__ import annotations

import tomllib
from argparse import ArgumentParser

from ..config.text import commented, effective
from ..watched.places import Places
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Result


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    add_action(actions, "check", check, "tell everything that is wrong with it")
    add_action(actions, "default", default, "show all settings with their defaults")
    add_action(actions, "show", show, "show the settings in force")


def check(invocation: Invocation) -> Result:
    """JSON: ``{"source": PATH or null, "remarks": [...]}``; faults are in
    ``error.faults``, also those of files that it names.
    """
    config = invocation.config()
    if config.tls.certificate:
        from ..config.identity import given_certificate  # slow to import

        given_certificate(config)
    remarks: list[str] = []
    if config.files != Places():
        from ..assembly.tables import Tables  # likewise

        remarks = list(map(str, Tables.here(config).read()))
    source = config.source or "no configuration file; all settings are defaults"
    text = "\n".join([f"{source}: right", *remarks])
    return Result({"source": config.source, "remarks": remarks}, text)


def default(invocation: Invocation) -> Result:
    """JSON: ``{"text": TOML}``."""
    text = commented()
    return Result({"text": text}, text.rstrip("\n"))


def show(invocation: Invocation) -> Result:
    """JSON: ``{"source": PATH or null, "settings": {table: {key: value}}}``."""
    config = invocation.config()
    tables = effective(config)
    lines = [f"# from {config.source}" if config.source else "# all defaults"]
    for name, settings in tables.items():
        lines += ["", f"[{name}]", *(f"{k} = {v}" for k, v in settings.items())]
    values = {
        name: {k: tomllib.loads(f"v = {v}")["v"] for k, v in settings.items()}
        for name, settings in tables.items()
    }
    return Result({"source": config.source, "settings": values}, "\n".join(lines))
