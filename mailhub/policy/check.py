"""What checks say, and the row of checks that a message passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import MailError
from ..mail.address import Address
from ..mail.envelope import Envelope, Order, Peer


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check thinks.

    :ivar refusal: why the mail is not taken, or ``None``.
    :ivar header: header lines to put on top of it, CRLF-ended; may be empty.
    :ivar order: what is to be done with what is taken: with this recipient's if a
        recipient was asked about, else with all of the message.
    :ivar reason: for the order, in words for the log and the queue.
    """

    refusal: MailError | None = None
    header: bytes = b""
    order: Order | None = None
    reason: str = ""


#: Nothing against it.
ACCEPT = Verdict()
_NO_ORDERS: Mapping[Order, str] = MappingProxyType({})


def refuse(error: MailError) -> Verdict:
    """The verdict that refuses with *error*."""
    return Verdict(refusal=error)


class Pipeline:
    """Checks in their order, asked at each of the four moments.

    The first refusal ends a moment.  Header lines that checks ask for gather in
    the envelope's trace, and orders in the envelope, so that nothing about a
    transaction is kept here.

    :param checks: objects that provide :class:`mailhub.interfaces.ICheck`.
    """

    def __init__(self, checks: Sequence[Any] = ()) -> None:
        self.checks = tuple(checks)
        self._of_connection, self._of_sender, self._of_recipient, self._of_message = [
            [getattr(check, moment) for check in checks if _minds(check, moment)]
            for moment in ("connection", "sender", "recipient", "message")
        ]

    async def sender(self, envelope: Envelope) -> None:
        """The moments ``connection`` and ``sender``, before MAIL is answered.

        :raises MailError: a check's refusal; likewise below.
        """
        peer: Peer = envelope.peer
        for ask in self._of_connection:
            self._note(envelope, await ask(peer))
        for ask in self._of_sender:
            self._note(envelope, await ask(envelope))

    async def recipient(
        self, envelope: Envelope, address: Address
    ) -> Mapping[Order, str]:
        """Before RCPT is answered.  -> orders for this recipient, with their reasons"""
        if not self._of_recipient:
            return _NO_ORDERS
        orders: dict[Order, str] = {}
        for ask in self._of_recipient:
            self._note(envelope, await ask(envelope, address), orders)
        return orders

    async def message(self, envelope: Envelope, content: Any) -> None:
        """Before the message is stored."""
        for ask in self._of_message:
            self._note(envelope, await ask(envelope, content))

    def _note(
        self,
        envelope: Envelope,
        verdict: Verdict,
        orders: dict[Order, str] | None = None,
    ) -> None:
        if verdict.refusal is not None:
            raise verdict.refusal
        if verdict.header:
            envelope.trace = verdict.header + envelope.trace
        if verdict.order is not None:
            noted = envelope.orders if orders is None else orders
            noted.setdefault(verdict.order, verdict.reason)


class Indifferent:
    """A check that accepts at every moment: the base of those that mind one.

    :cvar name: see :class:`mailhub.interfaces.ICheck`.
    """

    name = "indifferent"

    async def connection(self, peer: Peer) -> Verdict:
        """Accepts."""
        return ACCEPT

    async def sender(self, envelope: Envelope) -> Verdict:
        """Accepts."""
        return ACCEPT

    async def recipient(self, envelope: Envelope, address: Address) -> Verdict:
        """Accepts."""
        return ACCEPT

    async def message(self, envelope: Envelope, content: Any) -> Verdict:
        """Accepts."""
        return ACCEPT


def _minds(check: Any, moment: str) -> bool:
    """Whether a check has an opinion of its own at that moment."""
    return getattr(type(check), moment, None) is not getattr(Indifferent, moment)
