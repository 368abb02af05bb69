"""How something that was asked for fails: a text and an exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes, as in ``sysexits.h``; and one for what a command looked for."""

    OK = 0
    FOUND = 1
    USAGE = 64
    DATA_WRONG = 65
    NO_INPUT = 66
    NO_USER = 67
    NO_HOST = 68
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    TRY_AGAIN = 75
    NO_PERMISSION = 77
    CONFIG = 78


class Failure(Exception):
    """A command did not do what it was asked for.

    :ivar detail: more for ``--json``, beside code and text.
    """

    def __init__(self, code: Exit, text: str, **detail: Any) -> None:
        super().__init__(text)
        self.code = code
        self.detail = detail
