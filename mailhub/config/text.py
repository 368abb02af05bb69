"""A configuration written for people: every setting, its meaning, its default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shlex import join
from textwrap import wrap
from typing import Any

from .kinds import Endpoint
from .schema import TABLES
from .settings import PORTS, Config, profile_endpoints

_WIDTH = 80
_OPENING = """\
Settings of mailhub.  A line such as "# idle = ..." shows a default; take the "#"
away to change it.  Check with: mailhub config check

Sizes are octets, as a number or like "50 MiB" (KiB, MiB, GiB); times are seconds,
as a number or like "5 min" (s, min, h, d).  Relative paths begin at the folder of
this file.  A variable MAILHUB_<TABLE>__<KEY> in the environment overrides a setting
here: MAILHUB_LIMITS__IDLE="1 h"."""


def commented(chosen: Mapping[tuple[str, str], Any] | None = None) -> str:
    """All settings in TOML, with comments.

    :param chosen: values by table and key; all others are shown as comments
        with their defaults.
    """
    chosen = chosen or {}
    lines = [f"# {line}".rstrip() for line in _OPENING.split("\n")]
    for name, table in TABLES.items():
        lines += ["", "", *_comment(table.meaning), f"[{name}]"]
        for key, setting in table.settings.items():
            lines += ["", *_comment(setting.meaning)]
            if (name, key) in chosen:
                lines.append(f"{key} = {setting.kind.show(chosen[name, key])}")
            else:
                default = setting.kind.show(_default(name, key))
                lines.append(f"# {key} = {default}")
    return "\n".join(lines) + "\n"


def effective(config: Config) -> dict[str, dict[str, str]]:
    """The settings in force, in TOML, by table and key."""
    return {
        name: {
            key: setting.kind.show(_value(config, name, key))
            for key, setting in table.settings.items()
        }
        for name, table in TABLES.items()
    }


def announcement(
    config: Config, name: str, endpoints: Iterable[tuple[str, Endpoint]]
) -> str:
    """What the person who has started the server wants to know.

    :param name: what the server calls itself.
    :param endpoints: services, and where they listen.
    """
    lines = [f"mailhub is ready on {name}"]
    lines += [f"    {service:<12} {endpoint}" for service, endpoint in endpoints]
    if not config.tls.certificate:
        lines.append(
            "The certificate is its own; clients will ask whether to trust it."
        )
    command = ["mailhub"]
    if config.source is not None:
        command += ["--config", config.source]
    data = config.origins.get(("server", "data"))
    if data is not None and data.place != config.source:
        command += ["--data", config.server.data]
    in_memory = config.store.kind == "memory"
    kept = f"All mail is in {config.server.data}"
    lines += [
        "Nothing is kept when it stops." if in_memory else kept,
        f"Add a user with: {join(command)} user add you@example.org",
    ]
    return "\n".join(lines)


def _value(config: Config, table: str, key: str) -> Any:
    if table == "listen" and key in PORTS:
        return config.listen.endpoints(key)
    return getattr(getattr(config, table), key)


def _default(table: str, key: str) -> Any:
    if table == "listen" and key in PORTS:
        return profile_endpoints("local", key)
    return TABLES[table].default(key)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, _WIDTH - 2, fix_sentence_endings=True)]
