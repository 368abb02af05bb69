"""The steps of a session with another server, and how long each may take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """What a client waits for; the values are the words for people."""

    CONNECT = "the connection"
    GREETING = "the greeting"
    HELLO = "the answer to EHLO"
    TLS = "TLS"
    LOGIN = "the login"
    MAIL = "the answer to MAIL"
    RECIPIENT = "the answer to RCPT"
    DATA = "the answer to DATA"
    CONTENT = "the message to be read"
    END = "the answer to the message"
    RESET = "the answer to RSET"


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that each step may take (RFC 5321, section 4.5.3.2).

    :ivar short: for what that section names no time for: TLS, login, RSET.
    :ivar content: for the other side to read a piece of a message.
    """

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    content: float = 180.0
    end: float = 600.0
    short: float = 60.0

    def for_step(self, step: Step) -> float:
        """The seconds of *step*."""
        return float(getattr(self, _FIELDS[step]))


_FIELDS = {
    Step.CONNECT: "connect",
    Step.GREETING: "greeting",
    Step.HELLO: "command",
    Step.TLS: "short",
    Step.LOGIN: "short",
    Step.MAIL: "command",
    Step.RECIPIENT: "command",
    Step.DATA: "data",
    Step.CONTENT: "content",
    Step.END: "end",
    Step.RESET: "short",
}
