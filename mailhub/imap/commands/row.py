"""One command as a row of the table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..session import LOGGED_IN, Conversation, State
from ..syntax import Scanner

#: Reads its arguments, which begin with the space before the first, performs the
#: command and sends its untagged responses.  -> the status, or ``None`` for the
#: row's usual OK, or ``b""`` when the tagged response has been sent already.
Perform = Callable[[Conversation, Scanner], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the server knows.

    :ivar name: in capitals; ``UID`` commands with their second word.
    :ivar states: where it is allowed.
    :ivar capabilities: what CAPABILITY shows for it, in these states.
    :ivar expunges: EXPUNGE may be told together with it (RFC 3501, section 7.4.1).
    """

    name: bytes
    perform: Perform
    states: State = LOGGED_IN
    capabilities: tuple[bytes, ...] = ()
    expunges: bool = True
    completed: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "completed", b"OK %b completed" % self.name)
