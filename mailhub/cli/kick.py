"""``mailhub kick``: ends sessions."""

from __future__ import annotations

from argparse import ArgumentParser

from ..auth.identity import canonical_login
from ..errors import AuthenticationFailed
from .invocation import Invocation
from .outcome import Exit, Failure, Result
from .running import running


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "whom",
        metavar="USER|ADDRESS",
        help="a login name; or an IP address, for IPv6 with its /64 network",
    )
    parser.set_defaults(run=kick)


def kick(invocation: Invocation) -> Result:
    """JSON: ``{"whom": NAME, "ended": NUMBER}``."""
    try:
        whom = canonical_login(invocation.options.whom.encode())
    except (AuthenticationFailed, UnicodeEncodeError):
        text = "expected a login name or an IP address"
        raise Failure(Exit.DATA_WRONG, text) from None
    with running(invocation) as server:
        ended = server.ask("kick", whom=whom)["ended"]
    if not ended:
        raise Failure(Exit.NO_USER, f"{whom} is not connected")
    plural = "session" if ended == 1 else "sessions"
    return Result({"whom": whom, "ended": ended}, f"ended {ended} {plural} of {whom}")
