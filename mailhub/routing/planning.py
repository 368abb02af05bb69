"""From decisions about recipients to one delivery: mailboxes and the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..mail.account import Delivery, Target
from ..mail.address import Address, ascii_domain, format_mailbox
from ..mail.envelope import (
    Envelope,
    MailParameters,
    Notify,
    Order,
    RecipientParameters,
)
from ..mail.queue_limits import QueueLimits
from ..mail.queued import Lease, Outgoing, Sending
from ..mail.verp import verp_sender
from ..smtp.trace import return_path
from ..store.content import BytesContent
from .decision import Decision, Departure
from .router import Router

#: The way of mail for mailboxes here that has to wait first.
LOCAL_WAY = "local:"

#: Stands between the name of a transaction and the number of one of its messages;
#: no such name has it.
_MARK = "S"


class Outlet(Protocol):
    """Who sends what is in the queue: :class:`mailhub.queue.scheduler.Scheduler`."""

    @property
    def keeper(self) -> str:
        """Its name in leases."""

    @property
    def has_room(self) -> bool:
        """Whether it could begin to send something at once."""

    def kept_until(self) -> float:
        """Until when new mail may be lent to it."""

    def take(self, leases: Sequence[Lease], content: Any) -> None:
        """Send these now.

        :param content: an ``IContent`` with all octets, or ``None``: it is only in
            the store.
        """


class InTurn:
    """An outlet where another process sends, or one that starts later: what leaves
    waits in the queue for it."""

    keeper = ""
    has_room = False

    def kept_until(self) -> float:
        """Nothing is lent to it."""
        return 0.0

    def take(self, leases: Sequence[Lease], content: Any) -> None:
        """Nobody is given anything: there is never room."""


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of one recipient of a message.

    :ivar orders: of checks, with their reasons.
    """

    address: Address
    decision: Decision
    orders: Mapping[Order, str]


#: What recipients have in common who share a message in the queue: sender, trace
#: lines, why it is held, whether a list sends it to them.
_Kind = tuple[str, bytes, str, bool]


@dataclass(slots=True)
class _Draft:
    """A delivery in the making."""

    targets: dict[Target, None] = field(default_factory=dict)
    outgoing: dict[_Kind, list[Outgoing]] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def put(self, kind: _Kind, outgoing: Outgoing) -> None:
        """Whoever is met again gets no second copy."""
        key = outgoing.recipient.lower(), outgoing.destination
        if key not in self.seen:
            self.seen.add(key)
            self.outgoing.setdefault(kind, []).append(outgoing)


class Planner:
    """Makes deliveries of decisions.

    :param limits: how long mail waits.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        router: Router,
        outlet: Outlet | None,
        limits: QueueLimits,
        now: Callable[[], float],
    ) -> None:
        self._router = router
        self._outlet = outlet
        self._limits = limits
        self._now = now

    async def delivery(
        self,
        envelope: Envelope,
        routes: Sequence[Route | Decision],
        content: Any,
        trace: bytes,
        number: int = 0,
    ) -> Delivery:
        """One delivery to everybody whom *routes* lead to.

        :param routes: a ``Decision`` where there is nothing else to say.
        :param trace: lines on top of the message, those for mailboxes left out.
        :param number: of this delivery among those of the transaction.
        """
        now = self._now()
        prefix = return_path(envelope.sender) + trace
        if all(type(route) is Decision for route in routes):
            targets = _targets_of(routes)  # type: ignore[arg-type]
            return Delivery(content, prefix, targets, int(now))
        draft = _Draft()
        for route in routes:
            if isinstance(route, Decision):
                draft.targets |= dict.fromkeys(route.targets)
            else:
                await self._draft(draft, envelope, route, trace, now)
        sendings = self._sendings(draft, envelope, now, number)
        return Delivery(content, prefix, tuple(draft.targets), int(now), sendings)

    async def _draft(
        self,
        draft: _Draft,
        envelope: Envelope,
        route: Route,
        trace: bytes,
        now: float,
    ) -> None:
        """Add what becomes of one recipient."""
        orders, decision = {**envelope.orders, **route.orders}, route.decision
        if Order.DISCARD in orders:
            return
        hold = decision.hold
        if Order.HOLD in orders:
            hold = orders[Order.HOLD] or "held by a check"
        sender = "" if envelope.sender is None else _written(envelope.sender)
        wishes = envelope.wishes.get(route.address, _NO_WISHES)
        due = self._limits.first_due(envelope.parameters, now)
        if decision.targets and (hold or due > now):
            draft.put((sender, trace, hold, False), _waiting(route.address, wishes))
        else:
            draft.targets |= dict.fromkeys(decision.targets)
        alone = is_passed_on(decision)
        for departure in decision.departures:
            if envelope.sender is not None:
                sender = await self._router.forwarder(envelope.sender, departure)
                if envelope.parameters.verp is not None:
                    delimiters = envelope.parameters.verp
                    sender = verp_sender(sender, departure.recipient, delimiters)
            lines = _delivered_to(departure, envelope.parameters) + trace
            kind = sender, lines, hold, departure.owner is not None
            draft.put(kind, _outgoing(departure, wishes, alone))

    def _sendings(
        self, draft: _Draft, envelope: Envelope, now: float, number: int
    ) -> tuple[Sending, ...]:
        parameters, limits, outlet = envelope.parameters, self._limits, self._outlet
        if parameters.verp is not None:
            parameters = replace(parameters, verp=None)
        of_list = parameters
        if any(from_list for *_, from_list in draft.outgoing):
            # Whoever sends to a list hears of the list only: RFC 3461, section 5.2.7.1.
            of_list = replace(parameters, envid=None, ret=None, deliver_by=None)
        due = limits.first_due(parameters, now)
        keeper, kept_until = None, 0.0
        if outlet is not None and due <= now and outlet.has_room:
            keeper, kept_until = outlet.keeper, outlet.kept_until()
        return tuple(
            Sending(
                queue_id(envelope.id, number, index),
                sender,
                envelope.user,
                of_list if from_list else parameters,
                tuple(outgoing),
                arrived=now,
                due=due,
                expires=limits.expiry(
                    sender, of_list if from_list else parameters, now
                ),
                hold=hold,
                keeper=None if hold else keeper,
                kept_until=0.0 if hold else kept_until,
                prefix=prefix,
            )
            for index, ((sender, prefix, hold, from_list), outgoing)
            in enumerate(draft.outgoing.items())
        )  # fmt: skip

    def is_due(self, envelope: Envelope) -> bool:
        """Whether its mail may be in mailboxes by now (RFC 4865)."""
        now = self._now()
        return self._limits.first_due(envelope.parameters, now) <= now

    def send(self, delivery: Delivery, leases: Iterable[Lease]) -> None:
        """Have what *delivery* has put into the queue sent at once."""
        if self._outlet is None:
            return
        prefixes = {each.queue_id: each.prefix for each in delivery.sendings}
        together: dict[str, list[Lease]] = {}
        for lease in leases:
            together.setdefault(lease.message.queue_id, []).append(lease)
        for name, part in together.items():
            prefix = prefixes[name]
            self._outlet.take(part, _whole(delivery, prefix))


_NO_WISHES = RecipientParameters()


def is_passed_on(decision: Decision) -> bool:
    """Whether it leads to one address elsewhere and nowhere else, not by a list."""
    match decision.departures:
        case (departure,):
            return departure.owner is None and not decision.targets
    return False


def queue_id(transaction: str, number: int, index: int) -> str:
    """The name of a message in the queue: the transaction's, as far as possible."""
    if not number and not index:
        return transaction
    return f"{transaction}{_MARK}{number}{_MARK}{index}"


def _targets_of(decisions: Sequence[Decision]) -> tuple[Target, ...]:
    if len(decisions) == 1:
        return decisions[0].targets
    targets: dict[Target, None] = {}
    for decision in decisions:
        targets |= dict.fromkeys(decision.targets)
    return tuple(targets)


def _waiting(address: Address, wishes: RecipientParameters) -> Outgoing:
    """Mail for mailboxes here that goes there later."""
    destination = LOCAL_WAY + ascii_domain(address.domain)
    return Outgoing(_written(address), destination, wishes.notify, wishes.original)


def _outgoing(
    departure: Departure, wishes: RecipientParameters, alone: bool
) -> Outgoing:
    """RFC 3461, sections 5.2.7.1 to 5.2.7.3: whoever sends to a list hears of the
    list only, and one of several who an alias leads to is no success for all.
    """
    if departure.owner is not None:
        return Outgoing(departure.recipient, departure.destination)
    notify = wishes.notify
    if notify is not None and departure.via and not alone:
        notify &= ~Notify.SUCCESS
    return Outgoing(
        departure.recipient, departure.destination, notify, wishes.original
    )


def _delivered_to(departure: Departure, parameters: MailParameters) -> bytes:
    """The line that a message which comes back is known by.

    Such an address has been parsed, so no line of its own is in it.
    """
    if not departure.via:
        return b""
    address = departure.via[-1]
    if not address.isascii() and not parameters.smtputf8:
        return b""
    return b"Delivered-To: " + address.encode() + b"\r\n"


def _whole(delivery: Delivery, prefix: bytes | None) -> Any:
    content: Any = delivery.content
    data: bytes | None = content.data
    if data is None:
        return None
    return BytesContent((delivery.prefix if prefix is None else prefix) + data)


def _written(address: Address) -> str:
    return format_mailbox(address).decode()
