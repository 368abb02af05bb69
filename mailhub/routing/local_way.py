"""The way of mail for mailboxes here that had to wait: held, or not yet due."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from ..errors import MailError, UnknownRecipient
from ..interfaces import IWayOut
from ..mail.account import Delivery
from ..mail.address import Address, parse_mailbox
from ..mail.queued import Lease, Outcome, Result
from ..smtp.replies import reply_for
from ..smtp.trace import return_path
from .router import Router


@implementer(IWayOut)
class LocalWay:
    """``IWayOut`` for destinations that begin with ``local:``.

    Of what an address leads to by now, mailboxes get the message; what leaves has
    rows of its own in the queue.

    :param store: :class:`mailhub.interfaces.IMailStore`.
    :param now: seconds since the epoch.
    """

    def __init__(
        self, store: Any, router: Router, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._router = router
        self._now = now

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """A delivery for each recipient: who is full keeps nobody else waiting."""
        sender = None
        if lease.message.sender:
            sender = parse_mailbox(lease.message.sender.encode(), smtputf8=True)
        prefix = return_path(sender)
        return [
            await self.deliver(each.recipient, content, prefix)
            for each in lease.recipients
        ]

    async def deliver(self, recipient: str, content: Any, prefix: bytes) -> Result:
        """A delivery for one, if that is an address here.

        :param prefix: header fields before those of the message.
        """
        try:
            address = parse_mailbox(recipient.encode(), smtputf8=True)
            await self._deliver(address, content, prefix)
        except MailError as error:
            digit = 5 if error.permanent else 4
            outcome = Outcome.FAILED if error.permanent else Outcome.DEFERRED
            text = " ".join(reply_for(error).lines)
            return Result(outcome, f"{digit}.{error.status.value}", text)
        return Result(Outcome.DELIVERED, "2.0.0", "delivered to the mailbox")

    async def _deliver(self, address: Address, content: Any, prefix: bytes) -> None:
        decision = await self._router.resolve(address)
        objection = decision.objection()
        if objection is not None:
            raise objection
        if not decision.targets:
            raise UnknownRecipient(f"no mailbox for {address} any more")
        now = int(self._now())
        await self._store.deliver(Delivery(content, prefix, decision.targets, now))

    async def stop(self) -> None:
        """Nothing is open."""
