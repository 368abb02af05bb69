"""What senders are told of mail that is in its mailboxes (RFC 3461, section 5.2.2)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from ..mail.account import Delivery
from ..mail.address import Address, format_mailbox
from ..mail.dsn import Action, RecipientReport, Report, letter_of
from ..mail.envelope import Envelope, RecipientParameters
from ..mail.queued import Letter


class Successes:
    """Writes the notifications, each as a delivery of its own.

    Without the message, which its sender has (RFC 3461, section 6.2, leaves it open).

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
        self, envelope: Envelope, addresses: Sequence[Address]
    ) -> list[Delivery]:
        """See :data:`.submission.SuccessNotice`."""
        if envelope.sender is None:
            return []
        now, parameters = self._now(), envelope.parameters
        report = Report(
            Action.DELIVERED,
            self._host_name,
            format_mailbox(envelope.sender).decode(),
            envelope.id,
            parameters.envid,
            now,
            now,
            tuple(_report(envelope, address, now) for address in addresses),
            utf8=parameters.smtputf8,
        )
        delivery = await self._dispatch(letter_of(report))
        return [delivery] if delivery.targets or delivery.sendings else []


def _report(envelope: Envelope, address: Address, now: float) -> RecipientReport:
    wishes = envelope.wishes.get(address, RecipientParameters())
    return RecipientReport(
        format_mailbox(address).decode(),
        original=wishes.original,
        status="2.0.0",
        reply="delivered to the mailbox",
        attempted=now,
    )
