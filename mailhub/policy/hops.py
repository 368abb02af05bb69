"""Mail that goes round in circles."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from zope.interface import implementer

from ..errors import RoutingLoop
from ..interfaces import ICheck
from ..mail.envelope import Envelope
from .check import ACCEPT, Indifferent, Verdict, refuse
from .header import count_fields, field_values

#: ``Received:`` fields of a message.  RFC 5321, section 6.3, finds 100 normal and
#: leaves the number open; Postfix draws the line here, and each round of a loop
#: costs everybody on the way.
MAX_HOPS = 50

#: The field that tells whom a message was for before it was sent on.
DELIVERED_TO = b"delivered-to"


@implementer(ICheck)
class HopLimit(Indifferent):
    """Refuses a message that has been through too many servers.

    :param most: ``Received:`` fields it may have when it arrives.
    """

    name = "hops"

    def __init__(self, most: int = MAX_HOPS) -> None:
        self.most = most

    async def message(self, envelope: Envelope, content: Any) -> Verdict:
        """Count the fields of the header (RFC 5321, section 6.3)."""
        [hops] = await count_fields(content, b"received")
        if hops > self.most:
            return refuse(RoutingLoop(f"{hops} servers passed it on"))
        return ACCEPT


async def was_here(content: Any, addresses: Collection[str]) -> bool:
    """Whether a message was sent on from one of *addresses* before.

    Each time that an alias or a forward sends mail out, the message gets a
    ``Delivered-To:`` with the address here that led to that (attack: A forwards to B,
    who forwards to A).

    :param addresses: canonical, in lower case.
    """
    marks = {address.encode() for address in addresses}
    values = await field_values(content, DELIVERED_TO)
    return any(value.lower() in marks for value in values)
