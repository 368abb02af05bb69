"""``mailhub sessions`` and ``mailhub who``: who is connected to the server."""

from __future__ import annotations

from argparse import ArgumentParser

from .invocation import Invocation
from .outcome import Result
from .running import columns, lasted, running, size


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=show)


def show(invocation: Invocation) -> Result:
    """JSON: ``{"sessions": [...]}``, each with ``service``, ``peer``, ``port``,
    ``user``, ``tls``, ``state``, ``seconds``, ``octets_in``, ``octets_out`` and
    ``worker``; what is not known, or not there, is null.
    """
    with running(invocation) as server:
        data = server.ask("sessions")
    rows = [("service", "peer", "user", "since", "state", "in", "out")] + [
        (
            each["service"], each["peer"] or "-", each["user"] or "-",
            lasted(each["seconds"]), each["state"],
            size(each["octets_in"]), size(each["octets_out"]),
        )
        for each in data["sessions"]
    ]  # fmt: skip
    return Result(data, "\n".join(columns(rows)))
