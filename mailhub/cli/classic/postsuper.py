"""``postsuper``: remove messages from the queue, hold them, release them.

::

    postsuper [-d ID] [-h ID] [-H ID] [-r ID] [QUEUE ...]

``ALL`` is every message, and ``-`` stands for the names on standard input.  The queues
are ``hold``, ``incoming``, ``active`` and ``deferred``; without one it is all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..invocation import Invocation
from ..outcome import Exit, Failure
from ..queue_access import messages, perform
from ..queue_text import state_of
from .options import Takes, read

_LETTERS = dict.fromkeys("psSv", Takes.NOTHING) | dict.fromkeys(
    "cdefhHr", Takes.VALUE
)
QUEUES = ("hold", "incoming", "active", "deferred")
#: Messages that are changed together.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Deed:
    """What an option does.

    :ivar held: the only messages it is for, if so.
    """

    alteration: dict[str, Any]
    each: str
    total: str
    held: bool | None = None


def _deed(letter: str) -> _Deed | None:
    match letter:
        case "d":
            return _Deed({"delete": True}, "removed", "Deleted")
        case "h":
            hold = {"hold": "held by the administrator"}
            return _Deed(hold, "placed on hold", "Placed on hold", held=False)
        case "H":
            hold = {"hold": ""}
            return _Deed(hold, "released from hold", "Released from hold", held=True)
        case "r":
            # What was found out is forgotten, and where it goes is decided anew.
            return _Deed({"hold": "", "retry": True}, "requeued", "Requeued")
        case "e" | "f":
            expires = {"expires": time.time(), "retry": True}
            return _Deed(expires, "expired", "Force-expired")
    return None


def main(invocation: Invocation, arguments: Sequence[str]) -> None:
    """
    :raises Failure: it makes no sense, or was not done.
    """
    options, queues = read(arguments, _LETTERS, mixed=True)
    unknown = [queue for queue in queues if queue not in QUEUES]
    if unknown:
        raise Failure(Exit.USAGE, f"no such queue: {', '.join(unknown)}")
    for letter, value in options:
        deed = _deed(letter)
        if deed is not None:
            _perform(invocation, deed, _named(invocation, value), queues or QUEUES)


def _named(invocation: Invocation, value: str) -> list[str] | None:
    """Messages by name; ``None`` for all."""
    if value == "ALL":
        return None
    if value == "-":
        return [name for line in invocation.terminal.stdin for name in line.split()]
    return [value]


def _perform(
    invocation: Invocation, deed: _Deed, named: list[str] | None, queues: Sequence[str]
) -> None:
    done = 0
    for chosen in _chosen(invocation, deed, named, queues):
        perform(
            invocation, "change",
            selection={"queue_ids": chosen}, alteration=deed.alteration,
        )  # fmt: skip
        if named is not None:
            for name in chosen:
                invocation.terminal.tell(f"postsuper: {name}: {deed.each}")
        done += len(chosen)
    plural = "" if done == 1 else "s"
    invocation.terminal.tell(f"postsuper: {deed.total}: {done} message{plural}")


def _chosen(
    invocation: Invocation, deed: _Deed, named: list[str] | None, queues: Sequence[str]
) -> Iterator[list[str]]:
    """Names of messages, some at a time."""
    names = named or []
    lots: list[dict[str, Any]] = [{}]
    if named is not None:
        lots = [
            {"queue_ids": names[start : start + _AT_ONCE]}
            for start in range(0, len(names), _AT_ONCE)
        ]
    found = [
        message["id"]
        for lot in lots
        for message in messages(invocation, lot)
        if _is_meant(message, deed, queues)
    ]
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]


def _is_meant(message: dict[str, Any], deed: _Deed, queues: Sequence[str]) -> bool:
    state = state_of(message)
    return state in queues and deed.held in (None, state == "hold")
