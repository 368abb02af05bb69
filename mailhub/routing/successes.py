"""What senders are told of mail that has arrived (RFC 3461, sections 5.2.3, 5.2.7)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..mail.account import Delivery
from ..mail.address import Address, format_mailbox
from ..mail.dsn import (
    MAX_RETURNED_HEADER,
    Action,
    RecipientReport,
    Report,
    letter_of,
)
from ..mail.envelope import Envelope, RecipientParameters
from ..mail.queued import Letter
from .planning import Route


class Successes:
    """Writes the notifications, each as a delivery of its own.

    With the message's header only (RFC 3461, section 6.2).

    :param host_name: what this server calls itself.
    :param dispatch: see :meth:`.dispatching.Dispatching.dispatch`.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        host_name: str,
        dispatch: Callable[[Letter], Awaitable[Delivery]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._host_name = host_name
        self._dispatch = dispatch
        self._now = now

    async def __call__(
        self, envelope: Envelope, addresses: Sequence[Address], content: Any
    ) -> list[Delivery]:
        """See :data:`.submission.SuccessNotice`."""
        header = await content.read(0, MAX_RETURNED_HEADER)
        together: dict[Action, list[Address]] = {}
        for address in addresses:
            together.setdefault(_action(envelope, address), []).append(address)
        found = []
        for action, own in together.items():
            delivery = await self._delivery(envelope, action, own, header)
            if delivery.targets or delivery.sendings:
                found.append(delivery)
        return found

    async def _delivery(
        self,
        envelope: Envelope,
        action: Action,
        addresses: Sequence[Address],
        header: bytes,
    ) -> Delivery:
        now, sender = self._now(), envelope.sender
        report = Report(
            action,
            self._host_name,
            "" if sender is None else format_mailbox(sender).decode(),
            envelope.id,
            None,
            now,
            now,
            tuple(_report(envelope, action, each, now) for each in addresses),
            returned=header,
        )
        return await self._dispatch(letter_of(report.of(envelope.parameters)))


_REPLIES = {
    Action.DELIVERED: "delivered to the mailbox",
    Action.EXPANDED: "sent on to all whom the address stands for",
}


def _action(envelope: Envelope, address: Address) -> Action:
    """Who sends to a list has reached it; who sends to an alias, not yet everybody."""
    route = envelope.routes.get(address)
    departures = route.decision.departures if isinstance(route, Route) else ()
    if any(departure.owner is None for departure in departures):
        return Action.EXPANDED
    return Action.DELIVERED


def _report(
    envelope: Envelope, action: Action, address: Address, now: float
) -> RecipientReport:
    wishes = envelope.wishes.get(address, RecipientParameters())
    return RecipientReport(
        format_mailbox(address).decode(),
        original=wishes.original,
        status="2.0.0",
        reply=_REPLIES[action],
        attempted=now,
    )
