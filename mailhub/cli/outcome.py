"""What a command comes to: a result to show, or a failure with an exit code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes, as in ``sysexits.h``."""

    OK = 0
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


@dataclass(frozen=True, slots=True)
class Result:
    """What a command shows when it worked.

    :ivar data: for ``--json``; its keys are the same every time.
    :ivar text: for people; lines without the last line end, may be empty.
    """

    data: dict[str, Any]
    text: str
    code: Exit = Exit.OK


class Failure(Exception):
    """A command did not do what it was asked for.

    :ivar detail: more for ``--json``, beside code and text.
    """

    def __init__(self, code: Exit, text: str, **detail: Any) -> None:
        super().__init__(text)
        self.code = code
        self.detail = detail


def failure_of(error: Exception) -> Failure:
    """*error* in the words of this module.

    :raises Exception: *error* itself, where it is a bug.
    """
    from ..config.faults import ConfigError
    from ..errors import LocalFault, MailError

    match error:
        case Failure():
            return error
        case ConfigError():
            faults = [asdict(fault) for fault in error.faults]
            return Failure(Exit.CONFIG, str(error), faults=faults)
        case EOFError():
            return Failure(Exit.NO_INPUT, "expected a password, but the input ended")
        case LocalFault() if _is_refusal(error.__cause__):
            return Failure(Exit.NO_PERMISSION, str(error))
        case LocalFault():
            return Failure(Exit.TRY_AGAIN, str(error))
        case MailError():
            return Failure(Exit.UNAVAILABLE, str(error))
        case OSError():
            code = Exit.NO_PERMISSION if _is_refusal(error) else Exit.CANNOT_CREATE
            return Failure(code, f"{error.filename}: {error.strerror}")
    raise error


def _is_refusal(error: BaseException | None) -> bool:
    """Whether the system, or SQLite on its behalf, forbids something."""
    if isinstance(error, PermissionError):
        return True
    # SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (3, 8, 14)
