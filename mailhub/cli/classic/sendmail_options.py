"""What ``sendmail`` was called for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...mail.envelope import Notify
from ..outcome import Exit, Failure
from .options import Takes, read

T = TypeVar("T")

_LETTERS = (
    dict.fromkeys("EGUimnstvx", Takes.NOTHING)
    | dict.fromkeys("ABCDFLMNOPQRVXbfhopr", Takes.VALUE)
    | dict.fromkeys("dq", Takes.REST)
)
#: What -b may be, and what that is for.
MODES = {
    "m": "send", "a": "send", "s": "smtp", "p": "list", "d": "start", "l": "start",
    "D": "start", "h": "nothing", "H": "nothing", "i": "aliases",
    "v": "verify",
}  # fmt: skip
_NOTIFY = {
    "success": Notify.SUCCESS, "failure": Notify.FAILURE, "delay": Notify.DELAY
}  # fmt: skip
_BODIES = {"7BIT": "7BIT", "8BITMIME": "8BITMIME"}


@dataclass(slots=True)
class Call:
    """One call.

    :ivar mode: a value of :data:`MODES`, or ``flush``.
    :ivar sender: of the envelope; ``None``: the caller.
    :ivar name: the caller's, for ``From:``; ``None``: not given.
    :ivar dot_ends: whether a line with only a dot ends the message.
    :ivar reads_recipients: whether they stand in the message's header.
    :ivar only: what is flushed: kind (``I``, ``R`` or ``S``) and text.
    :ivar folder: of the queue, as -oQ names it.
    :ivar submission: whether it is about what users submit (-Ac).
    """

    mode: str = "send"
    sender: str | None = None
    name: str | None = None
    dot_ends: bool = True
    reads_recipients: bool = False
    notify: Notify | None = None
    ret: str | None = None
    envid: str | None = None
    body: str = "8BITMIME"
    only: tuple[str, str] | None = None
    folder: str = ""
    submission: bool = False
    recipients: list[str] = field(default_factory=list)


def parse(arguments: Sequence[str], mode: str = "send") -> Call:
    """The call that a command line is.

    :param mode: what it is for unless an option tells otherwise.
    :raises Failure: it is none.
    """
    call = Call(mode)
    options, call.recipients = read(arguments, _LETTERS)
    for letter, value in options:
        _take(call, letter, value)
    return call


#: Options whose values are kept as they are.
_KEPT = {"f": "sender", "r": "sender", "F": "name", "V": "envid"}


def _take(call: Call, letter: str, value: str) -> None:
    match letter:
        case _ if letter in _KEPT:
            setattr(call, _KEPT[letter], value)
        case "b":
            call.mode = _one_of(MODES, value[:1], f"-b{value}")
        case "q":
            _take_queue(call, value)
        case "i":
            call.dot_ends = False
        case "t":
            call.reads_recipients = True
        case "N":
            call.notify = _notify(value)
        case "R":
            rets = {"full": "FULL", "hdrs": "HDRS"}
            call.ret = _one_of(rets, value.lower(), f"-R {value}")
        case "B":
            call.body = _one_of(_BODIES, value.upper(), f"-B {value}")
        case "o":
            _take_old(call, value)
        case "A":
            call.submission = value == "c"
        case "O" if value.lower().startswith("queuedirectory="):
            call.folder = value.partition("=")[2]
        # Whatever else there is says nothing to this server.


def _take_old(call: Call, value: str) -> None:
    """``-ox``: options from before they had names."""
    if value == "i":
        call.dot_ends = False
    elif value.startswith("Q"):
        call.folder = value[1:]


def _take_queue(call: Call, value: str) -> None:
    """``-q``, ``-qI``, ``-qR``, ``-qS``; an interval is the server's own affair."""
    mode = "flush"
    match value[:1]:
        case "" | "G":
            pass
        case "f" if len(value) == 1:
            pass
        case "I" | "R" | "S" if len(value) > 1:
            call.only = value[0], value[1:]
        case first if first == "p" or first.isdigit():
            mode = "nothing"
        case _:
            raise Failure(Exit.USAGE, f"cannot do -q{value}")
    if call.mode == "send":
        call.mode = mode


def _notify(value: str) -> Notify:
    words = [word.strip().lower() for word in value.split(",")]
    if words == ["never"]:
        return Notify.NEVER
    notify = Notify.NEVER
    for word in words:
        notify |= _one_of(_NOTIFY, word, f"-N {value}")
    return notify


def _one_of(table: dict[str, T], key: str, option: str) -> T:
    try:
        return table[key]
    except KeyError:
        raise Failure(Exit.USAGE, f"cannot do {option}") from None
