"""What the contracts of a queue start from."""

from __future__ import annotations

from typing import Any

from mailhub.mail.account import Delivery, Target
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queue_list import ALL, Selection
from mailhub.mail.queued import Disposal, Lease, Outgoing, Sending, Settlement
from mailhub.store.content import BytesContent

from .fixture import SENT_AT, StoreFixture, message

#: When the tests' messages arrive.
NOW = 1_795_225_600.5
DAY = 86_400.0
NET = "example.net"
ME = "this process"


def sending(name: str, *recipients: str, **more: Any) -> Sending:
    """A message from ``s@example.org`` that arrived :data:`NOW`.

    :param recipients: addresses; the destination is the domain of each.
    """
    values: dict[str, Any] = {
        "sender": "s@example.org", "user": None, "parameters": MailParameters(),
        "arrived": NOW, "due": NOW, "expires": NOW + 5 * DAY,
    } | more
    outgoing = tuple(
        Outgoing(address, address.rpartition("@")[2])
        for address in recipients or (f"{name.lower()}@{NET}",)
    )
    return Sending(queue_id=name, recipients=outgoing, **values)


def gone(lease: Lease) -> list[Settlement]:
    """All recipients of a lease have got it."""
    return [Settlement(each.recipient_id, Disposal.GONE) for each in lease.recipients]


def later(lease: Lease, due: float, **more: Any) -> list[Settlement]:
    """All recipients of a lease are to be tried again."""
    return [
        Settlement(each.recipient_id, Disposal.LATER, due=due, **more)
        for each in lease.recipients
    ]


def addresses(leases: list[Lease]) -> list[list[str]]:
    """The recipients of leases."""
    return [[each.recipient for each in lease.recipients] for lease in leases]


def names(leases: list[Lease]) -> list[str]:
    """The messages of leases."""
    return [lease.message.queue_id for lease in leases]


class QueueFixture(StoreFixture):
    """A store with a queue."""

    @property
    def queue(self) -> Any:
        """The queue of the store."""
        return self.store.queue

    async def put(
        self, *sendings: Sending, data: bytes | None = None, prefix: bytes = b"",
        targets: tuple[Target, ...] = (),
    ) -> list[Lease]:
        """Put messages into the queue, each with a content of its own but for *data*.
        """
        leases: list[Lease] = []
        for each in sendings:
            content = BytesContent(message(each.queue_id) if data is None else data)
            leases += await self.store.deliver(
                Delivery(content, prefix, targets, SENT_AT, (each,))
            )
        return leases

    async def lease(
        self, limit: int = 1000, *, destination: str = NET, now: float = NOW,
        keeper: str = ME, until: float | None = None,
    ) -> list[Lease]:
        """Lease what is due, for 10 minutes."""
        end = now + 600 if until is None else until
        leases: list[Lease] = await self.queue.lease(
            destination, limit, keeper, now, end
        )
        return leases

    async def waiting(self, selection: Selection = ALL) -> list[str]:
        """The recipients in the queue."""
        return [
            each.recipient
            for entry in await self.queue.entries(selection, 10_000)
            for each in entry.recipients
        ]
