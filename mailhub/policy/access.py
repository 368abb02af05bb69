"""The access table as a check."""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger
from zope.interface import implementer

from ..interfaces import ICheck
from ..mail.address import Address
from ..mail.envelope import Envelope, Order
from ..mail.headers import header_line
from ..tables.actions import Action, What
from .check import ACCEPT, Indifferent, Verdict, refuse

_ORDERS = {
    What.RELAY: Order.RELAY, What.DISCARD: Order.DISCARD, What.HOLD: Order.HOLD,
    What.REDIRECT: Order.REDIRECT,
}  # fmt: skip


class AccessTables(Protocol):
    """What a table is asked; ``None``: it says nothing.

    They raise :class:`mailhub.errors.LocalFault` where they cannot tell now.
    """

    async def client(self, host: str) -> Action | None:
        """Of a peer at an IP address."""

    async def sender(self, address: Address | None) -> Action | None:
        """Of an address that mail comes from; ``None`` is the null sender."""

    async def recipient(self, address: Address) -> Action | None:
        """Of an address that mail is for."""


@implementer(ICheck)
class AccessCheck(Indifferent):
    """Does what an access table says of peers, senders and recipients.

    What it says of peers and of senders is about strangers: who has logged in has
    proved more than a table knows.  Sendmail's ``delay_checks`` and Postfix's
    ``permit_sasl_authenticated`` before all others do likewise.  The two are therefore
    looked up together, when MAIL comes and it is known who is speaking.

    :param tables: whom to ask.
    """

    name = "access"
    log = Logger()

    def __init__(self, tables: AccessTables) -> None:
        self._tables = tables

    async def sender(self, envelope: Envelope) -> Verdict:
        """Look up the peer, then the sender.

        RELAY is no more than OK for a sender, as anybody can claim to be one (RFC 5321,
        section 7.1); for a peer it counts with each recipient.
        """
        if envelope.user is not None:
            return ACCEPT
        header, order, reason = b"", None, ""
        for action in (
            await self._tables.client(envelope.peer.host),
            await self._tables.sender(envelope.sender),
        ):
            verdict = self._verdict(action)
            if verdict.refusal is not None:
                return verdict
            header += verdict.header
            if order is None and verdict.order is not Order.RELAY:
                order, reason = verdict.order, verdict.reason
        return Verdict(header=header, order=order, reason=reason)

    async def recipient(self, envelope: Envelope, address: Address) -> Verdict:
        """Look up the recipient; whether the peer may send everywhere counts next."""
        verdict = self._verdict(await self._tables.recipient(address))
        if verdict.refusal or verdict.order or envelope.user is not None:
            return verdict
        of_peer = await self._tables.client(envelope.peer.host)
        if of_peer is None or of_peer.what is not What.RELAY:
            return verdict
        return Verdict(header=verdict.header, order=Order.RELAY, reason=of_peer.origin)

    def _verdict(self, action: Action | None) -> Verdict:
        if action is None:
            return ACCEPT
        match action.what:
            case What.REFUSE:
                return refuse(action.refusal())
            case What.PREPEND:
                name, _, value = action.text.encode().partition(b":")
                return Verdict(header=header_line(name, value.strip()))
            case What.WARN:
                self.log.warn(
                    "{origin}: {text!r}", origin=action.origin, text=action.text
                )
                return ACCEPT
            case What.NOTHING:
                return ACCEPT
        reason = action.text or f"access table, {action.origin}"
        return Verdict(order=_ORDERS[action.what], reason=reason)
