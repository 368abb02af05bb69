"""The version of this program."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

#: What a checkout that was never installed calls itself.
UNKNOWN = "0+unknown"


def program_version() -> str:
    """As its package tells it."""
    try:
        return version("mailhub")
    except PackageNotFoundError:
        return UNKNOWN
