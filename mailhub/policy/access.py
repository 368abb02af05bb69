"""The access table as a check."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from twisted.logger import Logger
from zope.interface import implementer

from ..errors import Status
from ..interfaces import ICheck
from ..mail.address import Address
from ..mail.envelope import Envelope, Order, Peer
from ..mail.headers import header_line
from ..tables.actions import Action, What
from .check import ACCEPT, Indifferent, Verdict, refuse
from .names import PeerBook, PeerNames

#: What a peer's name may save it from.
_AGAINST = frozenset({What.REFUSE, What.DISCARD, What.REDIRECT})
_ORDERS = {
    What.RELAY: Order.RELAY, What.DISCARD: Order.DISCARD, What.HOLD: Order.HOLD,
    What.REDIRECT: Order.REDIRECT,
}  # fmt: skip


class AccessTables(Protocol):
    """What a table is asked; ``None``: it says nothing.

    They raise :class:`mailhub.errors.LocalFault` where they cannot tell now.
    """

    async def client(self, client: PeerNames) -> Action | None:
        """Of a peer, by its names if they make a difference, and its address."""

    async def lets_names_relay(self) -> bool:
        """Whether the name of a peer may let it send everywhere."""

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

    While DNS cannot tell what a peer is called, nothing is refused for good or thrown
    away that its name might let through (450 4.7.1, as with Sendmail).

    :param tables: whom to ask.
    :param book: what peers are called.
    """

    name = "access"
    log = Logger()

    def __init__(self, tables: AccessTables, book: PeerBook) -> None:
        self._tables = tables
        self._book = book

    async def sender(self, envelope: Envelope) -> Verdict:
        """Look up the peer, then the sender.

        RELAY is no more than OK for a sender, as anybody can claim to be one (RFC 5321,
        section 7.1); for a peer it counts with each recipient.
        """
        if envelope.user is not None:
            return ACCEPT
        header, order, reason = b"", None, ""
        for action in (
            await self._of_peer(envelope.peer),
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
        of_peer = await self._of_peer(envelope.peer)
        if of_peer is not None and of_peer.what is What.RELAY:
            order, reason = Order.RELAY, of_peer.origin
        elif await self._may_relay_by_name(envelope.peer):
            order, reason = Order.UNDECIDED, "the peer's name cannot be told now"
        else:
            return verdict
        return Verdict(header=verdict.header, order=order, reason=reason)

    async def _of_peer(self, peer: Peer) -> Action | None:
        client = self._book.of(peer)
        action = await self._tables.client(client)
        if action is not None and client.is_doubtful and action.what in _AGAINST:
            return replace(
                action, what=What.REFUSE, permanent=False, code=450,
                status=Status.NOT_ALLOWED, text="Your name cannot be told now",
            )  # fmt: skip
        return action

    async def _may_relay_by_name(self, peer: Peer) -> bool:
        client = self._book.of(peer)
        return client.is_doubtful and await self._tables.lets_names_relay()

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
