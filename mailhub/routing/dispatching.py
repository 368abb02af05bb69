"""Mail that the server itself writes: where it goes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from twisted.logger import Logger

from ..errors import MailError
from ..mail.account import Delivery
from ..mail.address import Address, parse_mailbox
from ..mail.envelope import Envelope, Peer
from ..mail.queue_limits import QueueLimits
from ..mail.queued import Letter
from ..store.content import BytesContent
from .decision import Decision, Outcome
from .planning import Planner, Route
from .router import Router

#: Who gets what cannot be delivered even to its sender.
POSTMASTER = Address("postmaster", "")

#: Decisions by which a notification reaches somebody.
_REACHES = frozenset(
    {Outcome.LOCAL, Outcome.RELAY, Outcome.BOUNCE, Outcome.ELSEWHERE}
)


def random_id() -> str:
    """A name for a message in the queue, of the form that transactions have."""
    return f"{secrets.randbits(48):012X}"


class Dispatching:
    """Makes deliveries of letters.

    :param local_name: what the server calls itself.
    :param limits: how long mail waits.
    :param now: seconds since the epoch.
    :param new_id: makes names for the queue.
    """

    log = Logger()

    def __init__(
        self,
        router: Router,
        local_name: str,
        *,
        limits: QueueLimits = QueueLimits(),  # noqa: B008  (a frozen value)
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._router = router
        # Nobody begins to send it: it becomes durable together with what it is about.
        self._planner = Planner(router, None, limits, now)
        self._peer = Peer("", 0, "local", local_name)
        self._new_id = new_id

    async def dispatch(self, letter: Letter) -> Delivery:
        """What brings *letter* to its recipient.

        What nobody takes here goes to the postmaster, as does a letter to an address
        that is none.  Without a postmaster the delivery is empty: it has neither
        targets nor sendings, and need not be made.

        :raises LocalFault: nobody can tell now where it goes.
        """
        address, decision = await self._decide(letter)
        sender = None
        if letter.sender:
            sender = parse_mailbox(letter.sender.encode(), smtputf8=True)
        envelope = Envelope(
            self._new_id(), self._peer, None, sender, letter.parameters, [address]
        )
        return await self._planner.delivery(
            envelope, [Route(address, decision, {})], BytesContent(letter.octets), b""
        )

    async def _decide(self, letter: Letter) -> tuple[Address, Decision]:
        try:
            address = parse_mailbox(letter.recipient.encode(), smtputf8=True)
            decision = await self._router.resolve(address)
            if decision.outcome in _REACHES:
                return address, decision
            why = decision.outcome.value
        except MailError as error:
            if not error.permanent:
                raise
            why = str(error)
        self.log.info(
            "a notification to {recipient!r} goes to the postmaster: {why}",
            recipient=letter.recipient, why=why,
        )
        decision = await self._router.resolve(POSTMASTER)
        if decision.outcome not in _REACHES:
            self.log.warn("there is no postmaster: nobody gets a notification")
        return POSTMASTER, decision
