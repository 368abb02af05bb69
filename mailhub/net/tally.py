"""What the connections of one service have done so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from twisted.cred.error import LoginFailed

from ..counting import Histogram
from ..errors import AuthenticationFailed, MailError, TooManyAttempts


@dataclass(slots=True, eq=False)
class Tally:
    """Counts since the service began, for whoever wants to know.

    :ivar accepted: connections, those that were turned away included.
    :ivar turned_away: by what was exceeded.
    :ivar handshakes: TLS that was agreed on.
    :ivar broken_handshakes: TLS that never was, for whatever reason.
    :ivar logins: by mechanism and what came of it.
    :ivar messages: that were stored.
    :ivar octets: of these messages, as they came.
    :ivar refusals: SMTP commands by name, and whether it was for good.
    :ivar faults: commands that failed by a bug.
    :ivar commands: how long commands took, by name.
    """

    accepted: int = 0
    turned_away: Counter[str] = field(default_factory=Counter)
    handshakes: int = 0
    broken_handshakes: int = 0
    logins: Counter[tuple[str, str]] = field(default_factory=Counter)
    messages: int = 0
    octets: int = 0
    refusals: Counter[tuple[bytes, bool]] = field(default_factory=Counter)
    faults: int = 0
    commands: dict[bytes, Histogram] = field(default_factory=dict)

    def took(self, command: bytes, seconds: float) -> None:
        """Count a command.

        :param command: the name of one that exists; a peer's invention would be
            remembered for ever.
        """
        histogram = self.commands.get(command)
        if histogram is None:
            histogram = self.commands[command] = Histogram()
        histogram.add(seconds)

    def logged_in(self, mechanism: str, error: Exception | None = None) -> None:
        """Count a login, or what became of it; those without a name are none."""
        if mechanism:
            self.logins[mechanism, "ok" if error is None else _outcome(error)] += 1

    def refused(self, command: bytes, error: MailError) -> None:
        """Count an SMTP command that was not done."""
        self.refusals[command, error.permanent] += 1


def _outcome(error: Exception) -> str:
    """What came of a login that failed with *error*, in a word."""
    if isinstance(error, TooManyAttempts):
        return "throttled"
    if isinstance(error, (AuthenticationFailed, LoginFailed)):
        return "failed"
    return "unavailable"
