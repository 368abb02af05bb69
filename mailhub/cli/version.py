"""``mailhub version``."""

from __future__ import annotations

from argparse import ArgumentParser
from importlib.metadata import PackageNotFoundError, version

from .invocation import Invocation
from .outcome import Result

#: What a checkout that was never installed calls itself.
UNKNOWN = "0+unknown"


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=show)


def show(invocation: Invocation) -> Result:
    """JSON: ``{"version": "1.2.3"}``."""
    try:
        number = version("mailhub")
    except PackageNotFoundError:
        number = UNKNOWN
    return Result({"version": number}, f"mailhub {number}")
