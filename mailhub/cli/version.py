"""``mailhub version``."""

from __future__ import annotations

from argparse import ArgumentParser

from ..admin.version import program_version
from .invocation import Invocation
from .outcome import Result


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=show)


def show(invocation: Invocation) -> Result:
    """JSON: ``{"version": "1.2.3"}``."""
    number = program_version()
    return Result({"version": number}, f"mailhub {number}")
