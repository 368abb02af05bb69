"""What a command comes to: a result to show, or a failure with an exit code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..admin.outcome import Exit, Failure

__all__ = ["Exit", "Failure", "Result", "failure_of"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a command shows when it worked.

    :ivar data: for ``--json``; its keys are the same every time.
    :ivar text: for people; lines without the last line end, may be empty.
    """

    data: dict[str, Any]
    text: str
    code: Exit = Exit.OK


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
