"""``mailhub init``: a configuration to start from."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from ..config.kinds import Unfit, host_name
from ..config.loading import USUAL_FILES
from ..config.text import commented
from .invocation import Invocation
from .new_file import write_new
from .outcome import Exit, Failure, Result
from .spelling import canonical_domain


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("domain", metavar="DOMAIN", help="whose mail this server takes")
    parser.add_argument(
        "--host-name", metavar="NAME", help="of this machine; mail.DOMAIN if not given"
    )
    parser.add_argument(
        "--public",
        action="store_true",
        help="listen on all addresses, on the standard ports",
    )
    parser.set_defaults(run=write)


def write(invocation: Invocation) -> Result:
    """JSON: ``{"config": PATH, "domain": NAME, "host_name": NAME}``."""
    options, folder = invocation.options, invocation.terminal.folder
    domain = canonical_domain(options.domain)
    name = options.host_name or f"mail.{domain}"
    try:
        name = host_name().read(name, "")
    except Unfit as unfit:
        raise Failure(Exit.DATA_WRONG, f"{name}: {unfit}") from None
    chosen: dict[tuple[str, str], Any] = {
        ("server", "host_name"): name,
        ("mail", "postmaster"): f"postmaster@{domain}",
    }
    if options.data is not None:
        chosen["server", "data"] = os.path.join(folder, options.data)
    if options.public:
        chosen["listen", "profile"] = "public"
    path = os.path.join(folder, options.config or USUAL_FILES[0])
    write_new(path, commented(chosen))
    text = (
        f"wrote {path}\n"
        f"next: mailhub user add postmaster@{domain}\n"
        "then: twistd -n mailhub"
    )
    return Result({"config": path, "domain": domain, "host_name": name}, text)
