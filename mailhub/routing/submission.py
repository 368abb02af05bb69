"""What stands behind SMTP: the avatars that take mail and have it delivered."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import (
    LocalFault,
    MailError,
    NoRouteYet,
    OverQuota,
    Refused,
    RelayDenied,
    RoutingLoop,
    Status,
    UnknownRecipient,
)
from ..interfaces import ISubmission
from ..mail.account import Delivery, Target
from ..mail.address import Address, parse_mailbox
from ..mail.dates import format_date
from ..mail.envelope import Envelope, Notify, Order
from ..mail.headers import header_line
from ..mail.queue_limits import QueueLimits
from ..mail.queued import Lease
from ..policy.check import Pipeline
from ..policy.header import count_fields, message_id
from ..policy.hops import HopLimit, was_here
from ..powers import IQuotaStore
from .authors import rewritten
from .decision import Decision, Outcome
from .planning import Outlet, Planner, Route, is_passed_on
from .router import MANY, Router

#: Mailboxes and addresses that long lists among the recipients of one message lead to
#: together.
MAX_FANOUT = 10_000

#: The checks that no server should be without.
DEFAULT_CHECKS = (HopLimit(),)


#: Tells senders that their mail was delivered here, where they have asked for that
#: (RFC 3461, section 5.2.3).  Called with the envelope, those recipients and the
#: message's ``IContent``, after they have it; what it returns is stored.
SuccessNotice = Callable[
    [Envelope, Sequence[Address], Any], Awaitable[Sequence[Delivery]]
]


class _Submission:
    """Checks, decisions and delivery: what both avatars have in common.

    :param store: :class:`mailhub.interfaces.IMailStore`.
    :param checks: objects that provide :class:`mailhub.interfaces.ICheck`.
    :param outlet: who sends what leaves; ``None``: nothing can.
    :param limits: how long mail waits.
    :param tell_success: see :data:`SuccessNotice`; ``None``: nobody is told.
    :param now: seconds since the epoch.
    """

    log = Logger()

    def __init__(
        self,
        store: Any,
        router: Router,
        checks: Sequence[Any] = DEFAULT_CHECKS,
        *,
        outlet: Outlet | None = None,
        limits: QueueLimits = QueueLimits(),  # noqa: B008  (a frozen value)
        tell_success: SuccessNotice | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._quotas = store if IQuotaStore.providedBy(store) else None
        self._router = router
        self._checks = Pipeline(checks)
        self._leaves = outlet is not None
        self._planner = Planner(router, outlet, limits, now)
        self._tell_success = tell_success
        self._now = now

    async def sender(self, envelope: Envelope) -> None:
        """Rewrite the sender where that is wished for, and ask the checks.

        :raises MailError: it may not send.
        """
        given = envelope.sender
        if given is not None:
            envelope.sender = await self._router.sender(given)
            await self._check_sender(given, envelope.sender)
        await self._checks.sender(envelope)

    async def recipient(self, envelope: Envelope, address: Address) -> None:
        """Decide where mail for *address* goes, and ask the checks.

        Everything that is known now is said now, so that nobody gets mail about it
        later (attack: backscatter).

        :raises MailError: it goes nowhere, or a check is against it.
        """
        decision = await self._router.resolve(address)
        objection = self._objection(decision, envelope)
        if objection is not None and not isinstance(objection, RelayDenied):
            raise objection
        orders = await self._checks.recipient(envelope, address)
        if objection is not None and not (
            Order.RELAY in orders or Order.RELAY in envelope.orders
        ):
            if Order.UNDECIDED in orders:
                raise Refused(
                    "Relaying denied for now", permanent=False, code=450
                )
            raise objection
        if orders or envelope.orders:
            redirect = Order.REDIRECT
            elsewhere = orders.get(redirect) or envelope.orders.get(redirect)
            if elsewhere is not None:
                decision = await self._redirected(elsewhere)
        if decision.departures and not self._leaves:
            departure = decision.departures[0]
            raise NoRouteYet(f"{decision.address} leads to {departure.recipient}")
        if self._quotas is not None:
            self._check_quotas(self._quotas, decision, envelope)
        self._check_places(envelope, decision)
        route: Route | Decision
        if orders or decision.departures or decision.hold:
            route = Route(address, decision, orders)
        elif envelope.routes:
            route = _plain(decision.outcome, decision.targets)
        else:
            # Most messages have one recipient.
            route = decision
        envelope.routes[address] = route

    async def _redirected(self, target: str) -> Decision:
        """What a check's *target* gets in the place of a recipient.

        :raises LocalFault: nobody is there; a person has to mend that.
        """
        address = parse_mailbox(target.encode(), smtputf8=True)
        decision = await self._router.resolve(address)
        objection = decision.objection()
        if objection is not None and not isinstance(objection, RelayDenied):
            raise LocalFault(f"redirected to {target}: {objection}")
        return decision

    async def message(
        self, envelope: Envelope, content: Any
    ) -> list[MailError | None]:
        """Deliver to all recipients with one commit; with LMTP, to each in turn.

        :raises MailError: nobody got it.
        """
        await self._checks.message(envelope, content)
        envelope.message_id = await message_id(content)
        trace = envelope.trace + await self._additions(envelope, content)
        routes = [_route(envelope, address) for address in envelope.recipients]
        if envelope.orders or envelope.parameters.hold_until is not None:
            routes = [
                route if isinstance(route, Route) else Route(address, route, {})
                for address, route in zip(envelope.recipients, routes, strict=True)
            ]
        if envelope.one_by_one:
            outcomes = await self._deliver_each(envelope, routes, content, trace)
        else:
            await self._deliver(envelope, routes, content, trace)
            outcomes = [None] * len(routes)
        tell = self._tell_success
        if envelope.wishes and tell is not None and self._planner.is_due(envelope):
            await self._tell(tell, envelope, outcomes, content)
        return outcomes

    async def _check_sender(self, given: Address, sender: Address) -> None:
        """Strangers may call themselves as they like; other checks know more."""

    def _objection(
        self, decision: Decision, envelope: Envelope
    ) -> MailError | None:
        if decision.outcome is Outcome.BOUNCE and envelope.sender is not None:
            # Attack: an address of ours that leads to whom a stranger likes.
            return Refused("This address takes only what comes back")
        return decision.objection()

    def _check_places(self, envelope: Envelope, decision: Decision) -> None:
        """
        :raises Refused: all recipients together lead to too many; the others may come
            with another message (RFC 5321, section 4.5.3.1.10).
        """
        if decision.places <= MANY:
            return
        places = decision.places
        for route in envelope.routes.values():
            if isinstance(route, Route) and route.decision.places > MANY:
                places += route.decision.places
        if places > MAX_FANOUT:
            raise Refused(
                "Too many recipients", status=Status.TOO_MANY_RECIPIENTS,
                permanent=False, code=452,
            )  # fmt: skip

    def _check_quotas(
        self, quotas: Any, decision: Decision, envelope: Envelope
    ) -> None:
        """
        :raises OverQuota: a mailbox has no room for a message of that size.
        """
        for account in decision.accounts:
            if account.quota is None:
                continue
            octets = max(1, envelope.parameters.size or 0)
            if quotas.room_of(account.account_id) < octets:
                raise OverQuota(f"{account.address} is full")

    async def _additions(self, envelope: Envelope, content: Any) -> bytes:
        """Header lines that the message lacks."""
        return b""

    async def _deliver(
        self,
        envelope: Envelope,
        routes: Sequence[Route | Decision],
        content: Any,
        trace: bytes,
        number: int = 0,
    ) -> None:
        via = {
            address
            for route in routes if isinstance(route, Route)
            for departure in route.decision.departures
            for address in departure.via
        }  # fmt: skip
        if via and await was_here(content, via):
            raise RoutingLoop("it was sent on from here before")
        delivery = await self._planner.delivery(
            envelope, routes, content, trace, number
        )
        if not (delivery.targets or delivery.sendings):
            self.log.info("{id} is thrown away", id=envelope.id)
            return
        leases = await self._commit(delivery)
        if leases:
            self._planner.send(delivery, leases)

    async def _deliver_each(
        self,
        envelope: Envelope,
        routes: Sequence[Route | Decision],
        content: Any,
        trace: bytes,
    ) -> list[MailError | None]:
        """A delivery per recipient, all begun at once: the store joins commits."""
        outcomes = [
            Deferred.fromCoroutine(
                self._deliver_one(envelope, route, content, trace, number)
            )
            for number, route in enumerate(routes)
        ]
        return list(await gatherResults(outcomes))

    async def _deliver_one(
        self,
        envelope: Envelope,
        route: Route | Decision,
        content: Any,
        trace: bytes,
        number: int,
    ) -> MailError | None:
        try:
            await self._deliver(envelope, [route], content, trace, number)
        except MailError as error:
            return error
        except Exception:
            self.log.failure("delivery failed")
            return LocalFault("delivery failed")
        return None

    async def _commit(self, delivery: Delivery) -> Sequence[Lease]:
        try:
            leases: Sequence[Lease] = await self._store.deliver(delivery)
            return leases
        except UnknownRecipient as error:
            # An account has gone since RCPT.  For good would be wrong for the other
            # recipients; the next try learns at RCPT which of them it is.
            raise LocalFault(f"while delivering: {error}") from error

    async def _tell(
        self,
        tell: SuccessNotice,
        envelope: Envelope,
        outcomes: Sequence[MailError | None],
        content: Any,
    ) -> None:
        """Tell the sender of those who have it by now, and wanted that told.

        The message is taken; what goes wrong here changes nothing about that.
        """
        reached = [
            address
            for address, error in zip(envelope.recipients, outcomes, strict=True)
            if error is None and _is_success(envelope, address)
        ]
        if not reached:
            return
        try:
            for delivery in await tell(envelope, reached, content):
                await self._store.deliver(delivery)
        except Exception:
            self.log.failure("nobody could be told of {id}", id=envelope.id)


@lru_cache(1024)
def _plain(outcome: Outcome, targets: tuple[Target, ...]) -> Decision:
    """A decision that all addresses share which lead to the same mailboxes.

    (Attack: a thousand recipients, each one's with another tag, in a thousand
    transactions that never end; what led to such a decision takes a kibibyte.)
    """
    return Decision("", outcome, targets)


def _route(envelope: Envelope, address: Address) -> Route | Decision:
    route = envelope.routes[address]
    assert isinstance(route, Route | Decision)
    return route


#: Orders by which mail is in no mailbox yet, or never.
_LATER_OR_NEVER = frozenset({Order.HOLD, Order.DISCARD})


def _is_success(envelope: Envelope, address: Address) -> bool:
    """Whether a recipient has its mail by now, and its sender asked about that.

    Of what leads to one address elsewhere, somebody tells there; a list, or an alias
    of several, has taken what is sent to it (RFC 3461, sections 5.2.7.1 to 5.2.7.3).
    """
    wishes = envelope.wishes.get(address)
    if envelope.sender is None or wishes is None or wishes.notify is None:
        return False
    if Notify.SUCCESS not in wishes.notify:
        return False
    route, orders = _route(envelope, address), envelope.orders.keys()
    if isinstance(route, Decision):
        return _LATER_OR_NEVER.isdisjoint(orders)
    waits = route.decision.hold or not _LATER_OR_NEVER.isdisjoint(orders | route.orders)
    return not waits and not is_passed_on(route.decision)


@implementer(ISubmission)
class InboundSubmission(_Submission):
    """Takes mail from other servers, and from an MTA of ours by LMTP.

    It goes to recipients here, where these lead to, and to relay domains: everything
    else would be an open relay (RFC 5321, section 7.1; attack: relaying in all its
    spellings).
    """


class _TrustedSubmission(_Submission):
    """For people and programs of ours: mail goes everywhere, and is completed."""

    def _objection(
        self, decision: Decision, envelope: Envelope
    ) -> MailError | None:
        if decision.outcome is Outcome.ELSEWHERE:
            return None
        return super()._objection(decision, envelope)

    async def message(
        self, envelope: Envelope, content: Any
    ) -> list[MailError | None]:
        """Likewise, with senders in the header as they are in the envelope."""
        if not self._router.rewrites_headers:
            return await super().message(envelope, content)
        utf8 = envelope.parameters.smtputf8
        spool, rewrite = self._store.spool, self._router.sender
        other = await rewritten(content, spool, rewrite, utf8=utf8)
        if other is None:
            return await super().message(envelope, content)
        try:
            return await super().message(envelope, other)
        finally:
            other.close()

    async def _additions(self, envelope: Envelope, content: Any) -> bytes:
        """``Date:`` and ``Message-ID:`` where missing (RFC 6409, section 8)."""
        dates, idents = await count_fields(content, b"date", b"message-id")
        now = int(self._now())
        lines = b""
        if not dates:
            lines += header_line(b"Date", format_date(now))
        if not idents:
            unique = f"<{now}.{envelope.id}@{envelope.peer.local_name}>"
            envelope.message_id = unique
            lines += header_line(b"Message-ID", unique.encode())
        return lines


@implementer(ISubmission)
class UserSubmission(_TrustedSubmission):
    """Takes mail from a user who has logged in.

    :param login: the canonical login name, which is the user's address.
    """

    def __init__(
        self,
        store: Any,
        router: Router,
        checks: Sequence[Any] = DEFAULT_CHECKS,
        *,
        login: str,
        **more: Any,
    ) -> None:
        super().__init__(store, router, checks, **more)
        self.login = login

    async def sender(self, envelope: Envelope) -> None:
        """The same, with the user's name in the envelope."""
        envelope.user = self.login
        await super().sender(envelope)

    async def _check_sender(self, given: Address, sender: Address) -> None:
        """The sender must be the user, or an alias that leads to the user.

        That it becomes another by the server's own rules is no matter.  The null
        sender is everybody's: read receipts need it (RFC 8098, section 2.1).

        :raises Refused: it is somebody else's (attack: sender forgery).
        """
        if not (await self._owns(given) or await self._owns(sender)):
            raise Refused("Sender address is not yours")

    async def _owns(self, sender: Address) -> bool:
        if str(sender).lower() == self.login:
            return True
        decision = await self._router.resolve(sender)
        return self.login in decision.owners


@implementer(ISubmission)
class ProgramSubmission(_TrustedSubmission):
    """Takes mail from a program on this machine that may write in the store.

    It sends in anybody's name, as programs have always done.
    """
