"""What a router decides about an address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..errors import (
    LocalFault,
    MailError,
    Refused,
    RelayDenied,
    RoutingLoop,
    Status,
    UnknownRecipient,
)
from ..mail.account import Account, Target


class Outcome(Enum):
    """What a decision comes to."""

    LOCAL = "taken here"
    RELAY = "passed on for everybody"
    BOUNCE = "passed back to who sent what was forwarded"
    ELSEWHERE = "another server's"
    UNKNOWN = "nobody here"
    DISABLED = "an account that takes no mail now"
    LOOP = "aliases without an end"
    REFUSED = "refused by a rule"
    BROKEN = "rules that cannot be followed"


class Misrouted(LocalFault):
    """What should say where mail goes cannot be followed; a person has to mend it."""

    status = Status.DIRECTORY_FAULT


@dataclass(frozen=True, slots=True)
class Step:
    """One turn on the way: *address* was *found* to be this."""

    address: str
    found: str


@dataclass(frozen=True, slots=True)
class Departure:
    """Where mail leaves for.

    :ivar recipient: the address for RCPT, as it is written on the wire.
    :ivar destination: as in :class:`mailhub.mail.queued.Outgoing`.
    :ivar owner: whom bounces go to instead of the message's sender: who looks after
        the list that led to it.  The same form as *recipient*.
    :ivar via: the addresses here that led to it, from the one that the mail came for
        on; none if it was for *recipient* from the start.
    """

    recipient: str
    destination: str
    owner: str | None = None
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Where mail for *address* goes.

    Without targets and departures, and still ``LOCAL``, it is thrown away.

    :ivar targets: mailboxes here, each once, in the order they were found.
    :ivar accounts: whose they are.
    :ivar departures: what goes out, each once.
    :ivar owners: login names of those who may use the address as theirs: accounts
        that it leads to, but not by somebody's forward.
    :ivar refusal: of a rule, if ``REFUSED``.
    :ivar hold: why what it leads to waits for a person; ``""`` if it does not.
    :ivar lasts: whether it stands while nothing has changed; else time matters.
    :ivar steps: how the decision came about.
    """

    address: str
    outcome: Outcome
    targets: tuple[Target, ...] = ()
    accounts: tuple[Account, ...] = ()
    departures: tuple[Departure, ...] = ()
    owners: frozenset[str] = frozenset()
    refusal: Refused | None = None
    hold: str = ""
    lasts: bool = True
    steps: tuple[Step, ...] = ()

    @property
    def places(self) -> int:
        """How many mailboxes and addresses it leads to."""
        return len(self.targets) + len(self.departures)

    def objection(self) -> MailError | None:
        """Why mail from a stranger cannot go there, or ``None``."""
        match self.outcome:
            case Outcome.LOCAL | Outcome.RELAY | Outcome.BOUNCE:
                return None
            case Outcome.ELSEWHERE:
                return RelayDenied(f"{self.address} is not local")
            case Outcome.UNKNOWN:
                return UnknownRecipient(f"no {self.address}")
            case Outcome.DISABLED:
                # Not for good: the account may be back before the sender gives up.
                return Refused(
                    "Mailbox disabled", status=Status.MAILBOX_DISABLED, permanent=False
                )
            case Outcome.LOOP:
                return RoutingLoop(f"aliases of {self.address} never end")
            case Outcome.REFUSED:
                return None if self.refusal is None else self.refusal.again()
            case Outcome.BROKEN:
                return Misrouted(f"{self.address}: {self.steps[-1].found}")
